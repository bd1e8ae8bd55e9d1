"""Where a slice lies in a head."""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.sim.coils import grid
from kspace_denoise.sim.fields import smooth_fields

Reals: TypeAlias = np.ndarray[Any, Any]
Window: TypeAlias = tuple[slice, slice]

WHOLE: Window = (slice(None), slice(None))


class Layer(NamedTuple):
    """A tissue that covers part of a slice; a later layer covers those before it."""

    tissue: str
    coverage: Reals
    """The fraction of each voxel, 0 to 1, float32, within the window."""
    window: Window = WHOLE


class Pose(NamedTuple):
    """Coordinates of the pixels in a head, and what all structures of the slice share."""

    y: Reals
    """Position in the image downwards, mm, `(ny, 1)`."""
    x: Reals
    """Position in the image to the right, mm, `(1, nx)`."""
    u: Reals
    """Position in the head to the left of the midline, mm, float32 `(ny, nx)`."""
    v: Reals
    """Position in the head in front of its centre, mm, float32 `(ny, nx)`."""
    height: float
    """Of the slice above the plane of the anterior and posterior commissures, mm."""
    atrophy: float
    """0 to 1: how far the spaces around and inside the brain have widened."""
    pixel: float
    """Size of a pixel, mm."""
    sharpness: Reals
    """1 / width of a boundary in the image, 1/mm, float32 `(ny, nx)`."""

    def crop(self, window: Window) -> "Pose":
        """Return the pose of a part of the slice."""
        rows, columns = window
        return self._replace(
            y=self.y[rows],
            x=self.x[:, columns],
            u=self.u[window],
            v=self.v[window],
            sharpness=self.sharpness[window],
        )

    def cover(self, distance: Reals) -> Reals:
        """Return the fraction of each voxel inside a boundary at a distance (positive inside)."""
        return np.clip(distance * self.sharpness + 0.5, 0, 1)


def bounds(inside: Reals) -> Window:
    """Return the smallest window that holds every True of a mask `(y, x)` that is not empty."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def draw_pose(shape: tuple[int, ...], generator: np.random.Generator) -> Pose:
    """Draw the height, thickness and direction of a slice and the deformation of the head.

    A boundary that crosses a slice of thickness t at an angle α off upright is t·tan(α) wide in
    the image; this width wanders over the slice.
    """
    y, x, pixel = grid(shape)
    height = generator.uniform(-5, 52)
    atrophy = generator.beta(1.0, 4.0)
    turn, shear = generator.normal(0, 0.07), generator.normal(0, 0.02)
    du, dv = generator.normal(0, 2.0, 2)
    warp_u, warp_v = smooth_fields(y, x, 130, generator)
    ripple_u, ripple_v = smooth_fields(y, x, 28, generator)
    c, s = math.cos(turn), math.sin(turn)
    u = (c * x - s * y + shear * y - du).astype(np.float32)
    v = (-(c * y + s * x) - dv).astype(np.float32)
    inner = np.clip(1.2 - np.hypot(u / 68, v / 85), 0, 1)
    u += 1.5 * warp_u + 1.2 * inner * ripple_u
    v += 1.5 * warp_v + 1.2 * inner * ripple_v
    tilt_a, tilt_b = smooth_fields(y, x, 25, generator)
    width = generator.uniform(0.3, 1.2) * np.minimum(tilt_a * tilt_a + tilt_b * tilt_b, 3)
    sharpness = 1 / np.hypot(pixel, width)
    return Pose(y, x, u, v, height, atrophy, pixel, sharpness)
