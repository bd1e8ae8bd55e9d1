"""Diffusion scans of a brain whose tensors are known."""

from kspace_denoise.sim.diffusion.directions import GradientScheme, gradient_scheme
from kspace_denoise.sim.diffusion.phantom import DiffusionPhantom, diffusion_phantom

__all__ = ["DiffusionPhantom", "GradientScheme", "diffusion_phantom", "gradient_scheme"]
