"""Variable-density Poisson discs on the grid of k-space.

All points are visited in random order, and one is taken unless a sample stands nearer than its
radius (random sequential adsorption; Bridson, SIGGRAPH sketches 2007, is the usual way to it in the
continuum). k-space counts as periodic, so that its edges are no denser than the rest. The radius
grows linearly from the centre to three times as much at the edges. Distances on a grid are 1,
sqrt(2), 2, sqrt(5), ... and nothing between, so a radius between two of them is one of the two at
random, point by point. The calibration block is no sample to keep away from: it lies on top.
"""

import math

import numpy as np

from kspace_denoise.sim.sampling.fixed_size import inclusion
from kspace_denoise.sim.sampling.plan import Mask, Plan

EDGE_RADIUS = 3.0
"""Radius at the edge over that in the centre; in the corners it is 3.8 times as large."""
_LARGEST = 100  # squared distance; larger radii are thinned out instead
_DISTANCES = np.array(
    sorted({a * a + b * b for a in range(11) for b in range(a + 1)} - {0}), dtype=np.int64
)
_DISTANCES = _DISTANCES[_DISTANCES <= _LARGEST]
# Density at which the grid is full, measured on 512² points (benchmarks/masks.py --jam): for every
# distance, and up to sqrt(8) for mixtures of one distance and the next in steps of a quarter.
_LEVELS = np.concatenate([np.arange(16) / 4, np.arange(4, len(_DISTANCES))])
_FULL = np.concatenate(
    [
        [1, 0.7513, 0.5257, 0.3904, 0.3637, 0.3192, 0.2730, 0.2279],
        [0.1867, 0.1779, 0.1669, 0.1537, 0.1398, 0.1328, 0.1229, 0.1083],
        0.67 / _DISTANCES[4:],
    ]
)
_CHUNK = 2**18


def draw_poisson(plan: Plan, generator: np.random.Generator) -> Mask:
    """Keep exactly `round(N / R)` points; the block is on top of the discs and counts.

    Discs are drawn around it and not inside: next to it the density is that of anywhere else.
    """
    count = int(plan.left(plan.total))
    outer = plan.outer()
    for more in (1, 1, 1, 1.1, 1.5, math.inf):  # until there are enough; usually at once
        density = planned_density(plan, more * excess(count))
        order = generator.permutation(plan.samples).astype(np.int32)
        level = _level(density, generator)
        taken = _fill(plan.size, level, order, outer)
        taken &= generator.random(plan.samples) < density / _FULL[-1]
        found = outer[taken[outer]]
        if len(found) >= count:
            break
    # The last ones to come are left out, but none where every point is wanted.
    turn = np.where(planned_density(plan)[found] < 1, order[found], -1)
    keep = np.zeros(plan.samples, dtype=bool)
    keep[found[np.argsort(turn)[:count]]] = True
    return keep.reshape(plan.size)


def least_distance(plan: Plan) -> Mask:
    """Return the radius `(ky, kx)` in points, rounded down to a distance on the grid.

    Two samples outside the block are at least the smaller of their two radii apart; 1 is no
    constraint. Should the grid be full too soon three times running, smaller radii are taken: that
    concerns masks of some ten samples.
    """
    density = planned_density(plan, excess(plan.left(plan.total)))
    distance: Mask = np.sqrt(_DISTANCES[np.floor(_mean_level(density)).astype(np.int64)])
    return distance.reshape(plan.size)


def planned_density(plan: Plan, factor: float = 1.0) -> Mask:
    """Return the density (flat) that the radii are made for; outside the block it adds up."""
    outer = plan.outer()
    weights = _weights(plan.size)
    density = np.ones(plan.samples)
    density[outer] = inclusion(weights[outer], plan.left(plan.total) * factor)
    return density


def excess(count: float) -> float:
    """Return planned over wanted samples: what the table is off, and three standard deviations."""
    return 1.02 + 1.5 / math.sqrt(max(count, 1))


def _level(density: Mask, generator: np.random.Generator) -> Mask:
    """Return the index of every point's distance, one of two neighbouring ones at random."""
    level = _mean_level(density)
    index: Mask = np.floor(level + generator.random(len(level))).astype(np.int64)
    return index


def _mean_level(density: Mask) -> Mask:
    level: Mask = np.interp(-density, -_FULL, _LEVELS)
    return level


def _fill(size: tuple[int, ...], level: Mask, order: Mask, points: Mask) -> Mask:
    """Visit the points given in their order and take those that no sample is too near to.

    Done in rounds: a point is decided once all that come before it in its disc are. The first of
    the undecided always is, so that it ends; some ten rounds are what it takes.
    """
    margin = math.isqrt(int(_DISTANCES[level.max()]))
    width = size[1] + 2 * margin
    row, column = np.divmod(np.arange(order.size, dtype=np.int32), np.int32(size[1]))
    home = (row + margin) * width + column + margin
    state = np.full(order.size, order.size)  # left out; -1 is taken, all between is undecided
    state[points] = np.where(level[points] == 0, -1, order[points])
    pending = [
        chunk
        for index in np.unique(level[points])
        if index > 0
        for chunk in _chunks(points[level[points] == index], int(index), width)
    ]
    while pending:
        around = np.pad(state.reshape(size), margin, mode="wrap").ravel()
        undecided = []
        for points, offsets in pending:
            first = around[home[points, None] + offsets].min(axis=1)
            taken, refused = first >= order[points], first < 0
            state[points[taken]] = -1
            state[points[refused]] = order.size
            rest = points[~(taken | refused)]
            if rest.size:
                undecided.append((rest, offsets))
        pending = undecided
    return state < 0


def _chunks(points: Mask, index: int, width: int) -> list[tuple[Mask, Mask]]:
    """Return points of one radius, with the offsets of their neighbours, a cacheful at a time."""
    reach = math.isqrt(int(_DISTANCES[index]))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    near = (y * y + x * x < _DISTANCES[index]) & ((y != 0) | (x != 0))
    offsets = (y[near] * width + x[near]).astype(np.int32)
    step = max(_CHUNK // offsets.size, 1)
    return [(points[i : i + step], offsets) for i in range(0, points.size, step)]


def _weights(size: tuple[int, ...]) -> Mask:
    weights: Mask = (1 + (EDGE_RADIUS - 1) * radius(size)) ** -2.0
    return weights


def radius(size: tuple[int, ...]) -> Mask:
    """Return the elliptic distance from DC (flat): 1 in the middle of each edge."""
    y, x = ((np.arange(n) - n // 2) / (n / 2) for n in size)
    distance: Mask = np.hypot(y[:, None], x).ravel()
    return distance
