"""Which volumes of a diffusion scan were measured alike."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

Numpy: TypeAlias = np.ndarray[Any, Any]

B0 = 50.0
"""Volumes of less diffusion weighting than this, s/mm², count as b = 0."""
_WIDTH = 0.1  # of its b-value: how far the volumes of one shell may lie apart


class Shell(NamedTuple):
    """Volumes of one diffusion weighting."""

    bval: float
    """Their median, s/mm²; 0 for those of b = 0."""
    volumes: Numpy
    """Their numbers, rising."""


def shells(bval: Numpy) -> list[Shell]:
    """Return the shells of a scan, by rising b-value, from the b-values of its volumes (s/mm²).

    Volumes whose b-values differ by a tenth, as scanners let them, belong to one shell.

    Raises:
        ValueError: if b-values are negative or not finite.
    """
    bval = np.asarray(bval, np.float64)
    if bval.ndim != 1 or not (np.isfinite(bval).all() and (bval >= 0).all()):
        raise ValueError(f"b-values are {bval}, expected one number of at least 0 for each volume")
    left = np.flatnonzero(bval >= B0)
    found = [Shell(0.0, np.flatnonzero(bval < B0))] if len(left) < len(bval) else []
    while len(left):
        lowest = bval[left].min()
        alike = left[bval[left] <= lowest * (1 + _WIDTH)]
        found.append(Shell(float(np.median(bval[alike])), alike))
        left = np.setdiff1d(left, alike)
    return found


def neighbours(bvec: Numpy, count: int) -> Numpy:
    """Return for each volume of a shell the `count` others of the nearest directions.

    Opposite directions measure the same. `bvec` `(volumes, 3)`, returned `(volumes, count)`,
    nearest first; of directions as near as each other, as at b = 0, those measured closest in time
    come first.

    Raises:
        ValueError: if there are not more volumes than `count`.
    """
    volumes = len(bvec)
    check_count(volumes, count)
    apart = -np.abs(bvec @ bvec.T).round(6)
    number = np.arange(volumes)
    in_time = np.abs(number[:, None] - number)
    apart[number, number] = np.inf
    order = np.lexsort((in_time, apart), axis=-1)
    return np.asarray(order[:, :count])


def neighbours_in_order(volumes: int, count: int) -> Numpy:
    """Return for each volume the `count` measured before and after it, as DDM2 does.

    The first volume follows the last. One neighbour is the one before.

    Raises:
        ValueError: if there are not more volumes than `count`.
    """
    check_count(volumes, count)
    before = -(-count // 2)
    steps = [*range(-before, 0), *range(1, count - before + 1)]
    return np.asarray((np.arange(volumes)[:, None] + steps) % volumes)


def check_count(volumes: int, count: int) -> None:
    """Refuse a number of other volumes that a shell does not have.

    Raises:
        ValueError: if there are not more volumes than `count`, or `count` is not positive.
    """
    if not 1 <= count < volumes:
        raise ValueError(
            f"the noise model is to see {count} other volumes of the same shell, which has "
            f"{volumes}: expected 1 to {volumes - 1}"
        )
