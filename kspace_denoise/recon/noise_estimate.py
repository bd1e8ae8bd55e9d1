"""The noise of a scan from its own k-space, where no noise scan exists: found safely or not at all.

First the air around the object in the coil images, where the profile and the spectrum of the noise
show as well, then the outermost samples of k-space. Either must pass the checks for thermal noise.
Signal, ringing, ghosts or interference give a `NoiseNotFound` that says so, never a number.
"""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.special import gammaincinv

from kspace_denoise.arrays import Array, like, namespace, to_numpy
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.recon.noise_air import AirNoise, air_noise
from kspace_denoise.recon.noise_background import equal_coils
from kspace_denoise.recon.noise_not_found import NoiseNotFound
from kspace_denoise.recon.noise_outer import outer_noise
from kspace_denoise.recon.sense_operator import sampling_mask

Map: TypeAlias = np.ndarray[Any, Any]

_EMPTY_LINE = 0.01  # a line below this fraction of the median line's power was not acquired


class NoiseEstimate(NamedTuple):
    """The noise found in a scan.

    `covariance` is Psi[i, j] = E[n_i conj(n_j)] of an acquired sample, complex128 `(coils, coils)`.
    With 95 % probability the true sigma, over all coils, lies between `interval[0]` and
    `interval[1]` times the estimate: the sampling error of the independent samples, and what near
    and far samples differ by. `samples_used` counts the positions.

    `profile` is what a receiver filter leaves: the noise's standard deviation over the image,
    relative to its root mean square, `(y, 1)` or `(1, x)`. `spectrum` is what unequal averaging or
    a taper leaves: the noise's power over k-space `(ky, kx)`, its mean 1 over the acquired samples
    and 0 elsewhere. Both are float32, and None where the noise is flat. `used` says where the noise
    was found.
    """

    covariance: Array
    interval: tuple[float, float]
    samples_used: int
    profile: Array | None
    spectrum: Array | None
    used: str

    @property
    def sigma(self) -> float:
        """Return the level per real component, root mean square over the coils."""
        diagonal = np.diag(to_numpy(self.covariance)).real
        return float(np.sqrt(np.mean(diagonal) / 2))


def estimate_noise(
    kspace: Array, mask: Array | None = None, readout_axis: int | None = None
) -> NoiseEstimate:
    """Estimate the noise of k-space `(..., coils, ky, kx)` from that k-space alone.

    All slices and repetitions count as one scan. Samples where the mask is 0, that are exactly
    zero in all coils, or that lie on a line of next to no power were not acquired. `readout_axis`
    is -1, -2, or None if there is none or it is unknown: only along a known readout does the noise
    get a profile. In the air the level is right to a few per cent even where a filter, a taper or
    zero-filling shape it. At the edge of k-space, which serves undersampled scans and images
    without air, the noise must not vary over k-space; its profile is rougher there.

    Raises:
        NoiseNotFound: if no region can be shown to hold only noise; the message says why. Then
            measure the noise with a noise scan.
        TypeError: if the k-space is not complex.
        ValueError: if the k-space is malformed or holds NaN, or the mask does not fit.
    """
    check_kspace(kspace)
    if readout_axis not in (None, -1, -2):
        raise ValueError(f"readout_axis is {readout_axis}, expected -1, -2 or None")
    xp = namespace(kspace)
    mask = sampling_mask(mask, kspace)
    if mask is not None:
        kspace = kspace * xp.expand_dims(xp.broadcast_to(mask, _without_coils(kspace)), axis=-3)
    slices = xp.reshape(kspace, (-1, *kspace.shape[-3:]))
    sampled = _sampled_positions(slices)
    air: AirNoise | str = "undersampled, so its images alias"
    if _is_full(sampled):
        used = sampled.any(axis=(1, 2))
        air = air_noise(to_numpy(slices)[used], np.any(sampled, axis=0), readout_axis)
    if not isinstance(air, str):
        return _from_air(air, kspace)
    outer = outer_noise(slices, sampled, readout_axis)
    if isinstance(outer, str):
        raise NoiseNotFound(f"the air around the object: {air}; the outer k-space: {outer}")
    # Signal that falls off towards the edge leaves about as much as the last band lost.
    doubt = 1.5 * abs(outer.fall)
    interval = _interval(outer.samples * equal_coils(to_numpy(outer.covariance)), doubt)
    place = f"the outermost {outer.positions} samples of k-space"
    profile = _returned(outer.profile, kspace)
    return NoiseEstimate(outer.covariance, interval, outer.positions, profile, None, place)


def _from_air(air: AirNoise, kspace: Array) -> NoiseEstimate:
    return NoiseEstimate(
        like(air.covariance, kspace),
        _interval(air.samples, air.doubt),
        air.positions,
        _returned(air.profile, kspace),
        _returned(air.spectrum, kspace),
        f"{air.positions} pixels of air around the object",
    )


def _returned(relative: Map | None, kspace: Array) -> Array | None:
    flat = relative is None or np.ptp(relative) == 0
    return None if flat else like(np.asarray(relative, np.float32), kspace)


def _interval(samples: float, doubt: float) -> tuple[float, float]:
    """Return the 95 % interval of sigma, relative: chi-squared, widened by a relative doubt."""
    freedom = 2 * samples
    low, high = (math.sqrt(freedom / (2 * gammaincinv(freedom / 2, p))) for p in (0.975, 0.025))
    return 1 - math.hypot(1 - low, doubt), 1 + math.hypot(high - 1, doubt)


def _sampled_positions(slices: Array) -> Map:
    """Return where `(slices, ky, kx)` something was acquired."""
    xp = namespace(slices)
    power = to_numpy(xp.sum(xp.abs(slices) ** 2, axis=1, dtype=xp.float64))
    sampled: Map = to_numpy(xp.any(slices != 0, axis=1))
    if not sampled.any():
        raise NoiseNotFound("it is zero everywhere")
    sampled = np.array(sampled)
    for axis in (1, 2):
        line = power.sum(axis=(0, axis)) / np.maximum(1, sampled.sum(axis=(0, axis)))
        empty = line < _EMPTY_LINE * np.median(line[sampled.any(axis=(0, axis))])
        sampled &= ~np.expand_dims(empty, axis=(0, axis))
    return sampled


def _is_full(sampled: Map) -> bool:
    """Tell whether every acquired slice is sampled without gaps, its edges apart.

    Partial Fourier, zero-filled margins and an elliptical shutter leave no gap.
    """
    places = [one for one in sampled if one.any()]
    if any(np.any(one != places[0]) for one in places):
        return False
    rows, columns = (np.flatnonzero(places[0].any(axis=axis)) for axis in (1, 0))
    inside = places[0][rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    whole = inside.any(axis=1).all() and inside.any(axis=0).all()
    return bool(whole and inside.mean() > 0.75)


def _without_coils(kspace: Array) -> tuple[int, ...]:
    return (*kspace.shape[:-3], *kspace.shape[-2:])
