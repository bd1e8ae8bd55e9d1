"""Non-local means from scikit-image, on complex images and with a noise map."""

import dataclasses

import numpy as np
from skimage.restoration import denoise_nl_means

from kspace_denoise.arrays import Array, like
from kspace_denoise.classical.parts import check_phase_width, denoise_each
from kspace_denoise.sigma import noisy_images
from kspace_denoise.stages import Numpy


@dataclasses.dataclass(frozen=True)
class NonLocalMeans:
    """Average pixels whose surroundings look alike (Buades, Coll, Morel, CVPR 2005).

    `strength` is the filter parameter h in units of sigma. Patches of `patch` pixels are compared
    up to `distance` pixels away; the expected distance of two patches of pure noise is subtracted.
    The phase of a complex image, smoothed by a Gaussian of `phase_width` pixels, is taken off, real
    and imaginary part are filtered apart, and the phase is put back. With 0 it stays on, and both
    parts share one set of weights.

    Raises:
        ValueError: if the strength is not positive or the width negative.
    """

    strength: float = 0.8
    patch: int = 5
    distance: int = 6
    phase_width: float = 4.0

    method = "nlm"
    stage = None

    def __post_init__(self) -> None:
        if not 0 < self.strength < np.inf:
            raise ValueError(f"strength is {self.strength}, expected a positive number")
        check_phase_width(self.phase_width)

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

    def _denoise(self, image: Numpy) -> Numpy:
        """Denoise one image (y, x) in SNR units."""
        parts = np.stack([image.real, image.imag], -1) if np.iscomplexobj(image) else image
        clean: Numpy = denoise_nl_means(
            parts.astype(np.float64),
            patch_size=self.patch,
            patch_distance=self.distance,
            h=self.strength,
            sigma=1.0,
            fast_mode=True,
            channel_axis=-1 if np.iscomplexobj(image) else None,
        )
        return clean[..., 0] + 1j * clean[..., 1] if np.iscomplexobj(image) else clean
