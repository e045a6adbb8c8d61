"""A finished study as an RO-Crate to pass on: tables, cards and classifiers, without images or sample ids."""
