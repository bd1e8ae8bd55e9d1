"""Checks of a trajectory that users bring: its shape, its range, and the unit it is in."""

import math

from kspace_denoise.arrays import Array, to_numpy

_ROUNDING = 1e-5  # relative: that of positions stored in single precision
_FEW_PIXELS = 8  # of a matrix this small, positions up to π may be cycles per field of view


def check_trajectory(trajectory: Array, shape: tuple[int, ...]) -> None:
    """Check a trajectory `(readouts, samples, 2)` for an image of `shape` (ny, nx).

    Its last axis is (ky, kx), in cycles per field of view: -n / 2 to n / 2 along an axis of n
    pixels.

    Raises:
        TypeError: if the positions are not real floating-point numbers.
        ValueError: if a shape is wrong, or positions are NaN, outside the range, or in another
            unit: cycles or radians per pixel.
    """
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"image shape is {tuple(shape)}, expected two positive numbers (y, x)")
    positions = to_numpy(trajectory)
    if positions.dtype.kind != "f":
        raise TypeError(
            f"trajectory is {positions.dtype}, expected real positions, float32 or float64"
        )
    if positions.ndim != 3 or positions.shape[-1] != 2 or 0 in positions.shape:
        raise ValueError(
            f"trajectory has shape {positions.shape}, expected (readouts, samples, 2) with (ky, kx)"
            " on the last axis; one readout needs its own axis of length 1"
        )
    reach = abs(positions).max(axis=(0, 1))
    if not math.isfinite(reach.sum()):
        raise ValueError("trajectory holds NaN or infinite positions; remove those samples first")
    _check_unit(float(reach.max()), shape)
    limits = [n / 2 * (1 + _ROUNDING) for n in shape]
    if any(k > limit for k, limit in zip(reach, limits, strict=True)):
        swapped = all(k <= limit for k, limit in zip(reach, reversed(limits), strict=True))
        raise ValueError(
            f"trajectory reaches |ky| = {reach[0]:.6g}, |kx| = {reach[1]:.6g} cycles per field of "
            f"view, beyond n / 2 of the image ({shape[0]}, {shape[1]}): "
            + (
                "its last axis seems to be (kx, ky), expected (ky, kx); give trajectory[..., ::-1]"
                if swapped
                else "give a larger image, or drop the samples outside"
            )
        )


def _check_unit(reach: float, shape: tuple[int, ...]) -> None:
    """Refuse a trajectory whose range is that of another unit."""
    if min(shape) <= _FEW_PIXELS:
        return
    for limit, unit, factor in (
        (0.5, "cycles per pixel (-0.5 to 0.5)", "(ny, nx)"),
        (math.pi, "radians per pixel (-π to π)", "(ny, nx) / (2 * numpy.pi)"),
    ):
        if reach <= limit * (1 + _ROUNDING):
            raise ValueError(
                f"trajectory reaches only {reach:.4g}, as if it were in {unit}; expected cycles "
                f"per field of view, -n / 2 to n / 2: multiply it by {factor}, here with "
                f"(ny, nx) = ({shape[0]}, {shape[1]})"
            )
