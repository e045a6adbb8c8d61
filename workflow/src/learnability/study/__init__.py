"""What a study asks for, as values: the configuration, recipes, cells, lists, paths, sizes."""
