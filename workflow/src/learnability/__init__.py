"""Measures the learnability gap of autoencoder latent spaces; the steps are wired together by the Snakefile."""
