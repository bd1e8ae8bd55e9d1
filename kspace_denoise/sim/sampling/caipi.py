"""Sheared lattices of points, after 2D CAIPIRINHA (Breuer et al., Magn. Reson. Med. 55:549, 2006).

A lattice that keeps one of R points is given by two steps and a shift, `step_y * step_x = R`: rows
`step_y` apart, points `step_x` apart in a row, each row shifted against the one before. Of all of
them the one is taken whose aliases in the image lie farthest apart, so that coils tell them apart
best.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from kspace_denoise.sim.sampling.plan import Mask, Plan

LARGEST = 64


class Lattice(NamedTuple):
    """Rows `step_y` apart, points `step_x` apart in a row, and the shift from row to row."""

    step_y: int
    step_x: int
    shift: int


def draw_caipi(plan: Plan, generator: np.random.Generator) -> Mask:
    """Keep the points of the lattice from a random offset; the block comes on top."""
    step_y, step_x, shift = _lattice_of(plan)
    row, start = divmod(int(generator.integers(step_y * step_x)), step_x)
    y, x = np.arange(plan.size[0])[:, None] - row, np.arange(plan.size[1]) - start
    kept: Mask = (y % step_y == 0) & ((x - shift * (y // step_y)) % step_x == 0)
    return kept


def caipi_probability(plan: Plan) -> Mask:
    """Return E[P]: any of the R offsets is as likely as another."""
    lattice = _lattice_of(plan)
    return np.full(plan.size, 1 / (lattice.step_y * lattice.step_x))


def _lattice_of(plan: Plan) -> Lattice:
    acceleration = plan.integer_acceleration()
    if acceleration > LARGEST:
        raise ValueError(f"acceleration={acceleration} is more than {LARGEST}, the most of caipi")
    found = best_lattice(acceleration, plan.size)
    if found is None:
        raise ValueError(
            f"acceleration={acceleration} has no lattice that fits into {plan.size}: no two "
            "factors of it are small enough; take another acceleration or kind"
        )
    return found


@lru_cache
def best_lattice(acceleration: int, size: tuple[int, ...]) -> Lattice | None:
    """Return the lattice with the largest distance of the aliases, then of the next nearest."""
    best, farthest = None, ()
    for lattice in _lattices(acceleration, size):
        distances = tuple(np.sort(_alias_distances(lattice, size)).round(6).tolist())
        if best is None or distances > farthest:
            best, farthest = lattice, distances
    return best


def _lattices(acceleration: int, size: tuple[int, ...]) -> Iterator[Lattice]:
    """Yield every lattice of this index that fits, rows without gaps first."""
    for step_y in range(1, min(acceleration, size[0]) + 1):
        step_x, rest = divmod(acceleration, step_y)
        if rest == 0 and step_x <= size[1]:
            yield from (Lattice(step_y, step_x, shift) for shift in range(step_x))


def _alias_distances(lattice: Lattice, size: tuple[int, ...]) -> Mask:
    """Return how far the R - 1 aliases of a pixel lie from it, in pixels."""
    step_y, step_x, shift = lattice
    x = np.arange(step_x) / step_x
    y = (np.arange(step_y)[:, None] - shift * x) / step_y
    distances: Mask = np.hypot(size[0] * (y - np.round(y)), size[1] * (x - np.round(x)))
    return distances.ravel()[1:]
