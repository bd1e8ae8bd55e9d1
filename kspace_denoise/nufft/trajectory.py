"""Checks of a trajectory that users bring: its shape, its range, and the unit it is in."""

import math

from array_api_compat import is_array_api_obj

from kspace_denoise.arrays import Array, to_numpy

_ROUNDING = 1e-5  # relative: that of positions stored in single precision
_FEW_PIXELS = 8  # of a matrix this small, positions up to π may be cycles per field of view


def check_trajectory(trajectory: Array, shape: tuple[int, ...]) -> None:
    """Check a trajectory `(readouts, samples, 2)` for an image of `shape` (ny, nx).

    Its last axis is (ky, kx), in cycles per field of view: -n / 2 to n / 2 along an axis of n
    pixels.

    Raises:
        TypeError: if it is no array, or the positions are not real floating-point numbers.
        ValueError: if a shape is wrong, or positions are NaN, all 0, outside the range, or in
            another unit: cycles or radians per pixel.
    """
    check_array(trajectory, "trajectory", "(readouts, samples, 2)")
    if len(shape) != 2 or min(shape) < 1 or any(n % 1 for n in shape):
        raise ValueError(f"image shape is {tuple(shape)}, expected two positive integers (y, x)")
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


def check_array(x: Array, name: str, shape: str) -> None:
    """Raise TypeError if `x` is no array, which is expected to have a shape."""
    if not is_array_api_obj(x):
        raise TypeError(
            f"{name} is {type(x).__name__}, expected an array {shape}; numpy.asarray makes one"
        )


def _check_unit(reach: float, shape: tuple[int, ...]) -> None:
    """Refuse a trajectory whose range is that of another unit."""
    if reach == 0 and max(shape) > 1:
        raise ValueError(
            "every position of the trajectory is 0, the centre of k-space: no image can be made of "
            "it; give at least two samples on each readout"
        )
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
