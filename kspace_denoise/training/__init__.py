"""Training: the configuration, the images that are drawn from, the loop and its checkpoint."""
