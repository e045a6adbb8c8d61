"""The level below which a p is called significant: in tests, tables, figures, claims and the summary."""

ALPHA = 0.05
