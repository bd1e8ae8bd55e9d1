"""Means over slices, paired intervals over subjects, spread over seeds."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.stats import t as student

Result: TypeAlias = dict[str, Any]
Slices: TypeAlias = dict[tuple[str, str, int], float]


class Interval(NamedTuple):
    """A mean, and half the width of its 95 % interval; None with fewer than two subjects."""

    mean: float
    half: float | None


def slice_means(results: Sequence[Result], score: str, contrast: str | None) -> Slices:
    """Return a score of each slice, averaged over the seeds."""
    gathered: dict[tuple[str, str, int], list[float]] = {}
    for result in results:
        for row in result["slices"]:
            if contrast in (None, row["contrast"]) and score in row:
                key = (row["subject"], row["contrast"], row["slice"])
                gathered.setdefault(key, []).append(row[score])
    return {key: float(np.mean(values)) for key, values in gathered.items()}


def mean(slices: Slices) -> float | None:
    """Return the mean over slices, None without any."""
    return float(np.mean(list(slices.values()))) if slices else None


def seed_spread(results: Sequence[Result], score: str, contrast: str | None) -> float | None:
    """Return the standard deviation over seeds of the mean over slices, None of fewer than two."""
    means = [mean(slice_means([result], score, contrast)) for result in results]
    known = [m for m in means if m is not None]
    return float(np.std(known, ddof=1)) if len(known) > 1 else None


def of_same_seeds(
    results: Sequence[Result], others: Sequence[Result]
) -> tuple[Sequence[Result], Sequence[Result]]:
    """Return of both only what was trained with a seed that both have.

    Untrained results belong to every seed.
    """
    mine, theirs = ({result["seed"] for result in group} for group in (results, others))
    if None in mine | theirs:
        return results, others
    return [r for r in results if r["seed"] in theirs], [r for r in others if r["seed"] in mine]


def difference_spread(
    results: Sequence[Result], others: Sequence[Result], value: Callable[[Result], float | None]
) -> float | None:
    """Return the standard deviation over seeds of a difference, None of fewer than two seeds.

    Seed is set against seed; what needs no training is the same for all of them.
    """
    theirs = {result["seed"]: value(result) for result in others}
    pairs = [(value(r), theirs.get(r["seed"], theirs.get(None))) for r in results]
    if len(pairs) == 1 and results[0]["seed"] is None:
        pairs = [(pairs[0][0], other) for other in theirs.values()]
    known = [a - b for a, b in pairs if a is not None and b is not None]
    return float(np.std(known, ddof=1)) if len(known) > 1 else None


def paired_difference(first: Slices, second: Slices) -> Interval | None:
    """Return the mean of first minus second over the slices that both have.

    Slices of one subject are not independent: their differences are averaged, and the interval is
    that of Student's t over subjects.
    """
    subjects: dict[str, list[float]] = {}
    for key in first.keys() & second.keys():
        subjects.setdefault(key[0], []).append(first[key] - second[key])
    if not subjects:
        return None
    means = np.array([np.mean(values) for _, values in sorted(subjects.items())])
    half = None
    if len(means) > 1:
        spread = means.std(ddof=1) / np.sqrt(len(means))
        half = float(student.ppf(0.975, len(means) - 1) * spread)
    return Interval(float(means.mean()), half)
