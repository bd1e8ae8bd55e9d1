"""Undersampling masks, and the probability with which each sample is acquired."""

import difflib
import math
from collections.abc import Sized
from numbers import Integral, Real

import numpy as np

from kspace_denoise.arrays import Array, to_numpy
from kspace_denoise.random import Seed, numpy_generator
from kspace_denoise.sim.sampling.families import FAMILIES
from kspace_denoise.sim.sampling.plan import Family, Mask, Plan
from kspace_denoise.sim.sampling.poisson_estimate import MaskEstimate, estimate_poisson

DRAWS = 64


def mask(
    kind: str,
    shape: tuple[int, ...],
    acceleration: float,
    calibration: int | None,
    seed: Seed,
    axis: int = -1,
) -> Mask:
    """Draw an undersampling mask, bool `(ky, kx)`, True where a sample is acquired.

    Args:
        kind: a name in `MASKS`, which tells them apart in a line each: lines are drawn by `random`,
            `equispaced`, `equispaced-fraction`, `gaussian`, `partial-fourier`, `gsure`, `jalal` and
            `fastmri`, single points by `gaussian-2d`, `poisson` and `caipi`.
        shape: `(ky, kx)`.
        acceleration: at least 1; 1 keeps every sample. All samples over kept ones, calibration
            included and to the nearest whole line or point; the exceptions are `equispaced` and
            `caipi` (calibration on top), `gsure` and `jalal` (rounded down to whole lines) and
            `fastmri` (on average only). `achieved_acceleration` tells the real one.
        calibration: number of fully sampled central lines, or the side of the central square of
            kinds of points; DC stands at `n // 2`. None is the kind's own: 8 % of the lines up to
            R = 6 and 4 % above, at most half of what is kept; 30 lines for `gsure`, Jalal's rule
            for `jalal` (which takes no other), none for `partial-fourier`.
        seed: integer or generator.
        axis: the axis whose lines are left out, -1 (lines of constant kx) or -2; of no matter to
            `gaussian-2d` and `poisson`.

    Raises:
        ValueError: if no mask of this kind has these numbers.
        TypeError: if shape is no pair, the acceleration no number, or the seed neither integer nor
            generator.
    """
    family, plan = _checked(kind, shape, acceleration, calibration, axis)
    keep = family.draw(plan, numpy_generator(seed))
    keep[plan.block] = True
    return _along(keep, shape, axis)


def calibration_size(
    kind: str,
    shape: tuple[int, ...],
    acceleration: float,
    calibration: int | None = None,
    axis: int = -1,
) -> int:
    """Return the calibration that `mask` takes: the given one, or by default the kind's own.

    The arguments and errors are those of `mask`.
    """
    return _checked(kind, shape, acceleration, calibration, axis)[1].calibration


def mask_probability(
    kind: str,
    shape: tuple[int, ...],
    acceleration: float,
    calibration: int | None = None,
    axis: int = -1,
    *,
    seed: Seed = 0,
    draws: int = DRAWS,
) -> Mask:
    """Return E[P], the probability that `mask` acquires each sample: float32 `(ky, kx)`.

    It is exact, not estimated, except for `poisson`, where it is the mean of `draws` masks over
    like points (see `poisson_probability`, which also tells the standard error); `seed` and `draws`
    concern that kind only. The other arguments and errors are those of `mask`.

    It is 0 where no seed ever acquires a sample: outside a calibration that is all there is to
    keep. What divides by E[P] has to refuse such masks.
    """
    family, plan = _checked(kind, shape, acceleration, calibration, axis)
    if family.probability is None:
        return poisson_probability(shape, acceleration, calibration, seed, draws).probability
    probability = family.probability(plan)
    probability[plan.block] = 1
    return _along(probability.astype(np.float32), shape, axis)


def poisson_probability(
    shape: tuple[int, ...],
    acceleration: float,
    calibration: int | None = None,
    seed: Seed = 0,
    draws: int = DRAWS,
) -> MaskEstimate:
    """Estimate E[P] of Poisson discs, and its standard error: two float32 `(ky, kx)`.

    Points share what was drawn of them: elliptic rings, and in the middle those of one density and
    one distance from the block. The standard error goes down with the number of draws; what points
    of a ring differ by does not: 1 to 2 % of E[P] from 64 x 64 points on, 4 % on 20 x 41.

    Raises:
        ValueError: as `mask` does; if `draws` is less than 2, or so few that points are never
            drawn.
    """
    if not (_is_whole(draws) and draws >= 2):
        raise ValueError(f"draws is {draws}, expected an integer of at least 2")
    _, plan = _checked("poisson", shape, acceleration, calibration, -1)
    estimate = estimate_poisson(plan, numpy_generator(seed), int(draws))
    return MaskEstimate(*(values.astype(np.float32) for values in estimate))


def achieved_acceleration(mask: Array) -> float:
    """Return the number of samples of a mask over the number of those acquired.

    `mask` is any array that is nonzero where a sample is acquired; where it is given as lines only,
    that is the acceleration of the whole plane.

    Raises:
        ValueError: if the mask is empty or acquires nothing.
    """
    values = to_numpy(mask)
    acquired = int(np.count_nonzero(values))
    if not acquired:
        raise ValueError(
            f"a mask of shape {values.shape} that acquires nothing has no acceleration"
        )
    return values.size / acquired


def _checked(
    kind: str, shape: tuple[int, ...], acceleration: float, calibration: int | None, axis: int
) -> tuple[Family, Plan]:
    """Return the family and what it draws from, or refuse."""
    family = _family(kind)
    if not isinstance(shape, Sized):
        raise TypeError(f"mask shape is {shape!r}, expected two positive integers (ky, kx)")
    if len(shape) != 2 or not all(_is_whole(n) and n >= 1 for n in shape):
        raise ValueError(f"mask shape is {tuple(shape)}, expected two positive integers (ky, kx)")
    if axis not in (-1, -2):
        raise ValueError(f"mask axis is {axis}, expected -1 (kx) or -2 (ky)")
    if not _is_number(acceleration):
        raise TypeError(f"acceleration is {acceleration!r}, expected a number of at least 1")
    if not (math.isfinite(acceleration) and acceleration >= 1):
        raise ValueError(f"acceleration is {acceleration}, expected a finite number of at least 1")
    size = tuple(int(n) for n in (shape if axis == -1 else shape[::-1]))[-family.dimensions :]
    if calibration is None:
        calibration = family.calibration(size, float(acceleration))
    if not _is_whole(calibration):
        raise ValueError(f"calibration={calibration!r}, expected a whole number of lines, or None")
    if not 0 <= calibration <= min(size):
        raise ValueError(
            f"calibration={calibration} lines, expected 0 to the {min(size)} there are, or None"
        )
    return family, Plan(size, float(acceleration), int(calibration))


def _family(kind: str) -> Family:
    if kind not in FAMILIES:
        near = difflib.get_close_matches(str(kind), FAMILIES, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"unknown mask kind {kind!r}{meant}; there are: {', '.join(FAMILIES)}")
    return FAMILIES[kind]


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _along(values: Mask, shape: tuple[int, ...], axis: int) -> Mask:
    """Turn the undersampled axis back, and repeat one line of values over a whole array."""
    if axis == -1:
        return np.broadcast_to(values, shape).copy()
    return np.ascontiguousarray(np.broadcast_to(values, shape[::-1]).T)
