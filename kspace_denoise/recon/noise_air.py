"""Noise in the air around the object: its covariance, its profile and its spectrum."""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.fourier import ifft2c
from kspace_denoise.recon.noise_air_evidence import SAMPLES_PER_COIL, find_fault
from kspace_denoise.recon.noise_background import (
    Background,
    agreeing_pixels,
    find_background,
    samples_of,
)
from kspace_denoise.recon.noise_not_found import NoiseNotFound
from kspace_denoise.recon.noise_shape import (
    FLAT_PROFILE,
    Spectrum,
    smoothing_width,
    spectrum_of,
)

Map: TypeAlias = np.ndarray[Any, Any]

_MORE_AIR = 1.25  # times the air along another axis: that is the one the noise varies along
_LEAST_AIR = 0.1  # of the image, to tell an axis by
_RINGING = 1.2  # times the power without a window: ringing is what the window removed
_UNSEEN = 0.005  # of the level: what signal too faint for every check may add
_FLAT_SPECTRUM = 0.20  # rms variation below which noise counts as flat over k-space


class AirNoise(NamedTuple):
    """Noise found in air: see `NoiseEstimate`. `doubt` is the relative error besides sampling."""

    covariance: Map
    positions: int
    samples: float
    doubt: float
    profile: Map | None
    spectrum: Map


def air_noise(kspace: Map, acquired: Map, readout_axis: int | None) -> AirNoise | str:
    """Measure the noise in the air of `(slices, coils, ky, kx)` images, or say what is wrong.

    `acquired` is bool `(ky, kx)`. The images are apodised, so that ringing dies off within pixels.

    Raises:
        NoiseNotFound: if the noise varies along another axis than the readout: then the edge of
            k-space, which shows no profile, would mislead.
    """
    window = _apodisation(acquired)
    passed = window**2  # the noise power that each sample passes on to the images
    images = ifft2c(kspace * window.astype(np.float32))
    other = _better_axis(images, passed, readout_axis)
    if other is not None:
        raise NoiseNotFound(
            f"it varies along axis {other} of the image, as behind a receiver filter, but "
            f"readout_axis is {readout_axis}; give readout_axis={other} if that is the readout"
        )
    air = find_background(images, passed, readout_axis)
    if air is None or air.samples < SAMPLES_PER_COIL * images.shape[1]:
        return "there is next to none"
    fault = find_fault(images, air)
    if fault is not None:
        return fault
    found = _measured(air, passed)
    ringing = _ringing(kspace * acquired, air, found)
    if ringing > _RINGING:
        return f"its power is {ringing:.1f} times what noise explains: ringing of the object"
    return found


def _apodisation(acquired: Map) -> Map:
    """Return a window over the acquired part of k-space, flat but for an eighth at its ends.

    Without it the object would ring from wherever the data end (Tukey's window).
    """
    window: Map = np.zeros(acquired.shape)
    ends, lines = [], []
    for axis in (1, 0):
        seen = np.flatnonzero(acquired.any(axis=axis))
        ends.append(slice(seen[0], seen[-1] + 1))
        size = seen[-1] + 1 - seen[0]
        depth = np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1)) / (size / 8)
        lines.append(np.sin(np.pi / 2 * np.minimum(depth, 1)) ** 2)
    window[tuple(ends)] = np.outer(*lines)
    return window * acquired


def _better_axis(images: Map, passed: Map, readout_axis: int | None) -> int | None:
    """Return an axis that as readout shows far more air in the middle slice, or None.

    Where the noise is not flat, pixels that agree with the darkest are only part of the air.
    """
    middle = images[len(images) // 2, None]

    def air(axis: int | None) -> float:
        found = agreeing_pixels(middle, passed, axis)
        return 0.0 if found is None else float(found[0].mean())

    others = {axis: air(axis) for axis in (-1, -2) if axis != readout_axis}
    best = max(others, key=lambda axis: others[axis])
    clear = others[best] > max(_LEAST_AIR, _MORE_AIR * air(readout_axis))
    return best if clear else None


def _measured(air: Background, passed: Map) -> AirNoise:
    """Turn the covariance in the apodised images into that of an acquired sample."""
    spectra = [spectrum_of(air.colour, axis, passed) for axis in (-2, -1)]
    smooth = min(one.smooth_share for one in spectra)
    spectrum = _spectrum(spectra, passed > 0)
    return AirNoise(
        air.covariance * (smooth / np.mean(spectrum * passed)),
        int(air.pixels.sum()),
        air.samples,
        math.hypot(_UNSEEN, max(air.rise, 0.0) / 2, (1 - smooth) / 2),
        air.profile if _is_uneven(air) else None,
        spectrum,
    )


def _spectrum(spectra: list[Spectrum], acquired: Map) -> Map:
    """Return the noise power over k-space, mean 1 over the acquired samples and 0 elsewhere."""
    spectrum = acquired.astype(float)
    for axis, one in zip((-2, -1), spectra, strict=True):
        if one.variation > _FLAT_SPECTRUM:
            spectrum = spectrum * np.expand_dims(one.power, axis=-3 - axis)
    return np.asarray(spectrum / spectrum[acquired].mean())


def _is_uneven(air: Background) -> bool:
    """Tell whether the profile varies by more than a tolerance and twice its sampling error."""
    lines = air.profile.size
    chance = lines / (4 * air.samples * smoothing_width(lines))
    return bool(np.var(air.profile) > FLAT_PROFILE**2 + 4 * chance)


def _ringing(kspace: Map, air: Background, found: AirNoise) -> float:
    """Return the power in the air of images without a window, over that of the noise found."""
    samples = samples_of(ifft2c(kspace) / air.profile, air.pixels)
    expected = np.trace(found.covariance).real * found.spectrum.mean()
    return float(np.sum(np.abs(samples) ** 2) / samples.shape[1] / expected)
