"""What the losses of a run say about it: has anything been learnt, is it going well just now."""

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

Losses = Sequence[tuple[int, float]]
"""Of a run, as (step, mean loss since the entry before)."""

DIVERGED = 100.0
"""A loss that is so many times the median before it will not come back."""
BEGINNING = 5
"""Entries, at most, before a healthy run leaves the loss that it began with."""
CLEARLY = 3.0
"""A fall counts from so many standard errors on."""


def usual(losses: Losses) -> float:
    """Return the median loss; infinity where there is none."""
    return statistics.median([loss for _, loss in losses] or [float("inf")])


def has_exploded(loss: float, losses: Losses) -> bool:
    """Return whether a loss is far beyond those before, which may be negative (Stein's)."""
    return loss > DIVERGED * statistics.median([abs(x) for _, x in losses] or [float("inf")])


def going_well(losses: Losses) -> bool:
    """Return whether the last loss is no larger than the median of all, itself included."""
    return not losses or losses[-1][1] <= usual(losses)


def ends(losses: Losses) -> tuple[float, float]:
    """Return the mean loss of the beginning, where the network shrinks linearly, and of the end."""
    values = [loss for _, loss in losses]
    first, last = _counts(losses)
    return statistics.fmean(values[:first]), statistics.fmean(values[-last:])


def has_fallen(losses: Losses) -> bool:
    """Return whether the loss has clearly fallen; a network that is dead stays where it began.

    The scatter is that of the differences between neighbours, which a slow fall hardly enters;
    their median, so that a few jumps do not either.
    """
    if len(losses) < 2:
        return False
    first, last = ends(losses)
    steps = [abs(later - earlier) for (_, earlier), (_, later) in pairwise(losses)]
    scatter = 1.4826 * statistics.median(steps) / math.sqrt(2)
    error = scatter * math.sqrt(sum(1 / count for count in _counts(losses)))
    return first - last > CLEARLY * error


def _counts(losses: Losses) -> tuple[int, int]:
    """Return how many entries are the beginning and the end: a quarter at most."""
    quarter = max(1, len(losses) // 4)
    return min(BEGINNING, quarter), quarter
