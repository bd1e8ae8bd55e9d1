"""Draws of a fixed number of samples, each with a probability that is known beforehand."""

import numpy as np

from kspace_denoise.sim.sampling.plan import Mask, Plan

GAUSSIAN_WIDTH = 0.25
"""Standard deviation of the Gaussian density over the number of lines: the edge is at two."""


def inclusion(weights: Mask, count: float) -> Mask:
    """Return min(1, c · weights) with the c for which they add up to `count`."""
    if count >= weights.size:
        return np.ones(weights.shape)
    certain = np.zeros(weights.shape, dtype=bool)
    while True:
        scale = (count - certain.sum()) / weights[~certain].sum()
        more = scale * weights >= 1
        if not np.any(more & ~certain):
            return np.where(certain, 1.0, scale * weights)
        certain |= more


def systematic(probability: Mask, generator: np.random.Generator) -> Mask:
    """Draw a flat bool array with these inclusion probabilities, whose sum is an integer.

    Systematic sampling in random order: the probabilities are laid end to end as intervals, and a
    comb of unit spacing with a random offset picks the intervals that it hits. The number of
    samples and the probabilities are exact; as the order is random, pairs are nearly independent
    (Madow, Ann. Math. Stat. 20:333, 1949; Hartley and Rao, Ann. Math. Stat. 33:350, 1962).
    """
    chosen = probability >= 1
    order = generator.permutation(np.flatnonzero(~chosen))
    ends = np.cumsum(probability[order])
    if order.size:
        ends *= round(ends[-1]) / ends[-1] if ends[-1] else 1.0
        offset = int(generator.integers(2**24)) / 2**24  # exact in sums with an integer
        teeth = np.floor(ends + offset)
        teeth[-1] = round(ends[-1])
        chosen[order[np.diff(teeth, prepend=0.0) > 0]] = True
    return chosen


def draw_gaussian(plan: Plan, generator: np.random.Generator) -> Mask:
    """Keep exactly `round(N / R)` lines or points, denser in the centre."""
    keep = np.zeros(plan.samples, dtype=bool)
    outer = plan.outer()
    keep[outer] = systematic(_outside(plan, outer), generator)
    return keep.reshape(plan.size)


def gaussian_probability(plan: Plan) -> Mask:
    """Return E[P], which the draw has by construction."""
    probability = np.ones(plan.samples)
    outer = plan.outer()
    probability[outer] = _outside(plan, outer)
    return probability.reshape(plan.size)


def _outside(plan: Plan, outer: Mask) -> Mask:
    count = plan.left(plan.total)
    return inclusion(_density(plan.size).ravel()[outer], count)


def _density(size: tuple[int, ...]) -> Mask:
    """Return the Gaussian density, 1 at DC."""
    squared = np.zeros(size)
    for axis, n in enumerate(size):
        position = (np.arange(n) - n // 2) / (GAUSSIAN_WIDTH * n)
        squared += np.expand_dims(position**2, tuple(i for i in range(len(size)) if i != axis))
    return np.exp(-squared / 2)
