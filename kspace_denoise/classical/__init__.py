"""Denoisers that need no training; each is called like a trained one: `denoiser(image, sigma)`."""

from kspace_denoise.classical.nlm import NonLocalMeans

CLASSICAL: dict[str, type[NonLocalMeans]] = {"nlm": NonLocalMeans}
"""Denoisers that need no training, by the name that is used everywhere."""

__all__ = ["CLASSICAL", "NonLocalMeans"]
