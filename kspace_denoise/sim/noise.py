"""Receiver noise: circular complex Gaussian, with any covariance between the coils."""

import math
from typing import Any

import numpy as np

from kspace_denoise.arrays import Array, is_complex, like, namespace, real_dtype, to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.random import Seed
from kspace_denoise.sim.coil_noise import coil_noise


def add_noise(
    kspace: Array,
    noise_covariance: Array,
    seed: Seed,
    mask: Array | None = None,
    *,
    noise_profile: Array | None = None,
    noise_spectrum: Array | None = None,
) -> Array:
    """Add coil noise to k-space; the slices, coils and samples share one draw.

    Args:
        kspace: complex `(..., coils, ky, kx)`.
        noise_covariance: `(coils, coils)`, Ψ[i,j] = E[nᵢ conj(nⱼ)], in the squared unit of
            `kspace`: white noise of level sigma per real component has Ψ = 2σ²·I. It may be
            singular.
        seed: integer or generator.
        mask: broadcastable to `(..., ky, kx)`; only the samples it keeps receive noise. Without
            it all do, those that are 0 included: k-space of zeros gives noise alone.
        noise_profile: relative standard deviation over the image, see `noise_like`.
        noise_spectrum: relative power over k-space, see `noise_like`.

    Returns:
        The noisy k-space, of the kind and precision of `kspace`.

    Raises:
        TypeError: if the k-space is not complex.
        ValueError: if the covariance, the mask, the profile or the spectrum does not fit.
    """
    plain = mask is None and noise_profile is None and noise_spectrum is None
    if plain and not getattr(kspace, "requires_grad", False):
        return coil_noise(_root(noise_covariance, kspace), kspace, seed, add=True)
    noise = noise_like(
        kspace,
        noise_covariance,
        seed,
        noise_profile=noise_profile,
        noise_spectrum=noise_spectrum,
    )
    if mask is not None:
        noise *= _kept(mask, kspace)
    noise += kspace
    return noise


def noise_like(
    kspace: Array,
    noise_covariance: Array,
    seed: Seed,
    *,
    noise_profile: Array | None = None,
    noise_spectrum: Array | None = None,
) -> Array:
    """Draw coil noise alone, of the shape, kind and precision of `kspace`: see `add_noise`.

    `noise_profile`, broadcastable to `(y, x)`, is what a receiver filter leaves: the noise's
    standard deviation over the image, relative to that of the covariance. `noise_spectrum`,
    broadcastable to `(ky, kx)`, is the noise's relative power over k-space: unequal averaging, a
    taper, 0 where nothing was acquired. The filter acts first.

    Raises:
        TypeError: if the k-space is not complex.
        ValueError: if the covariance, the profile or the spectrum does not fit.
    """
    xp = namespace(kspace)
    root = _root(noise_covariance, kspace)
    profile = relative_noise(noise_profile, "noise_profile", kspace)
    spectrum = relative_noise(noise_spectrum, "noise_spectrum", kspace)
    noise = coil_noise(root, kspace, seed)
    if profile is not None:
        noise = fft2c(xp.astype(profile, real_dtype(kspace)) * ifft2c(noise))
    if spectrum is not None:
        noise = noise * xp.astype(xp.sqrt(spectrum), real_dtype(kspace))
    return noise


def covariance_root(noise_covariance: Array, coils: int) -> np.ndarray[Any, Any]:
    """Return the Hermitian square root of a coil covariance, complex128 `(coils, coils)`.

    Raises:
        ValueError: if the covariance has another size, is not finite, not Hermitian, or has an
            eigenvalue that is negative beyond the rounding of its precision.
    """
    psi = to_numpy(noise_covariance)
    if psi.shape != (coils, coils):
        raise ValueError(
            f"noise covariance has shape {psi.shape}, expected ({coils}, {coils}) for {coils} coils"
        )
    if not np.all(np.isfinite(psi)):
        raise ValueError("noise covariance holds NaN or infinite entries")
    epsilon = np.finfo(psi.dtype).eps if psi.dtype.kind in "fc" else np.finfo(np.float64).eps
    tolerance = 10 * coils * float(epsilon) * float(np.max(np.abs(psi)))
    psi = psi.astype(np.complex128)
    asymmetry = float(np.max(np.abs(psi - psi.conj().T)))
    if asymmetry > tolerance:
        raise ValueError(
            f"noise covariance is not Hermitian: it differs from its conjugate transpose by "
            f"{asymmetry:.3g}; expected Ψ[i,j] = E[n_i conj(n_j)]"
        )
    values, vectors = np.linalg.eigh(psi)
    if values[0] < -tolerance:
        raise ValueError(
            f"noise covariance has the negative eigenvalue {values[0]:.3g}: no noise can have it"
        )
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.conj().T)


def relative_noise(values: Array | None, name: str, kspace: Array) -> Array | None:
    """Check a noise profile `(y, x)` or spectrum `(ky, kx)`; return it with two axes, in float64.

    Raises:
        ValueError: if it does not broadcast to the grid of the k-space, or holds values that are
            negative, NaN or infinite.
    """
    if values is None:
        return None
    relative = np.atleast_2d(to_numpy(values))
    grid = tuple(kspace.shape[-2:])
    if relative.ndim > 2 or any(n not in (1, m) for n, m in zip(relative.shape, grid, strict=True)):
        raise ValueError(
            f"{name} of shape {tuple(values.shape)} does not broadcast to {grid}, the last two "
            f"axes of the k-space {tuple(kspace.shape)}"
        )
    if not (np.isfinite(relative).all() and (relative >= 0).all()):
        raise ValueError(f"{name} holds values that are negative, NaN or infinite")
    return like(relative.astype(np.float64), kspace)


def _root(noise_covariance: Array, kspace: Array) -> Array:
    """Check k-space and covariance; return the root that noise with E|w|² = 2 is mixed with."""
    if not is_complex(kspace):
        raise TypeError(
            f"k-space has dtype {kspace.dtype}, expected complex64 or complex128: noise of a "
            "receiver is complex"
        )
    if kspace.ndim < 3:
        raise ValueError(
            f"k-space has shape {tuple(kspace.shape)}, expected (..., coils, ky, kx); "
            "give one coil an axis of length 1"
        )
    root = covariance_root(noise_covariance, kspace.shape[-3]) * math.sqrt(0.5)
    return like(root, kspace, kspace.dtype)


def with_coil_axis(values: Array, name: str, kspace: Array) -> Array:
    """Return values of `(..., ky, kx)` or `(..., y, x)` with an axis of length 1 for the coils.

    Raises:
        ValueError: if they do not broadcast to the k-space without its coils.
    """
    values = like(values, kspace)
    xp = namespace(kspace)
    expected = (*kspace.shape[:-3], *kspace.shape[-2:])
    given = (1,) * (len(expected) - values.ndim) + tuple(values.shape)
    if len(given) > len(expected) or any(
        n not in (1, m) for n, m in zip(given, expected, strict=True)
    ):
        raise ValueError(
            f"{name} has shape {tuple(values.shape)}, which does not broadcast to {expected}, "
            f"the shape of the k-space {tuple(kspace.shape)} without its coils"
        )
    return xp.expand_dims(xp.reshape(values, given), axis=-3)


def _kept(mask: Array, kspace: Array) -> Array:
    """Return the mask as 0 and 1 of the precision of `kspace`, with a coil axis."""
    mask = with_coil_axis(mask, "mask", kspace)
    xp = namespace(kspace)
    return xp.astype(mask != xp.zeros_like(mask), real_dtype(kspace))
