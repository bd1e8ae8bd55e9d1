"""Undersampling masks, and the probability with which each sample is acquired."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.random import Seed, numpy_generator

Mask: TypeAlias = np.ndarray[Any, Any]


class _Lines(NamedTuple):
    """One family of line masks: `(lines, acceleration, calibration)` to lines, or to E[P]."""

    draw: Callable[[int, float, int, np.random.Generator], Mask]
    probability: Callable[[int, float, int], float]


def mask(
    kind: str,
    shape: tuple[int, ...],
    acceleration: float,
    calibration: int,
    seed: Seed,
    axis: int = -1,
) -> Mask:
    """Draw an undersampling mask, bool `(ky, kx)`, True where a sample is acquired.

    Args:
        kind: `random` keeps exactly `round(N / acceleration)` of the N lines, the centred
            calibration block among them, the others uniformly without replacement; `equispaced`
            keeps every acceleration-th line from a random offset, and the calibration block.
        shape: `(ky, kx)`.
        acceleration: at least 1; 1 keeps every sample.
        calibration: number of fully sampled central lines; DC stands at `N // 2`.
        seed: integer or generator.
        axis: the axis that is undersampled, -1 (lines of constant kx) or -2.

    Raises:
        ValueError: if no mask of this kind has these numbers.
    """
    family, lines = _checked(kind, shape, acceleration, calibration, axis)
    generator = numpy_generator(seed)
    keep = family.draw(lines, acceleration, calibration, generator)
    keep[_centre(lines, calibration)] = True
    return _along(keep, shape, axis)


def mask_probability(
    kind: str, shape: tuple[int, ...], acceleration: float, calibration: int, axis: int = -1
) -> Mask:
    """Return E[P], the probability that `mask` acquires each sample: float32 `(ky, kx)`.

    It is exact, not estimated. The arguments and errors are those of `mask`.
    """
    family, lines = _checked(kind, shape, acceleration, calibration, axis)
    outside = family.probability(lines, acceleration, calibration)
    probability = np.full(lines, outside, dtype=np.float32)
    probability[_centre(lines, calibration)] = 1
    return _along(probability, shape, axis)


def _draw_random(
    lines: int, acceleration: float, calibration: int, generator: np.random.Generator
) -> Mask:
    keep = np.zeros(lines, dtype=bool)
    outer = np.delete(np.arange(lines), _centre(lines, calibration))
    count = _random_total(lines, acceleration, calibration) - calibration
    keep[generator.choice(outer, count, replace=False)] = True
    return keep


def _random_probability(lines: int, acceleration: float, calibration: int) -> float:
    total = _random_total(lines, acceleration, calibration)
    return (total - calibration) / (lines - calibration) if calibration < lines else 1.0


def _random_total(lines: int, acceleration: float, calibration: int) -> int:
    total = round(lines / acceleration)
    if total < 1:
        raise ValueError(f"acceleration={acceleration} leaves none of the {lines} lines")
    if calibration > total:
        raise ValueError(
            f"calibration={calibration} exceeds the {total} lines in all that "
            f"acceleration={acceleration} leaves of {lines}; lower one of the two"
        )
    return total


def _draw_equispaced(
    lines: int, acceleration: float, calibration: int, generator: np.random.Generator
) -> Mask:
    del calibration
    step = _equispaced_step(acceleration, lines)
    keep = np.zeros(lines, dtype=bool)
    keep[int(generator.integers(step)) :: step] = True
    return keep


def _equispaced_probability(lines: int, acceleration: float, calibration: int) -> float:
    del calibration
    return 1 / _equispaced_step(acceleration, lines)


def _equispaced_step(acceleration: float, lines: int) -> int:
    if acceleration != round(acceleration):
        raise ValueError(
            f"acceleration={acceleration} is not an integer, as equispaced lines need; "
            f"try {round(acceleration)}"
        )
    if acceleration > lines:
        raise ValueError(f"acceleration={acceleration} leaves none of the {lines} lines")
    return round(acceleration)


_FAMILIES = {
    "random": _Lines(_draw_random, _random_probability),
    "equispaced": _Lines(_draw_equispaced, _equispaced_probability),
}


def _checked(
    kind: str, shape: tuple[int, ...], acceleration: float, calibration: int, axis: int
) -> tuple[_Lines, int]:
    """Return the family and its number of lines, or refuse."""
    if kind not in _FAMILIES:
        raise ValueError(f"unknown mask kind {kind!r}; there are: {', '.join(_FAMILIES)}")
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"mask shape is {tuple(shape)}, expected two positive numbers (ky, kx)")
    if axis not in (-1, -2):
        raise ValueError(f"mask axis is {axis}, expected -1 (kx) or -2 (ky)")
    if not (math.isfinite(acceleration) and acceleration >= 1):
        raise ValueError(f"acceleration is {acceleration}, expected a finite number of at least 1")
    lines = shape[axis]
    if not 0 <= calibration <= lines:
        raise ValueError(f"calibration={calibration} lines, expected 0 to the {lines} there are")
    return _FAMILIES[kind], lines


def _centre(lines: int, calibration: int) -> slice:
    start = lines // 2 - calibration // 2
    return slice(start, start + calibration)


def _along(values: Mask, shape: tuple[int, ...], axis: int) -> Mask:
    """Repeat one line of values over a whole array."""
    return (
        np.repeat(values[None, :], shape[0], 0)
        if axis == -1
        else np.repeat(values[:, None], shape[1], 1)
    )
