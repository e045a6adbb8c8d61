"""Properties of a latent space: numbers about an encoding that need no training."""
