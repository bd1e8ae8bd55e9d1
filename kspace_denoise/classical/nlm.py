"""Non-local means from scikit-image, on complex images and with a noise map."""

import dataclasses

import numpy as np
from skimage.restoration import denoise_nl_means

from kspace_denoise.arrays import Array, like
from kspace_denoise.sigma import noisy_images
from kspace_denoise.stages import Numpy


@dataclasses.dataclass(frozen=True)
class NonLocalMeans:
    """Average pixels whose surroundings look alike (Buades, Coll, Morel, CVPR 2005).

    `strength` is the filter parameter h in units of sigma. The real and imaginary part of a
    complex image share one set of weights. Patches of `patch` pixels are compared up to `distance`
    pixels away; the expected distance of two patches of pure noise is subtracted.
    """

    strength: float = 0.8
    patch: int = 5
    distance: int = 6

    method = "nlm"
    stage = None

    def __post_init__(self) -> None:
        if not 0 < self.strength < np.inf:
            raise ValueError(f"strength is {self.strength}, expected a positive number")

    def __call__(self, image: Array, sigma: Array | float) -> Array:
        """Denoise `(..., y, x)` with noise `sigma` per real component: a number or a map.

        Raises:
            ValueError: if sigma is not positive and finite, or does not fit the image.
        """
        noisy = noisy_images(image, sigma)
        clean = np.stack([self._denoise(one) for one in noisy.images]).reshape(noisy.sigma.shape)
        return like(clean * noisy.sigma, image, image.dtype)

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
