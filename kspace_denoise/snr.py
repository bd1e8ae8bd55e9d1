"""The signal-to-noise ratio of a scan, as one number."""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.ndimage import gaussian_filter

from kspace_denoise import recon
from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import ifft2c
from kspace_denoise.metrics import object_mask
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.stages import KnownNoise, coil_sigma, spread_slices

Progress: TypeAlias = Callable[[Iterable[int]], Iterable[int]]

_MAPS, _LOCAL, _EDGE = 3.0, 2.0, 1.0  # pixels: coil images, mean magnitudes, the object's edge


class _Measured(NamedTuple):
    """Maps `(y, x)` of a slice: magnitude in SNR units, and sigma."""

    magnitude: Numpy
    sigma: Numpy


def scan_snr(
    scan: Scan, noise: KnownNoise, noise_free: bool = False, progress: Progress = iter
) -> float:
    """Return the mean magnitude over the object divided by the median sigma there.

    Both are those of the SENSE image of fully sampled k-space. Its coil maps are here the coil
    images smoothed, each pixel left out of its own map, so that noise does not count as signal.
    The noise floor of the magnitude is taken off its local means by the exact inverse of
    `recon.inverse_vst`. `noise_free`: the k-space holds no noise yet, and the SNR is that with
    `noise` added. Of many slices a few, evenly spread, are measured, one in memory at a time; blank
    ones are left out. `progress` wraps their numbers.

    On phantoms of 192 x 192 the result is up to 1 % above the truth from an SNR of 10 on, 2 % at 5,
    4 % at 3, 8 % at 2, 13 % at 1 and 14 % at 0.5, where the edge of the object drowns.

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
    magnitude, sigma = (np.stack(part) for part in zip(*measured, strict=True))
    level = magnitude if noise_free else _without_floor(magnitude, np.ones_like(magnitude), _EDGE)
    inside = object_mask(level) & (sigma > 0)
    if not noise_free:
        magnitude = _without_floor(magnitude, inside, _LOCAL)
    return float(np.mean((magnitude * sigma)[inside]) / np.median(sigma[inside]))


def _measure(kspace: Numpy, noise: KnownNoise, noise_free: bool) -> _Measured:
    coils = len(kspace)
    held = 0.0 if noise_free else 1.0
    white = recon.whiten(kspace, noise.covariance)
    uneven = to_numpy(coil_sigma(white, noise)) ** 2
    raw_images, images = ifft2c(kspace), ifft2c(white)
    raw_maps, maps = (
        gaussian_filter(x, (0, _MAPS, _MAPS), mode="wrap") for x in (raw_images, images)
    )
    left = held * uneven / (4 * math.pi * _MAPS**2)  # of the noise's power, after smoothing
    raw_power, power = (
        _smooth(_power(x) - floor * left)
        for x, floor in ((raw_maps, np.trace(noise.covariance).real), (maps, 2.0 * coils))
    )
    variance = uneven * _ratio(raw_power, power)
    others = maps - images / (2 * math.pi * _MAPS**2)
    combined = np.abs(np.sum(others.conj() * images, axis=0))
    magnitude = _ratio(combined, np.sqrt(_power(others) * uneven))
    return _Measured(magnitude, np.sqrt(variance))


def _without_floor(magnitude: Numpy, inside: Numpy, pixels: float) -> Numpy:
    """Return the amplitude behind the local mean of a magnitude, over what is inside."""
    weight = inside.astype(np.float64)
    mean = _ratio(*(gaussian_filter(x, (0, pixels, pixels)) for x in (weight * magnitude, weight)))
    return np.asarray(recon.inverse_vst(mean, 1.0, form="identity"))


def _power(images: Numpy) -> Numpy:
    return np.asarray(np.sum(np.abs(images) ** 2, axis=0, dtype=np.float64))


def _smooth(values: Numpy) -> Numpy:
    return np.asarray(np.maximum(gaussian_filter(values, _MAPS, mode="wrap"), 0))


def _ratio(above: Numpy, below: Numpy) -> Numpy:
    """Divide; 0 where there is nothing to divide by."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
