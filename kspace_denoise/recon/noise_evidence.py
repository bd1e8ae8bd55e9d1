"""Evidence that a region of k-space holds thermal noise of one level, and nothing else.

Every check bounds a departure from white circular Gaussian noise together with two standard
errors of its estimate: too few samples fail like a real departure. The errors follow from the
number of samples; the tolerances are choices, for a sigma that is right to about 10 %, made with
real scans in view, among which they part clean from filtered or disturbed ones.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.arrays import Array, like, namespace, to_numpy
from kspace_denoise.recon.noise import combine_coils

Map: TypeAlias = np.ndarray[Any, Any]

_FALL = 0.10  # of the level from the next band inwards: signal still falling, or a filter
_HALVES = 0.20  # of the level between two halves: each is within 10 % of their mean
_UNEVEN = 0.12  # squared variation of local power, seen in the kurtosis 2 (1 + v)
_COLOUR_READOUT = 0.25  # squared variation of noise power over the image, from correlations
_COLOUR_PHASE = 0.10
_SYMMETRY = 0.2  # |E[n n']| / E|n|²; thermal noise has none
_LAGS = (1, 2, 3, 4)
_FEWEST_PAIRS = 100


class Moments(NamedTuple):
    """Products of whitened samples at every position `(slices, ky, kx)`, averaged over the coils.

    `square` is n(k)², `mirrored` n(k) n(-k), `lagged[axis, lag]` n(k) conj(n(k - lag)).
    """

    coils: int
    power: Map
    fourth: Map
    square: Map
    mirrored: Map
    lagged: dict[tuple[int, int], Map]


def moments(slices: Array, whitening: Array) -> Moments:
    """Return the moments of k-space `(slices, coils, ky, kx)`, slice by slice to save memory."""
    ky, kx = slices.shape[-2:]
    xp = namespace(slices)
    opposite_y, opposite_x = like(_opposite(ky), slices), like(_opposite(kx), slices)

    def mean(product: Array) -> Map:
        return to_numpy(xp.mean(product, axis=0))

    rows: list[tuple[Map, ...]] = []
    for i in range(slices.shape[0]):
        z = combine_coils(whitening, slices[i, ...])
        power = xp.real(z) ** 2 + xp.imag(z) ** 2
        mirror = xp.take(xp.take(z, opposite_y, axis=-2), opposite_x, axis=-1)
        lagged = [mean(z * xp.conj(xp.roll(z, lag, axis=axis))) for axis, lag in _all_lags()]
        rows.append((mean(power), mean(power**2), mean(z * z), mean(z * mirror), *lagged))
    power, fourth, square, mirrored, *lagged = (np.stack(maps) for maps in zip(*rows, strict=True))
    pairs = dict(zip(_all_lags(), lagged, strict=True))
    return Moments(slices.shape[1], power, fourth, square, mirrored, pairs)


def find_fault(
    evidence: Moments, region: Map, inner: Map, readout_axis: int | None = None
) -> str | None:
    """Return what speaks against noise in the region `(slices, ky, kx)`, or None.

    `inner` is the next band inwards, with as many samples.
    """
    if not inner.any():
        return "too few samples surround the outermost ones to compare them with"
    error = 1 / math.sqrt(effective_samples(evidence, region))  # relative, of the power
    for name, first, second in _halves(region):
        ratio = _level(evidence, first) / _level(evidence, second)
        uncertain = error * math.sqrt(region.sum() * (1 / first.sum() + 1 / second.sum())) / 2
        if abs(math.log(ratio)) > math.log(1 + _HALVES) - 2 * uncertain:
            return (
                f"its level differs by {abs(ratio - 1):.0%} (standard error {uncertain:.0%}) "
                f"between {name}: filtered, averaged unequally, or too few samples"
            )
    fall = level_fall(evidence, region, inner)
    if abs(fall) + math.sqrt(2) * error > _FALL:
        return (
            f"its level still changes by {fall:+.0%} towards the centre, so signal or a filter "
            "reaches the edge of k-space"
        )
    return _not_thermal(evidence, region, readout_axis, error)


def level_fall(evidence: Moments, region: Map, inner: Map) -> float:
    """Return by how much the level of the next band inwards exceeds that of the region."""
    return _level(evidence, inner) / _level(evidence, region) - 1


def effective_samples(evidence: Moments, region: Map) -> float:
    """Return the number of independent samples in the region, over positions and coils."""
    colour = sum(colour_along(evidence, region, axis) for axis in (-2, -1))
    return float(region.sum()) * evidence.coils / (1 + colour)


def _not_thermal(
    evidence: Moments, region: Map, readout_axis: int | None, error: float
) -> str | None:
    """Return what speaks against white circular Gaussian noise."""
    power = evidence.power[region].mean()
    for axis in (-2, -1):
        limit = _COLOUR_READOUT if readout_axis == axis else _COLOUR_PHASE
        colour = colour_along(evidence, region, axis)
        if colour > limit:
            return (
                f"neighbours along axis {axis} are correlated (squared sum {colour:.2f}, at most "
                f"{limit}), so signal or interference is in it, or that is the readout and a "
                "receiver filter acted (readout_axis)"
            )
    both = region & region[:, _opposite(region.shape[1]), :][:, :, _opposite(region.shape[2])]
    for name, products, where in (
        ("its real and imaginary parts are", evidence.square, region),
        ("opposite samples k and -k are conjugates or", evidence.mirrored, both),
    ):
        symmetry = abs(products[where].mean()) / power if where.any() else 0.0
        if symmetry > _SYMMETRY:
            return f"{name} correlated ({symmetry:.2f}), so the k-space was made from images"
    uneven = evidence.fourth[region].mean() / (2 * power**2) - 1
    if abs(uneven) + 2 * error > _UNEVEN:
        return (
            f"its kurtosis is {2 + 2 * uneven:.2f} where noise of one level has 2, so spikes, "
            "signal or a varying level are in it"
        )
    return None


def _level(evidence: Moments, region: Map) -> float:
    return math.sqrt(evidence.power[region].mean())


def colour_along(evidence: Moments, region: Map, axis: int) -> float:
    """Return Σ|ρ(lag)|² over lags of both signs, less what sampling alone gives."""
    power = evidence.power[region].mean()
    total = 0.0
    for lag in _LAGS:
        pairs = region & np.roll(region, lag, axis=axis)
        count = pairs.sum() * evidence.coils
        if count >= _FEWEST_PAIRS:
            rho = evidence.lagged[axis, lag][pairs].mean() / power
            total += 2 * (abs(rho) ** 2 - 1 / count)
    return max(total, 0.0)


def _halves(region: Map) -> Iterator[tuple[str, Map, Map]]:
    """Yield pairs of halves of the region that should have the same level, with their names."""
    slices, ky, kx = region.shape
    half = np.arange(slices)[:, None, None] < slices / 2
    yield from _both("the first and the second half of the slices", region, half)
    for axis, size in (("ky", ky), ("kx", kx)):
        position = np.arange(size) - size // 2
        position = position[:, None] if axis == "ky" else position[None, :]
        position = np.broadcast_to(position, region.shape)
        yield from _both(f"negative and positive {axis}", region, position < 0)
        middle = np.median(np.abs(position[region]))
        yield from _both(f"the inner and outer {axis}", region, np.abs(position) < middle)


def _both(name: str, region: Map, selection: Map) -> Iterator[tuple[str, Map, Map]]:
    """Yield the two parts unless one is next to empty, as with partial Fourier sampling."""
    first, second = region & selection, region & ~selection
    if min(first.sum(), second.sum()) >= 0.1 * region.sum():
        yield name, first, second


def _opposite(size: int) -> Map:
    """Return the index of -k for every k of a centred axis."""
    return (2 * (size // 2) - np.arange(size)) % size


def _all_lags() -> list[tuple[int, int]]:
    return [(axis, lag) for axis in (-2, -1) for lag in _LAGS]
