"""What denoisers share that know one real image at a time: the door, the phase, the noise map."""

import abc
import dataclasses
from typing import ClassVar

import numpy as np

from kspace_denoise.arrays import Array, like
from kspace_denoise.classical.parts import denoise_each
from kspace_denoise.sigma import noisy_images
from kspace_denoise.stages import Numpy


@dataclasses.dataclass(frozen=True)
class OneByOne(abc.ABC):
    """A denoiser of one image `(y, x)` in SNR units, made one of images in any unit.

    The phase of a complex image, smoothed by a Gaussian of `phase_width` pixels, is taken off, real
    and imaginary part are denoised apart, and the phase is put back. With 0 it stays on, and the
    complex image is denoised as one.

    Raises:
        ValueError: if the strength is not positive or the width negative.
    """

    strength: float = 1.0
    phase_width: float = 4.0

    method: ClassVar[str]
    stage: ClassVar[None] = None

    def __post_init__(self) -> None:
        if not 0 < self.strength < np.inf:
            raise ValueError(f"strength is {self.strength}, expected a positive number")
        if not 0 <= self.phase_width < np.inf:
            raise ValueError(
                f"phase_width is {self.phase_width}, expected pixels, or 0 to leave the phase on"
            )

    def __call__(self, image: Array, sigma: Array | float) -> Array:
        """Denoise `(..., y, x)` with noise `sigma` per real component: a number or a map.

        Raises:
            TypeError: if the image is neither real floating nor complex.
            ValueError: if it is none or not finite, or sigma not positive and finite, or of a shape
                that does not fit.
        """
        noisy = noisy_images(image, sigma)
        clean = denoise_each(noisy.images, self.phase_width, self._denoise)
        return like(clean.reshape(noisy.sigma.shape) * noisy.sigma, image, image.dtype)

    @abc.abstractmethod
    def _denoise(self, image: Numpy) -> Numpy:
        """Denoise one image (y, x) in SNR units, real, or complex with its phase on."""
