"""The pretrained music engine: diffusion on spectrograms, over our composer's sketch."""
