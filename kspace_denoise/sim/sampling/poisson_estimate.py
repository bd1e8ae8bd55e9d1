"""E[P] of Poisson discs, which has no closed form, from draws averaged over like points."""

import math
from typing import NamedTuple

import numpy as np

from kspace_denoise.sim.sampling.plan import Mask, Plan
from kspace_denoise.sim.sampling.poisson_disc import (
    draw_poisson,
    excess,
    least_distance,
    planned_density,
    radius,
)

_RING = 128  # points of a ring at 64 draws and less; with more draws it may have fewer
# Like points have a ratio of their own if so many samples of them are expected: near the block,
# where the ring is 20 % off, and elsewhere, where it is 2 %.
_SEEN_NEAR, _SEEN_FAR = 16, 2500


class MaskEstimate(NamedTuple):
    """E[P] `(ky, kx)` from draws, and its standard error, point by point."""

    probability: Mask
    standard_error: Mask


def estimate_poisson(plan: Plan, generator: np.random.Generator, draws: int) -> MaskEstimate:
    """Return E[P] of `draw_poisson` from a number of draws.

    E[P] depends on the position through the planned density almost alone, so the ratio of drawn to
    planned samples is averaged over all points of an elliptic ring. Near the block, where discs
    have fewer neighbours, only points of the same density and the same distance from the block
    share a ratio; so they do elsewhere, once there are draws enough. The standard error is that of
    the ratio, from the scatter between the draws.

    Raises:
        ValueError: if some points are never drawn.
    """
    probability = planned_density(plan)
    free = np.flatnonzero((probability > 0) & (probability < 1))
    planned = planned_density(plan, excess(plan.left(plan.total)))[free]
    group = _groups(plan, planned, free, draws)
    expected = np.bincount(group, planned)
    ratios = np.stack(
        [
            np.bincount(group, draw_poisson(plan, generator).ravel()[free]) / expected
            for _ in range(draws)
        ]
    )
    ratio = ratios.mean(axis=0)
    if not ratio.all():
        raise ValueError(
            f"{draws} draws never took some of the samples, whose probability stays unknown; "
            "ask for more draws, or a lower acceleration"
        )
    error = np.zeros(plan.samples)
    probability[free] = np.minimum(ratio[group] * planned, 1)
    error[free] = (ratios.std(axis=0, ddof=1) / math.sqrt(draws))[group] * planned
    return MaskEstimate(probability.reshape(plan.size), error.reshape(plan.size))


def _groups(plan: Plan, planned: Mask, free: Mask, draws: int) -> Mask:
    """Number the points that share a ratio: like points near the block, rings elsewhere."""
    distance, elliptic = _from_block(plan)[free], radius(plan.size)[free]
    density_and_distance = np.rint(1e6 * elliptic) + 1j * distance
    like = np.unique(density_and_distance, return_inverse=True)[1]
    near = np.sqrt(distance) < 2 * (least_distance(plan).ravel()[free] + 1)
    own = (np.bincount(like, planned) * draws)[like] >= np.where(near, _SEEN_NEAR, _SEEN_FAR)
    group = np.where(own, like, 0)
    width = min(max(_RING * 64 // draws, 1), _RING)
    group[~own] = _rings(elliptic[~own] * min(plan.size) / 2, width) + like.max(initial=0) + 1
    numbers: Mask = np.unique(group, return_inverse=True)[1]
    return numbers


def _from_block(plan: Plan) -> Mask:
    """Return the squared distance (flat) from the block, or from DC where there is none."""
    away = []
    for n in plan.size:
        first, side = n // 2 - plan.calibration // 2, max(plan.calibration, 1)
        index = np.arange(n)
        away.append(np.maximum(np.maximum(first - index, index - first - side + 1), 0))
    squared: Mask = (away[0][:, None] ** 2 + away[1] ** 2).ravel()
    return squared


def _rings(distance: Mask, points: int) -> Mask:
    """Number the rings of width 1, joined from the centre on until each has enough points."""
    ring, counts = np.unique(distance.astype(np.int64), return_inverse=True, return_counts=True)[1:]
    numbers, number, held = np.zeros(len(counts), np.int64), 0, 0
    for index, count in enumerate(counts):
        numbers[index] = number
        held += count
        if held >= points and counts[index + 1 :].sum() >= points:
            number, held = number + 1, 0
    return numbers[ring]
