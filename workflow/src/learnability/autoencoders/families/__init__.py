"""Trained autoencoders (diffusers' classes, MedVAE, the user's own) and where their weights are."""
