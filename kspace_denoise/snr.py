"""The signal-to-noise ratio of a scan, as one number."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np
from scipy.ndimage import gaussian_filter

from kspace_denoise import recon
from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import ifft2c
from kspace_denoise.metrics import object_mask
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.stages import KnownNoise, coil_sigma, spread_slices

Progress: TypeAlias = Callable[[Iterable[int]], Iterable[int]]

_SMOOTHING = 2.0  # pixels: coil maps, and with them sigma, vary more slowly


def scan_snr(
    scan: Scan, noise: KnownNoise, noise_free: bool = False, progress: Progress = iter
) -> float:
    """Return the mean magnitude over the object divided by the median sigma there.

    Both are those of the SENSE image of fully sampled k-space, without its coil maps: with coil
    images x of noise Ψ, magnitude m = |x| and SNR |Ψ^(-1/2) x|·√2 over the coils, whence sigma is
    their ratio, smoothed. The power of the noise in them is taken off. `noise_free`: x holds no
    noise yet, and the SNR is that with `noise` added. Of many slices a few, evenly spread, are
    measured, one in memory at a time; blank ones are left out. `progress` wraps their numbers.

    Raises:
        ValueError: if the scan is undersampled, has a trajectory, or shows no object.
    """
    if scan.trajectory is not None or (scan.mask is not None and not scan.mask.all()):
        raise ValueError("the SNR of a scan is measured in fully sampled Cartesian k-space only")
    measured = []
    for index in progress(spread_slices(len(scan.kspace))):
        kspace = scan.kspace[index]
        if kspace.any():
            measured.append(_measure(kspace, noise, noise_free))
    if not measured:
        raise ValueError("every slice that was looked at is blank: there is no SNR to measure")
    magnitude, sigma, relative = (np.stack(part) for part in zip(*measured, strict=True))
    inside = object_mask(relative) & (sigma > 0)
    return float(np.mean(magnitude[inside]) / np.median(sigma[inside]))


def _measure(kspace: Numpy, noise: KnownNoise, noise_free: bool) -> tuple[Numpy, Numpy, Numpy]:
    """Return the magnitude `(y, x)` of a slice, its sigma, and its magnitude in SNR units."""
    white = recon.whiten(kspace, noise.covariance)
    uneven = to_numpy(coil_sigma(white, noise)) ** 2
    raw, whitened = (np.sum(np.abs(ifft2c(k)) ** 2, axis=0) for k in (kspace, white))
    if not noise_free:
        raw = raw - np.trace(noise.covariance).real * uneven
        whitened = whitened - 2 * len(kspace) * uneven
    smooth_raw, smooth_white = (
        np.maximum(gaussian_filter(power, _SMOOTHING), 0) for power in (raw, whitened)
    )
    seen = smooth_white > 0
    variance = uneven * np.divide(smooth_raw, smooth_white, out=np.zeros_like(raw), where=seen)
    # Of the noise's power one component lies along the signal and does not raise its magnitude.
    power = raw if noise_free else raw + variance
    level = np.sqrt(np.divide(np.maximum(whitened, 0), uneven, where=uneven > 0, out=0 * raw))
    return np.sqrt(np.maximum(power, 0)), np.sqrt(variance), level
