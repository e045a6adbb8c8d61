"""A trained classifier in a generative pipeline: scores, rejection sampling, guidance, regularisation.

docs/generation.md has an example of each.
"""
