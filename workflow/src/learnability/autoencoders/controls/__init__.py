"""Controls: codes without learning, on the same grid as the latents of the families."""
