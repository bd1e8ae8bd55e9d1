"""Random anatomy of an axial slice through a head, as layers of tissue."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.sim.cortex import callosum, cortex
from kspace_denoise.sim.deep import deep_structures
from kspace_denoise.sim.fields import smooth_fields
from kspace_denoise.sim.outline import outline
from kspace_denoise.sim.pose import Layer, Pose, bounds, draw_pose
from kspace_denoise.sim.shapes import discs, ellipse

Reals: TypeAlias = np.ndarray[Any, Any]

_MARGIN = 3.0  # mm around the brain that a blunt boundary may reach


class Anatomy(NamedTuple):
    """One slice, drawn at random."""

    layers: list[Layer]
    head: Reals
    """Distance inside the skin in millimetres, `(y, x)`."""


def draw_anatomy(shape: tuple[int, ...], generator: np.random.Generator) -> Anatomy:
    """Draw a slice at a random height of a random head, on a grid of `shape` (y, x)."""
    pose = draw_pose(shape, generator)
    shell = outline(pose, generator)
    window = bounds(shell.brain > -_MARGIN)
    inner, hull = pose.crop(window), shell.brain[window]
    pial, white = cortex(inner, hull, generator)
    details = [
        *_midline(inner, hull),
        *_vessels(inner, pial, generator),
        *_lesions(inner, white, generator),
    ]
    layers = [
        *shell.layers,
        Layer("cortex", inner.cover(pial), window),
        Layer("white", inner.cover(white), window),
        *deep_structures(pose, generator),
        *(Layer(tissue, inner.cover(distance), window) for tissue, distance in details),
    ]
    return Anatomy(layers, shell.head)


def _midline(pose: Pose, hull: Reals) -> list[tuple[str, Reals]]:
    """Return the falx, and the sagittal sinus where it meets the skull."""
    front, back = callosum(pose.height)
    across = np.abs(pose.u)
    apart = np.maximum(pose.v - (front + 8), (back - 3) - pose.v)
    falx = np.minimum(np.minimum(0.25 - across, apart), hull + 2)
    sinus = np.where(pose.v < 0, np.float32(3.2), np.float32(1.8)) - np.hypot(across, hull + 1)
    return [("dura", falx), ("vessel", sinus)]


def _vessels(pose: Pose, pial: Reals, generator: np.random.Generator) -> list[tuple[str, Reals]]:
    """Return vessels on the surface of the brain."""
    sites = np.argwhere((pial < 0.5) & (pial > -3))
    return [("vessel", _dots(pose, sites, 16, 0.6, generator))]


def _lesions(pose: Pose, white: Reals, generator: np.random.Generator) -> list[tuple[str, Reals]]:
    """Return the small lesions of an ageing white matter, and now and then a large one."""
    sites = np.argwhere(white > 4)
    if not len(sites):
        return []
    count = int(generator.poisson(20 * pose.atrophy))
    distance = _dots(pose, sites, count, 1.0, generator)
    if generator.random() < 0.08:
        row, column = sites[generator.integers(len(sites))]
        wide, long = generator.uniform(4, 16, 2).tolist()
        centre = float(pose.u[row, column]), float(pose.v[row, column])
        uneven = smooth_fields(pose.y, pose.x, 16, generator)[0] * (0.2 * min(wide, long))
        distance = np.maximum(distance, ellipse(pose.u, pose.v, centre, (wide, long)) + uneven)
    return [("lesion", distance)]


def _dots(
    pose: Pose, sites: Reals, count: int, radius: float, generator: np.random.Generator
) -> Reals:
    """Return the distance inside discs of random size at some of the sites."""
    centres = sites[generator.integers(len(sites), size=count)] if len(sites) else sites
    radii = radius * generator.gamma(4, 0.25, len(centres))
    return discs(pose.u, pose.v, pose.pixel, centres, radii)
