"""The noise of a scan from its own k-space, where no noise scan exists: found safely or not at all.

The outermost samples of k-space hold little signal. They are taken for noise only after evidence
that they are: see `noise_evidence`. Signal up to the edge, a filter, unequal averaging or
interference give a `NoiseNotFound` that says so, never a number.
"""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.special import gammaincinv

from kspace_denoise.arrays import Array, like, namespace, to_numpy
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.recon.noise import whitening_matrix
from kspace_denoise.recon.noise_evidence import Moments, effective_samples, find_fault, moments
from kspace_denoise.recon.sense_operator import sampling_mask

Map: TypeAlias = np.ndarray[Any, Any]

_FRACTIONS = (0.2, 0.1, 0.05)  # of the samples, the outermost; the first that is noise serves
_EMPTY_LINE = 0.01  # a line below this fraction of the median line's power was not acquired
_SAMPLES_PER_COIL = 10


class NoiseNotFound(ValueError):  # noqa: N818 - the name is part of the public interface
    """No part of k-space could be shown to hold noise only."""


class NoiseEstimate(NamedTuple):
    """A noise covariance found in k-space.

    `covariance` is Psi[i, j] = E[n_i conj(n_j)], complex128 `(coils, coils)`. With 95 %
    probability the true sigma, over all coils, lies between `interval[0]` and `interval[1]` times
    the estimate: the sampling error of `samples_used` k-space positions, corrected for their
    correlation. Remaining signal and uneven noise, tolerated up to about 10 %, come on top.
    """

    covariance: Array
    interval: tuple[float, float]
    samples_used: int

    @property
    def sigma(self) -> float:
        """Return the level per real component, root mean square over the coils."""
        diagonal = np.diag(to_numpy(self.covariance)).real
        return float(np.sqrt(np.mean(diagonal) / 2))


def estimate_noise(
    kspace: Array, mask: Array | None = None, readout_axis: int | None = None
) -> NoiseEstimate:
    """Estimate the noise covariance from the outermost samples of k-space `(..., coils, ky, kx)`.

    All slices and repetitions count as one scan. Samples where the mask is 0, that are exactly
    zero in all coils, or that lie on a line of next to no power are left out. `readout_axis` is
    -1, -2, or None if there is none or it is unknown: along the readout the receiver filter
    correlates the noise, along a phase-encoding axis correlation means signal or processing.
    Where the filter falls off, the level is the mean over the field of view.

    Raises:
        NoiseNotFound: if no region can be shown to hold only noise of one level; the message says
            why. Then measure the noise with a noise scan.
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
    radius = _radius(sampled)
    first = _outermost(sampled, radius, 0.0, _FRACTIONS[0])
    evidence = moments(slices, _whitening(slices, first))
    faults = []
    for fraction in _FRACTIONS:
        region = _outermost(sampled, radius, 0.0, fraction)
        inner = _outermost(sampled, radius, fraction, 2 * fraction)
        fault = find_fault(evidence, region, inner, readout_axis)
        if fault is None:
            return _estimate(slices, region, evidence)
        faults.append(fault)
    raise _not_found(faults[0])


def _not_found(reason: str) -> NoiseNotFound:
    return NoiseNotFound(
        f"no noise-only region in k-space: {reason}. Measure the noise with a noise scan "
        "(--noise FILE), or give its covariance"
    )


def _estimate(slices: Array, region: Map, evidence: Moments) -> NoiseEstimate:
    """Return the covariance of the region with its interval (chi-squared)."""
    covariance = _region_covariance(slices, region)
    psi = to_numpy(covariance)
    # Unequal or correlated coils carry fewer independent samples of the common level.
    share = np.trace(psi).real ** 2 / np.sum(np.abs(psi) ** 2) / evidence.coils
    freedom = 2 * effective_samples(evidence, region) * share
    low, high = (math.sqrt(freedom / (2 * gammaincinv(freedom / 2, p))) for p in (0.975, 0.025))
    return NoiseEstimate(covariance, (low, high), int(region.sum()))


def _sampled_positions(slices: Array) -> Map:
    """Return where `(slices, ky, kx)` something was acquired."""
    xp = namespace(slices)
    power = to_numpy(xp.sum(xp.abs(slices) ** 2, axis=1, dtype=xp.float64))
    sampled = to_numpy(xp.any(slices != 0, axis=1))
    if not sampled.any():
        raise _not_found("it is zero everywhere")
    for axis in (1, 2):
        line = power.sum(axis=(0, axis)) / np.maximum(1, sampled.sum(axis=(0, axis)))
        empty = line < _EMPTY_LINE * np.median(line[sampled.any(axis=(0, axis))])
        sampled &= ~np.expand_dims(empty, axis=(0, axis))
    return sampled


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


def _whitening(slices: Array, region: Map) -> Array:
    """Return the whitening matrix of a region, checked to have enough samples of enough size."""
    coils = slices.shape[1]
    if region.sum() < _SAMPLES_PER_COIL * coils:
        raise _not_found(f"{int(region.sum())} outer samples are too few for {coils} coils")
    covariance = _region_covariance(slices, region)
    level = math.sqrt(np.trace(to_numpy(covariance)).real / coils)
    xp = namespace(slices)
    if level < np.finfo(np.float32).eps * float(xp.max(xp.abs(slices))):
        raise _not_found("the outer samples are rounding errors, not noise")
    try:
        return whitening_matrix(covariance)
    except ValueError as error:
        raise _not_found(f"the outer samples are not noise of {coils} coils: {error}") from error


def _without_coils(kspace: Array) -> tuple[int, ...]:
    return (*kspace.shape[:-3], *kspace.shape[-2:])
