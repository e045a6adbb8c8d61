"""What is asked for, as values: the configuration, recipes, cells, paths, growth, sizes."""
