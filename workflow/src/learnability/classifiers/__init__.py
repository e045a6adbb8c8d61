"""Networks that classify images or latents."""
