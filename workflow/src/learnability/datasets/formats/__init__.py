"""One module per format on disk, by the name that `datasets.*.format` gives it."""
