"""Masks of whole lines: drawn at random, equally spaced, or all on one side of k-space."""

import numpy as np

from kspace_denoise.sim.sampling.plan import Mask, Plan


def draw_without_replacement(plan: Plan, total: int, generator: np.random.Generator) -> Mask:
    """Keep `total` lines, the block among them, the others uniformly without replacement."""
    count = int(plan.left(total))
    keep = np.zeros(plan.size, dtype=bool)
    keep[generator.choice(plan.outer(), count, replace=False)] = True
    return keep


def uniform_probability(plan: Plan, total: float) -> Mask:
    """Return E[P] where `total` lines, the block among them, are spread evenly outside it."""
    count, outside = plan.left(total), plan.samples - plan.in_block
    return np.full(plan.size, count / outside if outside else 1.0)


def draw_random(plan: Plan, generator: np.random.Generator) -> Mask:
    """Keep exactly `round(N / R)` lines."""
    return draw_without_replacement(plan, plan.total, generator)


def random_probability(plan: Plan) -> Mask:
    """Return E[P] of `draw_random` and `draw_equispaced_fraction`."""
    return uniform_probability(plan, plan.total)


def draw_equispaced(plan: Plan, generator: np.random.Generator) -> Mask:
    """Keep every R-th line from a random offset; the block comes on top."""
    step = plan.integer_acceleration()
    keep = np.zeros(plan.size, dtype=bool)
    keep[int(generator.integers(step)) :: step] = True
    return keep


def equispaced_probability(plan: Plan) -> Mask:
    """Return E[P]: any of the R offsets is as likely as another."""
    return np.full(plan.size, 1 / plan.integer_acceleration())


def draw_equispaced_fraction(plan: Plan, generator: np.random.Generator) -> Mask:
    """Spread `round(N / R)` lines, less the block, evenly over the lines outside the block.

    The spacing is a fraction; lines are rounded down to the grid (systematic sampling in integer
    arithmetic, so that count and E[P] are exact).
    """
    outer, count = plan.outer(), int(plan.left(plan.total))
    keep = np.zeros(plan.size, dtype=bool)
    if count:
        offset = generator.integers(len(outer))
        keep[outer[(offset + np.arange(count) * len(outer)) // count]] = True
    return keep


def draw_partial_fourier(plan: Plan, generator: np.random.Generator) -> Mask:
    """Keep `round(N / R)` neighbouring lines from one edge to beyond the centre."""
    count = _partial_fourier_count(plan)
    keep = np.zeros(plan.size, dtype=bool)
    keep[:count] = True
    return keep if generator.integers(2) else keep[::-1].copy()


def partial_fourier_probability(plan: Plan) -> Mask:
    """Return E[P]: 1 for the lines that both sides keep, 1/2 for the others."""
    keep = np.arange(plan.samples) < _partial_fourier_count(plan)
    return (keep.astype(float) + keep[::-1]) / 2


def _partial_fourier_count(plan: Plan) -> int:
    count = plan.total
    first = plan.samples - count  # both sides keep first to count - 1
    needed = max(plan.calibration, 1)
    start = plan.samples // 2 - needed // 2
    if start < first or start + needed > count:
        raise ValueError(
            f"acceleration={plan.acceleration:g} leaves {count} of {plan.samples} lines, which "
            f"reach {max(2 * count - plan.samples, 0)} lines over the centre; partial Fourier "
            f"with calibration={plan.calibration} needs an acceleration below 2 that leaves at "
            f"least {max(plan.samples - start, start + needed)} lines"
        )
    return count
