"""What lies deep in the brain: grey matter, ventricles, and the cisterns behind the midbrain."""

import math
from typing import Any, TypeAlias

import numpy as np

from kspace_denoise.sim.pose import Layer, Pose, bounds
from kspace_denoise.sim.shapes import ellipse, tube

Reals: TypeAlias = np.ndarray[Any, Any]

# Heights between which a slice meets a body, in mm above AC-PC; then its shape where it is widest,
# by distance from the midline, position in front of the centre, and half axes or radius, in mm.
_GREY = [
    ("deep_grey", -8, 24, (25.5, 6.0), (5.0, 15.0), 0.15),  # putamen
    ("deep_grey", -6, 20, (11.0, -8.0), (8.5, 14.0), 0.45),  # thalamus
    ("deep_grey", -4, 26, (12.5, 23.0), (4.5, 9.0), -0.35),  # head of the caudate nucleus
    ("deep_grey", -8, 20, (33.5, 6.0), (0.7, 14.0), 0.1),  # claustrum
    ("pallidum", -6, 15, (19.0, 4.0), (3.8, 9.0), 0.5),
]
_LATERAL = [
    (-4, 22, [(3, 12, 1.0), (6, 21, 2.2), (10, 29, 2.8), (14, 35, 1.2)]),  # frontal horn
    (12, 36, [(11, 32, 2.0), (7, 22, 2.8), (6, 5, 2.6), (10, -14, 2.8), (18, -32, 3.6)]),  # body
    (-12, 24, [(21, -26, 2.0), (25, -36, 3.6), (24, -46, 2.6), (20, -58, 0.8)]),  # trigone
]
_SEPTUM = 0.6  # half thickness of the wall between the lateral ventricles

_LEAST = 0.2  # bodies that a slice barely touches are left out


def deep_structures(pose: Pose, generator: np.random.Generator) -> list[Layer]:
    """Return the layers of the deep grey matter, the ventricles and the hindbrain."""
    window = bounds((np.abs(pose.u) < 48) & (np.abs(pose.v) < 66))
    pose = pose.crop(window)
    found = [*_grey(pose, generator), *_ventricles(pose, generator), *_hindbrain(pose)]
    return [Layer(tissue, pose.cover(distance), window) for tissue, distance in found]


def _section(height: float, low: float, high: float) -> float:
    """Return the relative radius at which a slice cuts a body between two heights; 0 outside."""
    middle, half = (low + high) / 2, (high - low) / 2
    return math.sqrt(max(0.0, 1 - ((height - middle) / half) ** 2))


def _grey(pose: Pose, generator: np.random.Generator) -> list[tuple[str, Reals]]:
    found = []
    for tissue, low, high, centre, axes, angle in _GREY:
        shift, grow = generator.uniform(-1.5, 1.5, 2), generator.uniform(0.9, 1.1, 2)
        if (size := _section(pose.height, low, high)) > _LEAST:
            u, v = (np.add(centre, shift)).tolist()
            wide, long = (np.multiply(axes, grow) * size).tolist()
            shape = ellipse(np.abs(pose.u), pose.v, (u, v), (wide, long), angle)
            found.append((tissue, shape))
    return found


def _ventricles(pose: Pose, generator: np.random.Generator) -> list[tuple[str, Reals]]:
    wide = generator.uniform(0.6, 1.0) + pose.atrophy
    across = np.abs(pose.u)
    apart = across - _SEPTUM
    found = []
    for low, high, path in _LATERAL:
        if (size := _section(pose.height, low, high)) > _LEAST:
            horn = tube(across, pose.v, [(u, v, r * size * wide) for u, v, r in path])
            found.append(("csf", np.minimum(horn, apart)))
    if (size := _section(pose.height, -14, 12)) > _LEAST:
        third = [(0, 9, 0.7 * size * wide), (0, -14, 1.5 * size * wide)]
        found.append(("csf", tube(across, pose.v, third)))
    return found


def _hindbrain(pose: Pose) -> list[tuple[str, Reals]]:
    """Return the cistern behind the midbrain, and the vermis with its leaves."""
    if (size := _section(pose.height, -22, 5)) < _LEAST:
        return []
    path = [(0, -27, 2.4 * size), (9, -25, 1.8 * size), (17, -19, 1.0 * size)]
    vermis = ellipse(pose.u, pose.v, (0, -30 - 13 * size), (11 * size, 14 * size))
    leaves = np.abs(np.hypot(pose.u, pose.v + 12) % 4 - 2) - 1.4
    return [
        ("csf", np.maximum(tube(np.abs(pose.u), pose.v, path), vermis + 1)),
        ("cortex", vermis),
        ("csf", np.minimum(leaves, vermis)),
    ]
