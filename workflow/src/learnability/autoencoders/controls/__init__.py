"""Controls: codes that no one learned, on the same grid as the latents of the families."""
