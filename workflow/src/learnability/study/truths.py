"""What controls are called where their verdicts are made and read, apart from what reads the configuration."""

CONTROLS = "controls"  # as other tables: study.recipes.controls, study.limited_to.controls
GAP, NO_GAP, UNKNOWN = "gap", "no gap", "n/a"  # what is known of a comparison by construction
TABLE1 = "table1"  # stands for the recipes of Table 1, where a comparison is not of one recipe
