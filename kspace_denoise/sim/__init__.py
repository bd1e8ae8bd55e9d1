"""Forward models: what physics and a scanner do to an object, on plain arrays."""

from kspace_denoise.sim.coils import array_covariance, coil_maps
from kspace_denoise.sim.head import Phantom, phantom
from kspace_denoise.sim.lowfield import LowField, low_field
from kspace_denoise.sim.noise import add_noise, noise_like
from kspace_denoise.sim.sampling import mask, mask_probability

__all__ = [
    "LowField",
    "Phantom",
    "add_noise",
    "array_covariance",
    "coil_maps",
    "low_field",
    "mask",
    "mask_probability",
    "noise_like",
    "phantom",
]
