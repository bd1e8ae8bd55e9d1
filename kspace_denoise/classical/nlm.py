"""Non-local means from scikit-image, on complex images and with a noise map."""

import dataclasses

import numpy as np
from skimage.restoration import denoise_nl_means

from kspace_denoise.classical.one_by_one import OneByOne
from kspace_denoise.stages import Numpy


@dataclasses.dataclass(frozen=True)
class NonLocalMeans(OneByOne):
    """Average pixels whose surroundings look alike (Buades, Coll, Morel, CVPR 2005).

    `strength` is the filter parameter h in units of sigma. Patches of `patch` pixels are compared
    up to `distance` pixels away; the expected distance of two patches of pure noise is subtracted.
    With `phase_width` 0 both parts of a complex image share one set of weights.
    """

    strength: float = 0.8
    patch: int = 5
    distance: int = 6

    method = "nlm"

    def _denoise(self, image: Numpy) -> Numpy:
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
