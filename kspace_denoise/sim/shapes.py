"""Signed distances of simple shapes, in millimetres and positive inside."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

Reals: TypeAlias = np.ndarray[Any, Any]

_OUTSIDE = -100.0


def ellipse(
    u: Reals, v: Reals, centre: tuple[float, float], axes: tuple[float, float], angle: float = 0.0
) -> Reals:
    """Return the distance inside an ellipse of half axes `axes`, turned by `angle` radians.

    It is exact on the shorter axis and keeps its sign elsewhere.
    """
    du, dv = u - centre[0], v - centre[1]
    c, s = float(np.cos(angle)), float(np.sin(angle))
    radius = np.hypot((du * c + dv * s) / axes[0], (dv * c - du * s) / axes[1])
    return np.asarray((1 - radius) * min(axes))


def tube(u: Reals, v: Reals, path: Sequence[tuple[float, float, float]]) -> Reals:
    """Return the distance inside a tapered tube along points `(u, v, radius)`, corners cut."""
    points = np.asarray(path, dtype=np.float64)
    cuts = [cut for p, q in pairwise(points) for cut in (0.75 * p + 0.25 * q, 0.25 * p + 0.75 * q)]
    knots = np.stack([points[0], *cuts[1:-1], points[-1]]).tolist()
    inside = np.full_like(u, _OUTSIDE)
    for (u0, v0, r0), (u1, v1, r1) in pairwise(knots):
        du, dv, eu, ev = u - u0, v - v0, u1 - u0, v1 - v0
        t = np.clip((du * eu + dv * ev) / (eu * eu + ev * ev), 0, 1)
        distance = r0 + (r1 - r0) * t - np.hypot(du - t * eu, dv - t * ev)
        np.maximum(inside, distance, out=inside)
    return inside


def discs(u: Reals, v: Reals, pixel: float, centres: Reals, radii: Reals) -> Reals:
    """Return the distance inside the nearest of some small discs around pixels `centres` (n, 2)."""
    inside = np.full_like(u, _OUTSIDE)
    for (row, column), radius in zip(centres.tolist(), radii.tolist(), strict=True):
        reach = int(radius / pixel) + 8
        rows = slice(max(row - reach, 0), row + reach + 1)
        columns = slice(max(column - reach, 0), column + reach + 1)
        near = inside[rows, columns]
        du, dv = u[rows, columns] - u[row, column], v[rows, columns] - v[row, column]
        np.maximum(near, radius - np.hypot(du, dv), out=near)
    return inside


def smooth_minimum(a: Reals, b: Reals, width: float) -> Reals:
    """Return the minimum, its crease rounded where `a` and `b` differ by less than `width`."""
    overlap = np.maximum(width - np.abs(a - b), 0)
    return np.asarray(np.minimum(a, b) - overlap * overlap * (0.25 / width))
