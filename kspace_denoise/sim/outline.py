"""The outside of a head: outline, scalp and skull around the space that holds the brain."""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.sim.fields import ring_field
from kspace_denoise.sim.pose import Layer, Pose, bounds

Reals: TypeAlias = np.ndarray[Any, Any]

_ANGLES = 1440
_MARGIN = 3.0  # mm around the head that a blunt boundary may reach
_ANGLE = 2 * np.pi / _ANGLES * np.arange(_ANGLES)  # from the left, turning forward
_FRONT, _BACK = np.sin(_ANGLE).clip(0), (-np.sin(_ANGLE)).clip(0)
_SIDE = np.cos(_ANGLE) ** 2


class Outline(NamedTuple):
    """The layers from the skin inwards; distances in millimetres, positive inside, `(y, x)`."""

    head: Reals
    """Distance inside the skin."""
    brain: Reals
    """Distance inside the smooth surface that wraps the brain."""
    layers: list[Layer]


def outline(pose: Pose, generator: np.random.Generator) -> Outline:
    """Draw scalp and skull."""
    radius = _radius(generator) * _narrowing(pose.height)
    slope = np.gradient(radius, _ANGLE[1])
    upright = radius / np.hypot(radius, slope)  # turns radial into normal distances
    index = np.floor(np.arctan2(pose.v, pose.u) * (_ANGLES / (2 * math.pi))).astype(np.intp)

    def on_slice(ring: Reals) -> Reals:
        return np.asarray(ring.astype(np.float32)[index])

    inside = head = (on_slice(radius) - np.hypot(pose.u, pose.v)) * on_slice(upright)
    window = bounds(head > -_MARGIN)
    shown = pose.crop(window)
    layers, depth = [], np.zeros(_ANGLES)
    for tissue, thickness in _shell(pose, generator):
        layers.append(Layer(tissue, shown.cover(inside[window]), window))
        depth = depth + thickness
        inside = head - on_slice(depth)
    return Outline(head, inside, layers)


def _shell(pose: Pose, generator: np.random.Generator) -> list[tuple[str, Reals]]:
    """Draw tissue and thickness (mm, by angle) of the layers, from the skin inwards."""

    def thickness(mean: Reals | float, spread: float, harmonics: int = 6) -> Reals:
        wave = np.exp(spread * ring_field(_ANGLES, harmonics, generator, 0.5))
        return np.asarray(mean * wave / _narrowing(pose.height))

    low = min(max((25 - pose.height) / 25, 0), 1)
    skull = thickness(generator.uniform(4, 6) * (1 + 0.3 * (_FRONT + _BACK) ** 3), 0.12)
    # Where the marrow is thinner than nothing, the inner table of the skull covers it.
    marrow = generator.uniform(-0.5, 1.5) + 0.8 * ring_field(_ANGLES, 12, generator, 0.3)
    table = (skull - marrow) / 2
    return [
        ("skin", thickness(1.3, 0.1)),
        ("fat", thickness(generator.uniform(1.8, 4.2) * (1 + 0.5 * _BACK**2), 0.2)),
        ("muscle", thickness(0.6 + 5 * low * _SIDE**3 * (0.5 + _FRONT), 0.3)),
        ("bone", table),
        ("marrow", marrow),
        ("bone", table),
        ("dura", thickness(0.7, 0.1)),
        ("csf", thickness(0.7 + 3 * pose.atrophy + _BACK**4 + 0.8 * _FRONT**4, 0.5, 24)),
    ]


def _narrowing(height: float) -> float:
    """Return how wide the head is at a height, compared with where it is widest."""
    return math.sqrt(1 - (max(height, 0.0) / 92) ** 2)


def _radius(generator: np.random.Generator) -> Reals:
    """Return the outline in polar form: an ellipse, squarer, and narrower at the forehead."""
    length, width = generator.uniform(90, 100), generator.uniform(72, 81)
    power = generator.uniform(2.05, 2.4)
    cos, sin = np.cos(_ANGLE), np.sin(_ANGLE)
    radius = (np.abs(cos / width) ** power + np.abs(sin / length) ** power) ** (-1 / power)
    radius *= 1 - generator.uniform(0.04, 0.14) * sin * cos**2
    radius *= 1 + 0.005 * ring_field(_ANGLES, 5, generator)
    return np.asarray(radius)
