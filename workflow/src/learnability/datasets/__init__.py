"""Images and their labels: formats, packing, folds."""
