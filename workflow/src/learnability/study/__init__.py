"""What is asked for, as values: the configuration, recipes, cells, lists, paths, sizes."""
