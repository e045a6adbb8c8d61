"""Significance of the learnability gap: tests over folds, cells and datasets, equivalence, correlation.

A difference is always the first side of `comparison` minus the second. Every table of tests has at least the columns
`rows.TEST_COLUMNS`; what does not apply, or is not defined for the data at hand, is the string "n/a", never NaN.
"""
