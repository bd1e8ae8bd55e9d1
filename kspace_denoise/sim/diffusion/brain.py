"""A brain in three dimensions: its tissues, and the bundles of fibres in its white matter."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.sim.diffusion.waves import waves

Reals: TypeAlias = np.ndarray[Any, Any]

BUNDLES = ("callosum", "corticospinal", "longitudinal", "cingulum", "association")

_AXES = (68.0, 86.0, 66.0)  # half axes (x, y, z) of the brain, mm
_CORTEX = 3.0  # mm
_THIN = 0.12  # bundles with less of a voxel are left out


class Brain(NamedTuple):
    """What fills the voxels of a brain; the rest is air."""

    tissues: dict[str, Reals]
    """Fractions of csf, grey, deep_grey and white, float32 `(slices, y, x)`."""
    shares: Reals
    """How the white matter is shared by `BUNDLES`, float32 `(bundles, slices, y, x)`, sum 1."""
    directions: Reals
    """Of the bundles, unit vectors, float32 `(bundles, slices, y, x, 3)`, along the axes of the
    image: x to the right, y down, z from slice to slice."""


class Place(NamedTuple):
    """Positions in the head in millimetres: to the left, forward and up; `(slices, y, x)`."""

    x: Reals
    y: Reals
    z: Reals


def draw_brain(place: Place, pixel: float, generator: np.random.Generator) -> Brain:
    """Draw a brain at positions whose voxels are `pixel` mm wide."""
    bend = waves(place, 90, 3, generator)
    x, y, z = (p + 2.5 * b for p, b in zip(place, bend, strict=True))
    bent = Place(x, y, z)

    def cover(distance: Reals) -> Reals:
        return np.clip(distance / pixel + 0.5, 0, 1).astype(np.float32)

    arch = _arch(bent)
    radius = np.sqrt(sum((p / a) ** 2 for p, a in zip(bent, _AXES, strict=True)))
    depth = (1 - radius) * min(_AXES)
    pial, white = _cortex(bent, depth, arch, generator)
    callosum = np.minimum(3.5 - np.abs(z - arch), 24 - np.abs(x))
    ventricle = np.minimum(_ventricles(bent), arch - z - 3.5)
    white = np.maximum(white, np.minimum(callosum, 42 - np.abs(y)))
    inside = cover(depth)
    layers = {"grey": cover(np.maximum(pial, white)), "white": cover(white)}
    layers |= {"deep_grey": cover(_thalamus(bent)), "csf": cover(ventricle)}
    tissues = {"csf": inside.copy(), **{n: np.zeros_like(inside) for n in layers if n != "csf"}}
    for name, coverage in layers.items():  # a later layer covers those before it
        covered = {n: part * (1 - coverage) for n, part in tissues.items()}
        covered[name] = covered[name] + inside * coverage
        tissues = covered
    shares, directions = _bundles(bent, arch)
    return Brain(tissues, shares, directions)


def _arch(place: Place) -> Reals:
    """Return the height of the middle of the corpus callosum above each point."""
    return 26 - 0.010 * place.y**2 + 0.006 * place.x**2


def _cortex(
    place: Place, depth: Reals, arch: Reals, generator: np.random.Generator
) -> tuple[Reals, Reals]:
    """Return distances inside the surface of the cortex and inside the white matter below it."""
    folds = waves(place, 22, 1, generator)[0]
    # Sulci are narrow and follow the lines where a random field is 0, down to 16 mm.
    valley = 8 - 16 * np.abs(folds) - 0.5 * np.maximum(depth, 0)
    pial = np.minimum(depth - 2, -valley)
    apart = np.abs(place.x) - 1.0  # the hemispheres, except at the callosum
    fissure = np.where(np.abs(place.z - arch) < 8, 99, apart)
    pial = np.minimum(pial, fissure)
    return pial, pial - _CORTEX


def _ventricles(place: Place) -> Reals:
    """Return the distance inside the lateral ventricles."""
    u, v, w = np.abs(place.x) - 10, place.y + 2, place.z - 14
    radius = np.sqrt((u / 7) ** 2 + (v / 30) ** 2 + (w / 11) ** 2)
    return np.asarray((1 - radius) * 7)


def _thalamus(place: Place) -> Reals:
    """Return the distance inside the thalami."""
    u, v, w = np.abs(place.x) - 14, place.y + 12, place.z
    radius = np.sqrt((u / 9) ** 2 + (v / 14) ** 2 + (w / 9) ** 2)
    return np.asarray((1 - radius) * 9)


def _bundles(place: Place, arch: Reals) -> tuple[Reals, Reals]:
    """Return how bundles share the white matter, and where each of them runs."""
    x, y, z = place
    side, out = np.sign(x), np.abs(x)
    above = z - arch
    one = np.ones_like(x)
    weights = [
        np.exp(-((above / 9) ** 2) - (out / 34) ** 4),
        1.1 * np.exp(-(((out - 25) / 9) ** 2) - ((y + 6) / 24) ** 2),
        0.9 * np.exp(-(((out - 37) / 8) ** 2) - ((z - 18) / 26) ** 2),
        1.3 * np.exp(-(((out - 7) / 4) ** 2) - ((above - 8) / 4) ** 2),
        0.25 * one,
    ]
    courses = [
        (one, 0.0006 * x * y, 0.012 * x),
        (0.008 * side * z, 0.1 * one, one),
        (0.15 * side * np.sin(y / 40), one, -0.004 * y),
        (0 * one, one, -0.02 * y),
        (x / 68, y / 86, 0.6 * z / 66 + 0.2),
    ]
    shares = np.stack(weights) ** 2
    shares /= shares.sum(axis=0)
    shares[shares < _THIN] = 0
    shares /= shares.sum(axis=0)
    directions = np.stack([np.stack(course, axis=-1) for course in courses])
    directions[..., 1] *= -1  # forward is up in the image
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    return shares.astype(np.float32), directions.astype(np.float32)
