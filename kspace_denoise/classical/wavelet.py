"""Wavelet shrinkage with PyWavelets, at every shift, on complex images and with a noise map."""

import dataclasses

import numpy as np
import pywt

from kspace_denoise.classical.one_by_one import OneByOne
from kspace_denoise.recon.wavelet import orthogonal_filters
from kspace_denoise.stages import Numpy

_COARSEST = 8  # coarsest coefficients along the shorter side at least
_LEVELS = 4
_MARGIN = 16  # pixels of the mirrored image around it


@dataclasses.dataclass(frozen=True)
class Wavelet(OneByOne):
    """Shrink wavelet coefficients towards zero (BayesShrink: Chang, Yu, Vetterli, TIP 2000).

    In each band the threshold is `strength` σ² / σ_x, where σ_x² is what the power of the band
    holds above the noise, so that bands of noise alone vanish. The transform is the stationary one:
    the mean over all shifts of the image ("cycle spinning": Coifman, Donoho, 1995), without the
    blocks that a single shift leaves.

    With `phase_width` 0 a complex coefficient is shrunk by its magnitude, and σ² and σ_x² are the
    powers of both components together.

    Raises:
        ValueError: also if there is no such orthogonal wavelet.
    """

    wavelet: str = "db2"

    method = "wavelet"

    def __post_init__(self) -> None:
        super().__post_init__()
        orthogonal_filters(self.wavelet)  # refuses what is none

    def _denoise(self, image: Numpy) -> Numpy:
        """Blank pixels, which are 0, hold no noise."""
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
