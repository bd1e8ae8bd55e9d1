"""BM3D on real and complex images, with noise of any spectrum and a noise map."""

import dataclasses
import math

import torch
from torch import Tensor

from kspace_denoise.arrays import Array, like, to_torch
from kspace_denoise.classical.bm3d.checks import check_size, check_spectrum, level_beside
from kspace_denoise.classical.bm3d.hard import hard_threshold
from kspace_denoise.classical.bm3d.profile import Profile
from kspace_denoise.classical.bm3d.wiener import wiener_filter
from kspace_denoise.classical.parts import denoise_apart, to_image, to_parts
from kspace_denoise.phase import smooth_phase
from kspace_denoise.sigma import check_image

_AT_ONCE = {"cpu": 2**25, "cuda": 2**28}
"""Coefficients of all blocks of the images that are filtered together; at least one image is."""


@dataclasses.dataclass(frozen=True, eq=False)
class BM3D:
    """Filter similar blocks together, by thresholding and then by a Wiener filter.

    Dabov, Foi, Katkovnik, Egiazarian, IEEE TIP 16:2080, 2007; coloured noise with the exact
    variances of Mäkinen, Azzari, Foi, IEEE TIP 29:8339, 2020. The real and imaginary part of a
    complex image share their matches; its smooth phase is estimated from a first estimate and
    taken off, the parts filtered one by one, and the phase put back.

    Attributes:
        strength: the noise that is assumed, over the noise that is told.
        profile: sizes, thresholds and limits.
        spectrum: power of the noise over k-space, `(ky, kx)` or broadcastable to it, DC at index
            n // 2, relative to sigma² so that its mean over all positions is 1; None is white.
            That of a real image is symmetric about DC. Of a complex image the symmetric part
            counts.

    Raises:
        ValueError: if the strength is not positive.
    """

    strength: float = 1.0
    profile: Profile = dataclasses.field(default_factory=Profile)
    spectrum: Array | None = None

    method = "bm3d"
    stage = None

    def __post_init__(self) -> None:
        if not 0 < self.strength < math.inf:
            raise ValueError(f"strength is {self.strength}, expected a number above 0, 1 as a rule")

    def __call__(self, image: Array, sigma: Array | float) -> Array:
        """Denoise `(..., y, x)` with noise `sigma` per real component: a number or a map.

        Computed where the image lives. Where a noise map is 0 the result is 0.

        Raises:
            TypeError: if the image is neither real floating nor complex.
            ValueError: if it is smaller than a block or not finite, or sigma or the spectrum does
                not fit it.
        """
        check_image(image)
        check_size(image.shape, self.profile.block)
        noisy = to_torch(image)
        if noisy.dtype not in (torch.float64, torch.complex128):
            noisy = noisy.to(torch.complex64 if noisy.is_complex() else torch.float32)
        level = level_beside(noisy, sigma) * self.strength
        spectrum = check_spectrum(self.spectrum, noisy)
        inverse = torch.where(level > 0, 1 / level, 0.0)
        images = (noisy * inverse).reshape(-1, *noisy.shape[-2:])
        per_image = images[0].numel() * (2 if noisy.is_complex() else 1) * self.profile.block**2
        together = max(1, _AT_ONCE.get(noisy.device.type, 2**25) // per_image)
        clean = [self._denoise(some, spectrum) for some in torch.split(images, together)]
        result = torch.cat(clean).view(noisy.shape) * level
        return like(result.to(to_torch(image).dtype), image)

    def _denoise(self, images: Tensor, spectrum: Tensor | None) -> Tensor:
        """Denoise images `(images, y, x)` in SNR units."""
        if not images.is_complex():
            return self._two_stages(images.unsqueeze(1), spectrum).squeeze(1)
        first = hard_threshold(to_parts(images), spectrum, self.profile, joint=True)
        phase = smooth_phase(to_image(first), self.profile.phase_width)
        return denoise_apart(images, phase, lambda parts: self._two_stages(parts, spectrum))

    def _two_stages(self, parts: Tensor, spectrum: Tensor | None) -> Tensor:
        pilot = hard_threshold(parts, spectrum, self.profile)
        return wiener_filter(parts, pilot, spectrum, self.profile)
