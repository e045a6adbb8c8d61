"""What a latent space is like: numbers about an encoding, none of which needs a training."""
