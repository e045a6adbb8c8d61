"""What controls and remedies are called where results of them are made and read, apart from the configuration."""

CONTROLS = "controls"  # as other tables: study.recipes.controls, study.limited_to.controls
GAP, NO_GAP, UNKNOWN = "gap", "no gap", "n/a"  # what is known of a comparison by construction
TABLE1 = "table1"  # stands for the recipes of Table 1, where a comparison is not of one recipe
REMEDIES = "remedies"  # study.recipes.remedies, study.limited_to.remedies
# The remedies of Table 6: those of a recipe are Recipe.remedies, whose first is the kind of a transform.
NONE, WHITEN, ROTATE, LOW_PASS, VIEWS = "none", "whiten", "rotate", "low_pass", "views"
DECODER_BLOCKS, EQUIVARIANCE = "decoder_blocks", "equivariance"
