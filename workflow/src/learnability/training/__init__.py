"""One engine for every recipe: its data, losses, evaluation, teachers and searches."""
