"""Magnitude images for denoisers of Gaussian noise: made even first, and the bias undone after."""

import dataclasses
from collections.abc import Callable
from typing import Any

from kspace_denoise.arrays import Array, like, to_numpy
from kspace_denoise.units import from_unit, to_unit


@dataclasses.dataclass(frozen=True)
class Stabilised:
    """`recon.vst`, a denoiser, and `recon.inverse_vst`, for magnitudes of one coil."""

    inner: Callable[[Array, Any], Array]

    def __call__(self, image: Array, sigma: Array | float) -> Array:
        """Denoise magnitudes `(..., y, x)`, `sigma` per real component before the magnitude.

        Raises:
            ValueError: if the image is complex or has negative values.
        """
        even = like(to_unit(image, sigma, vst=True), image)
        return like(from_unit(to_numpy(self.inner(even, 1.0)), sigma, vst=True), image)
