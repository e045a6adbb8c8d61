"""Figures: one module each, from the files of runs, encodings, tables and tests; `style` is what they share."""
