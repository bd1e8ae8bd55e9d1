"""Noise that is not flat, as SENSE sees it: where it was acquired, and how strong it is there.

n(k) = sqrt(spectrum(k)) · F(profile(x) · F⁻¹ w(k)) for white noise w: a receiver filter, then
unequal averaging. Both factors are relative to the noise covariance.
"""

import math

from kspace_denoise.arrays import Array, namespace
from kspace_denoise.fourier import fft2c, ifft2c


def zero_filled(kspace: Array, mask: Array | None = None) -> Array | None:
    """Return which sampled positions are 0 in all coils, `(..., ky, kx)`; None where none is.

    Such a position holds no noise: it was not acquired but filled with zeros. A pattern that all
    slices share comes back once, as `(ky, kx)`. `mask` is one of `sampling_mask`.
    """
    xp = namespace(kspace)
    empty = xp.all(kspace == 0, axis=-3)
    if mask is not None:
        empty = empty & (mask != 0)
    if not bool(xp.any(empty)):
        return None
    first = empty[(0,) * (empty.ndim - 2)]
    return first if bool(xp.all(empty == first)) else empty


def noise_power(
    profile: Array | None, spectrum: Array | None, axes: tuple[int, ...], grid: tuple[int, int]
) -> Array | None:
    """Return the relative power of the noise after the inverse transform along `axes`.

    Σ_x' |h(x - x')|² p²(x') with the profile p and h, the inverse transform of sqrt(spectrum).
    Broadcastable to `(..., y, x)`: image positions on `axes`, k-space positions on the other
    one. Independent of the lines of the other axis if the profile is constant along it. None where
    the noise is flat.
    """
    if spectrum is None:
        return None if profile is None else profile**2
    xp = namespace(spectrum)
    spectrum = xp.broadcast_to(spectrum, (*spectrum.shape[:-2], *grid))
    size = math.prod(grid[axis] for axis in axes)
    point = xp.abs(ifft2c(xp.astype(xp.sqrt(spectrum), xp.complex128), axes=axes)) ** 2 / size
    if profile is None:
        return xp.sum(point, axis=axes, keepdims=True)
    squares = xp.astype(xp.broadcast_to(profile**2, grid), xp.complex128)
    blurred = fft2c(xp.astype(point, xp.complex128), axes=axes) * fft2c(squares, axes=axes)
    # A blur of powers is not negative: what is, is rounding.
    return xp.abs(xp.real(ifft2c(blurred, axes=axes))) * math.sqrt(size)


def is_constant(x: Array, axis: int) -> bool:
    """Tell whether an array is constant along an axis."""
    first = x[..., :1, :] if axis == -2 else x[..., :1]
    return bool(namespace(x).all(x == first))
