"""A finished study to pass on: tables, cards and classifiers as an RO-Crate, without images and sample ids."""
