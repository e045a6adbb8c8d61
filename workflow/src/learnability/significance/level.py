"""The level below which a p is called significant: in tests, tables, figures, claims and the summary."""

ALPHA = 0.05
P_BELOW = f"p < {ALPHA:g}".replace("0.", ".")  # as texts say it
CONFIDENCE = f"{100 * (1 - ALPHA):g} %"  # of intervals
CONFIDENCE_TOST = f"{100 * (1 - 2 * ALPHA):g} %"  # two one-sided tests, each at the level
