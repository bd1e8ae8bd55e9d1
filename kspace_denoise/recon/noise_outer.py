"""Noise in the outermost samples of k-space, for scans whose images show no air.

The outermost samples hold little signal. They are taken for noise only after evidence that they
are: see `noise_evidence`.
"""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.arrays import Array, like, namespace, to_numpy
from kspace_denoise.fourier import ifft2c
from kspace_denoise.recon.noise import combine_coils, whitening_matrix
from kspace_denoise.recon.noise_evidence import (
    effective_samples,
    find_fault,
    level_fall,
    moments,
)
from kspace_denoise.recon.noise_shape import (
    FLAT_PROFILE,
    smooth_lines,
    smoothing_width,
    unit_rms,
)

Map: TypeAlias = np.ndarray[Any, Any]

_FRACTIONS = (0.2, 0.1, 0.05)  # of the samples, the outermost; the first that is noise serves
_SAMPLES_PER_COIL = 10
_PROFILE_LINES = 0.2  # of the phase-encoding lines, the outermost


class OuterNoise(NamedTuple):
    """The covariance of the outermost samples, how many they are, and how many independent.

    `fall` is the change of the level from the next band inwards, relative; `profile` the standard
    deviation of the noise along the readout of the image, root mean square 1, None where flat.
    """

    covariance: Array
    positions: int
    samples: float
    fall: float
    profile: Map | None


def outer_noise(slices: Array, sampled: Map, readout_axis: int | None) -> OuterNoise | str:
    """Measure the noise of k-space `(slices, coils, ky, kx)` at its edge, or say what is wrong.

    `sampled` is bool `(slices, ky, kx)`.
    """
    radius = _radius(sampled)
    whitening = _whitening(slices, _outermost(sampled, radius, 0.0, _FRACTIONS[0]))
    if isinstance(whitening, str):
        return whitening
    evidence = moments(slices, whitening)
    faults = []
    for fraction in _FRACTIONS:
        region = _outermost(sampled, radius, 0.0, fraction)
        inner = _outermost(sampled, radius, fraction, 2 * fraction)
        fault = find_fault(evidence, region, inner, readout_axis)
        if fault is None:
            covariance = _region_covariance(slices, region)
            samples = effective_samples(evidence, region) / evidence.coils
            return OuterNoise(
                covariance,
                int(region.sum()),
                samples,
                level_fall(evidence, region, inner),
                _profile(slices, sampled, whitening, readout_axis),
            )
        faults.append(fault)
    return faults[0]


def _profile(slices: Array, sampled: Map, whitening: Array, readout_axis: int | None) -> Map | None:
    """Return the profile that the outermost phase-encoding lines show along the readout.

    Transformed along the readout they hold the noise of every position of it. None without a known
    readout that was sampled in full, and where the profile does not stand out from chance.
    """
    if readout_axis is None:
        return None
    whole = sampled.all(axis=3 + readout_axis)  # slices, lines
    lines = np.flatnonzero(whole.any(axis=0))
    if lines.size == 0:
        return None
    offset = np.abs(lines - whole.shape[1] // 2)
    outer = lines[offset >= np.quantile(offset, 1 - _PROFILE_LINES)]
    white = to_numpy(combine_coils(whitening, slices))
    white = np.take(white, outer, axis=-1 if readout_axis == -2 else -2)
    power = np.abs(ifft2c(white, axes=(readout_axis,))) ** 2 / 2
    across = -1 if readout_axis == -2 else -2
    square = smooth_lines(power.mean(axis=(0, 1, 4 + across), keepdims=True)[0, 0], readout_axis)
    profile = unit_rms(np.sqrt(square))
    samples = power.size / profile.size * smoothing_width(profile.size)
    return profile if np.var(profile) > FLAT_PROFILE**2 + 4 / (4 * samples) else None


def _radius(sampled: Map) -> Map:
    """Return the radius `(ky, kx)`, 1 at the ends of both axes of the sampled part."""
    squared = np.zeros(sampled.shape[1:])
    for axis in (0, 1):
        size = squared.shape[axis]
        position = np.abs(np.arange(size) - size // 2)
        extent = position[sampled.any(axis=(0, 2 - axis))].max(initial=1)
        squared += np.expand_dims((position / extent) ** 2, axis=1 - axis)
    radius: Map = np.sqrt(squared)
    return radius


def _outermost(sampled: Map, radius: Map, start: float, stop: float) -> Map:
    """Return the sampled positions between two fractions, counted from the outermost."""
    ranks = np.quantile(np.broadcast_to(radius, sampled.shape)[sampled], [1 - stop, 1 - start])
    within: Map = radius >= ranks[0]
    if start > 0:
        within = within & (radius < ranks[1])
    return np.logical_and(sampled, within)


def _region_covariance(slices: Array, region: Map) -> Array:
    """Return the covariance of the region, slice by slice, in complex128."""
    xp = namespace(slices)
    coils = slices.shape[1]
    total = xp.zeros((coils, coils), dtype=xp.complex128, device=slices.device)
    for i in range(slices.shape[0]):
        selected = xp.astype(slices[i, ...], xp.complex128) * like(region[i], slices, xp.complex128)
        samples = xp.reshape(selected, (coils, -1))
        total = total + samples @ xp.conj(xp.matrix_transpose(samples))
    return total / int(region.sum())


def _whitening(slices: Array, region: Map) -> Array | str:
    """Return the whitening matrix of a region, or what is wrong with its samples."""
    coils = slices.shape[1]
    if region.sum() < _SAMPLES_PER_COIL * coils:
        return f"{int(region.sum())} outer samples are too few for {coils} coils"
    covariance = _region_covariance(slices, region)
    level = math.sqrt(np.trace(to_numpy(covariance)).real / coils)
    xp = namespace(slices)
    if level < np.finfo(np.float32).eps * float(xp.max(xp.abs(slices))):
        return "the outer samples are rounding errors, not noise"
    try:
        return whitening_matrix(covariance)
    except ValueError as error:
        return f"the outer samples are not noise of {coils} coils: {error}"
