"""The folded cortex of one slice."""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.ndimage import map_coordinates

from kspace_denoise.fourier import ifft2c
from kspace_denoise.random import complex_normal
from kspace_denoise.sim.fields import ring_field, smooth_fields
from kspace_denoise.sim.pose import Pose
from kspace_denoise.sim.shapes import smooth_minimum, tube

Reals: TypeAlias = np.ndarray[Any, Any]


class _Sulci(NamedTuple):
    """A family of sulci, in millimetres."""

    spacing: float
    reach: float
    """How deep they go on average."""
    spread: float
    """Standard deviation of the depth."""


_DEEP = _Sulci(19.0, 17.0, 6.0)
_SHALLOW = _Sulci(11.0, 6.5, 3.0)
_MEDIAL = _Sulci(14.0, 9.0, 3.5)

_FOCUS = 50.0  # of the ellipses that follow the surface of the brain, mm
_LENGTH = 80.0  # of that surface per radian, mm
_TABLE = (512, 48)  # position along a surface times depth, one sample per mm


def cortex(pose: Pose, hull: Reals, generator: np.random.Generator) -> tuple[Reals, Reals]:
    """Return the distances inside the pial surface and inside the white matter, in millimetres.

    Sulci are the nodal lines of random fields over (position along a surface of the brain, depth
    below it), elongated in depth, so that they run inwards, meander, branch and end at random
    depths. Few are deep, more are shallow. `hull` is the distance inside the surface that wraps
    the brain.
    """
    fissure = _fissure(pose, generator)
    outer = _around(pose)
    inner = pose.v + np.sign(pose.u) * (_TABLE[0] / 4)
    line = smooth_minimum(
        _sulci(pose, outer, hull, _DEEP, generator),
        _sulci(pose, outer, hull, _SHALLOW, generator),
        2,
    )
    line = smooth_minimum(line, _sulci(pose, inner, fissure, _MEDIAL, generator), 2)
    depth = smooth_minimum(hull, fissure, 4)
    widen, thicken = smooth_fields(pose.y, pose.x, 18, generator)
    opening = (2 * pose.atrophy - 0.35 + 0.5 * widen) * np.maximum(1.3 - depth / 25, 0.2)
    pial = smooth_minimum(depth, line - opening, 3)
    pial = smooth_minimum(pial, _sylvian(pose, widen, thicken, generator), 1.5)
    return pial, pial - 3.3 * np.exp(0.35 * thicken)


def _sulci(
    pose: Pose, along: Reals, depth: Reals, law: _Sulci, generator: np.random.Generator
) -> Reals:
    """Return the distance to the nearest sulcus: to a nodal line of h it is |h| / |grad h|."""
    bend_a, bend_d = smooth_fields(pose.y, pose.x, 1.6 * law.spacing, generator)
    along = along + 0.16 * law.spacing * bend_a
    at = np.stack([along, depth + 0.16 * law.spacing * bend_d])
    table = _folds(law.spacing, generator)
    h = map_coordinates(table, at, output=np.float32, order=1, mode="grid-wrap")
    gy, gx = np.gradient(h, np.float32(pose.pixel))
    line = np.abs(h) / np.sqrt(gx * gx + gy * gy + (0.6 / law.spacing) ** 2)
    harmonics = int(_TABLE[0] / 2 / law.spacing)
    ends = law.reach + law.spread * ring_field(_TABLE[0], harmonics, generator, 0.0)
    return np.asarray(
        np.hypot(line, np.maximum(depth - ends[along.astype(np.intp) % len(ends)], 0))
    )


def _folds(spacing: float, generator: np.random.Generator) -> Reals:
    """Draw a field over `_TABLE` whose nodal lines lie about `spacing` apart: float32."""
    noise = complex_normal(_TABLE, np.empty(0, np.float32), generator)
    along, inwards = (np.abs(np.arange(n) - n // 2) / n for n in _TABLE)
    peak = 0.5 / spacing
    band = np.exp(-0.5 * ((along - peak) / (0.3 * peak)) ** 2)[:, None]
    band = band * np.exp(-0.5 * (inwards / (0.5 * peak)) ** 2)
    h = ifft2c(noise * band.astype(np.float32)).real
    return np.asarray(h / np.std(h), dtype=np.float32)


def _around(pose: Pose) -> Reals:
    """Return the position along the outer surface, in mm, by the elliptic coordinates of the head.

    It is constant on hyperbolas, which cross the surface upright, and negative on the right.
    """
    front = np.hypot(pose.u, pose.v - _FOCUS)
    back = np.hypot(pose.u, pose.v + _FOCUS)
    angle = np.arccos(np.clip((back - front) / (2 * _FOCUS), -1, 1))
    return np.copysign(angle * _LENGTH, pose.u)


def _fissure(pose: Pose, generator: np.random.Generator) -> Reals:
    """Return the distance to the interhemispheric fissure, which the callosum interrupts."""
    front, back = callosum(pose.height)
    gap = generator.uniform(0.4, 0.9) + pose.atrophy
    across = np.maximum(np.abs(pose.u) - gap, 0)
    return np.hypot(across, np.maximum(np.minimum(front - pose.v, pose.v - back), 0))


def callosum(height: float) -> tuple[float, float]:
    """Return where the corpus callosum bridges the hemispheres: its front and its back, in mm."""
    bridge = math.sqrt(max(0.0, 1 - (max(height - 10, 0.0) / 24) ** 2))
    return 40 * bridge, -42 * bridge


def _sylvian(pose: Pose, bend_u: Reals, bend_v: Reals, generator: np.random.Generator) -> Reals:
    """Return the distance outside the Sylvian fissure and the cleft over the insula."""
    if pose.height > 24:
        return np.full_like(pose.u, 100)
    w = 0.2 + 1.3 * pose.atrophy + generator.uniform(0, 0.5)
    dv, to = generator.uniform(-4, 4), generator.uniform(-12, 18)
    insula = [(37, 25 + dv, 0.6 * w), (42, 14 + dv, w), (42, 2 + dv, w), (36, -15 + dv, 0.7 * w)]
    stem = [(42, 10 + dv, w), (52, 0.6 * to + 8 + dv, 0.8 * w), (74, to + 4, 1.3 * w)]
    ramus = [(40, -6 + dv, w), (50, -12 + dv, 0.4 * w), (60, -12 + dv + to, 0.2 * w)]
    a, v = np.abs(pose.u) + 1.2 * bend_v, pose.v + 1.2 * bend_u
    inside = np.maximum(np.maximum(tube(a, v, insula), tube(a, v, stem)), tube(a, v, ramus))
    return -inside - 0.4 * bend_u
