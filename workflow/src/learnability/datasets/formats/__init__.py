"""One module per format on disk; `datasets.*.format` is the name of the module."""
