"""Evidence that the air around the object holds thermal noise of one level, and nothing else.

The tolerances are choices for a sigma that is right to a few per cent; the errors that they are
compared with follow from the number of independent samples.
"""

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from kspace_denoise.recon.noise import whitening_matrix
from kspace_denoise.recon.noise_background import LARGEST_PEAK, Background, samples_of

Map: TypeAlias = np.ndarray[Any, Any]

SAMPLES_PER_COIL = 20
_LEAST_SHARE = 0.1  # of the air of the slice that has most
_RISE = 0.05  # of the level towards the object
_HALVES = 0.20  # of the level between two halves of the air
_BANDS, _UNLIKE = 8, 0.10  # variation of the level over bands of lines
_UNEVEN = 0.12  # squared variation of local power, seen in the kurtosis 2 (1 + v)
_SYMMETRY = 0.2  # |E[n n]| / E|n|²; thermal noise has none
_EXCESS = 8.0  # correlated samples that are worth a single one


def find_fault(images: Map, air: Background) -> str | None:
    """Return what speaks against circular Gaussian noise of one level, or None."""
    level = math.sqrt(np.trace(air.covariance).real / len(air.covariance))
    if level < 4 * np.finfo(np.float32).eps * np.abs(images).max():
        return "it holds rounding errors, not noise"
    shares = air.pixels.mean(axis=(1, 2))
    if shares.min() < _LEAST_SHARE * shares.max():
        return (
            f"slice {int(shares.argmin())} has next to none at the level of the other slices: they "
            "differ in noise, or the object fills it"
        )
    if air.rise - 2 * air.rise_error > _RISE:
        return f"its level still rises by {air.rise:.0%} towards the object: ghosts or ringing"
    if air.colour.excess > _EXCESS:
        return (
            f"neighbours are so alike that {air.colour.excess:.0f} pixels tell no more than one: "
            "interpolated or smoothed images, or signal"
        )
    top = float(air.profile.max() / np.median(air.profile))
    if top > LARGEST_PEAK:
        return (
            f"its level peaks at {top:.1f} times its median along the readout: signal, or "
            "interference at some frequencies"
        )
    try:
        whitening = whitening_matrix(air.covariance)
    except ValueError as error:
        return f"it is not the noise of {len(air.covariance)} coils: {error}"
    white = whitening @ samples_of(images / air.profile, air.pixels) / math.sqrt(2)
    return _not_gaussian(white, air.samples) or _uneven(white, air)


def _not_gaussian(white: Map, samples: float) -> str | None:
    """Check whitened samples `(coils, n)` for circularity and kurtosis."""
    circular = abs(np.mean(white**2))
    if circular > _SYMMETRY:
        return (
            f"its real and imaginary parts are correlated ({circular:.2f}), so the k-space was "
            "made from magnitude images"
        )
    power = np.abs(white) ** 2
    uneven = float(np.mean(power**2) / 2 - 1)
    error = math.sqrt(5 / samples)  # of half the fourth moment of unit circular noise
    if abs(uneven) > _UNEVEN + 2 * error:
        return (
            f"its kurtosis is {2 + 2 * uneven:.2f} where noise of one level has 2, so spikes, "
            "signal or a varying level are in it"
        )
    return None


def _uneven(white: Map, air: Background) -> str | None:
    """Check that all parts of the air have the same level."""
    power = np.zeros(air.pixels.shape)
    power[air.pixels] = np.mean(np.abs(white) ** 2, axis=0)
    error = math.sqrt(air.pixels.sum() / air.samples) / 2  # of the level of one pixel
    for name, parts in _parts(air.pixels):
        counts = np.array([part.sum() for part in parts])
        if counts.min() < 0.1 * counts.sum() / len(parts):
            continue
        levels = np.sqrt([power[part].mean() for part in parts])
        spread, chance = np.std(levels), error * math.sqrt(np.mean(1 / counts))
        limit = _HALVES / 2 if len(parts) == 2 else _UNLIKE
        if spread > limit + 2 * chance:
            return (
                f"its level varies by {spread:.0%} between {name}: interference, signal, or a "
                "receiver filter along a readout axis that is not known (readout_axis)"
            )
    return None


def _parts(pixels: Map) -> Iterator[tuple[str, list[Map]]]:
    """Yield partitions of the air that should not differ, with their names."""
    slices, ny, nx = pixels.shape
    index = np.arange(slices)[:, None, None]
    if slices > 1:
        yield "slices", [pixels & (index < slices / 2), pixels & (index >= slices / 2)]
    for name, size, axis in (("rows", ny, 1), ("columns", nx, 2)):
        position = np.expand_dims(np.arange(size), axis=(0, 3 - axis))
        bands = [position * _BANDS // size == band for band in range(_BANDS)]
        seen = [pixels & band for band in bands]
        yield f"bands of {name}", [part for part in seen if part.sum() > 50]
