"""Wavelet shrinkage with PyWavelets, at every shift, on complex images and with a noise map."""

import dataclasses

import numpy as np
import pywt

from kspace_denoise.arrays import Array, like
from kspace_denoise.classical.parts import check_phase_width, denoise_each
from kspace_denoise.recon.wavelet import orthogonal_filters
from kspace_denoise.sigma import noisy_images
from kspace_denoise.stages import Numpy

_COARSEST = 8  # coarsest coefficients along the shorter side at least
_LEVELS = 4
_MARGIN = 16  # pixels of the mirrored image around it


@dataclasses.dataclass(frozen=True)
class Wavelet:
    """Shrink wavelet coefficients towards zero (BayesShrink: Chang, Yu, Vetterli, TIP 2000).

    In each band the threshold is `strength` σ² / σ_x, where σ_x² is what the power of the band
    holds above the noise, so that bands of noise alone vanish. The transform is the stationary one:
    the mean over all shifts of the image ("cycle spinning": Coifman, Donoho, 1995), without the
    blocks that a single shift leaves.

    The phase of a complex image, smoothed by a Gaussian of `phase_width` pixels, is taken off, real
    and imaginary part are shrunk apart, and the phase is put back. With 0 it stays on: a complex
    coefficient is shrunk by its magnitude, and σ² and σ_x² are the powers of both components
    together.

    Raises:
        ValueError: if the strength is not positive, the width negative, or there is no such
            orthogonal wavelet.
    """

    strength: float = 1.0
    wavelet: str = "db2"
    phase_width: float = 4.0

    method = "wavelet"
    stage = None

    def __post_init__(self) -> None:
        if not 0 < self.strength < np.inf:
            raise ValueError(f"strength is {self.strength}, expected a positive number")
        orthogonal_filters(self.wavelet)  # refuses what is none
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
        """Denoise one image (y, x) in SNR units; blank pixels, which are 0, hold no noise."""
        share = float(np.mean(image != 0))
        levels = max(1, min(_LEVELS, int(np.log2(min(image.shape) / _COARSEST))))
        padding = [(_MARGIN, _MARGIN + -(n + 2 * _MARGIN) % 2**levels) for n in image.shape]
        padded = np.pad(image, padding, mode="symmetric")  # the transform is periodic
        coarse, *details = pywt.swt2(padded, self.wavelet, levels, norm=True, trim_approx=True)
        shrunk = [
            tuple(self._shrink(band, 0.5 ** (levels - index), share) for band in bands)
            for index, bands in enumerate(details)
        ]
        clean: Numpy = pywt.iswt2([coarse, *shrunk], self.wavelet, norm=True)
        return clean[_MARGIN : _MARGIN + image.shape[0], _MARGIN : _MARGIN + image.shape[1]]

    def _shrink(self, band: Numpy, sigma: float, share: float) -> Numpy:
        """Shrink a band whose noise is `sigma` per real component, in a share of it."""
        if share == 0:
            return band
        magnitude = np.abs(band)
        noise = sigma**2 * (2 if np.iscomplexobj(band) else 1)
        power = float(np.mean(magnitude**2, dtype=np.float64)) / share
        signal = np.sqrt(max(power - noise, 0.0))
        threshold = self.strength * noise / signal if signal > 0 else np.inf
        kept = np.maximum(1 - threshold / np.where(magnitude > 0, magnitude, 1.0), 0.0)
        return np.asarray(kept * band)
