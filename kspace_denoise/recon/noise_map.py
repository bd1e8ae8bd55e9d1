"""How much a SENSE reconstruction amplifies noise: exactly, or by pseudo-replicas.

On whitened data with maps of unit norm over the coils a fully sampled image has sigma = 1 per
component everywhere, and an accelerated one g sqrt(R).
"""

import math
from collections.abc import Callable

import numpy as np

from kspace_denoise.arrays import Array, like, namespace, real_dtype, to_numpy
from kspace_denoise.fourier import ifft2c
from kspace_denoise.random import Seed, complex_normal, numpy_generator
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.recon.noise import combine_coils, whitening_matrix
from kspace_denoise.recon.sense_operator import sampling_mask, unit_maps

_BLOCK = 2**21  # matrix entries handled at once: bounds the memory at any number of slices
_SINGULAR = 1e-10  # relative eigenvalue below which coils do not separate aliased pixels


def noise_amplification(maps: Array, mask: Array, regularisation: float = 0.0) -> Array | None:
    """Return the exact sigma `(..., y, x)` of a SENSE image per component, or None.

    Exact wherever the mask is constant along one axis: the inverse transform along that axis
    leaves one small system per position, with the matrix A = (Sᴴ S) ∘ PSF, where PSF is the
    circulant matrix of the mask. The image is (A + λ)⁻¹ Eᴴ y, so its covariance is
    2 (A + λ)⁻¹ A (A + λ)⁻¹ and sigma² its diagonal over 2 (Pruessmann et al., Magn. Reson. Med.
    42:952, 1999, equations 21 to 24). None for any other mask.

    `maps` is `(..., coils, y, x)` with unit norm over the coils, or 0 where there is no signal
    (sigma is 0 there); `mask` is one of `sampling_mask`. Where coils cannot separate the aliased
    pixels, sigma is that of the solution of least norm.
    """
    xp = namespace(maps)
    if mask.ndim == 1 or mask.shape[-2] == 1:
        lines = mask[..., 0, :] if mask.ndim > 1 else mask
        return _along_last_axis(maps, lines, regularisation)
    if mask.shape[-1] == 1:
        turned = _along_last_axis(xp.matrix_transpose(maps), mask[..., 0], regularisation)
        return xp.matrix_transpose(turned)
    return None


def g_factor(maps: Array, mask: Array, noise_covariance: Array | None = None) -> Array:
    """Return the g-factor `(..., y, x)` of coil maps `(..., coils, y, x)` and a mask.

    The sigma of the accelerated image over that of the fully sampled one, less the factor
    sqrt(R) that fewer samples cost anyway (Pruessmann et al. 1999, equation 23). At least 1, and 0
    where all maps are 0. `mask` broadcasts to `(..., ky, kx)`; without `noise_covariance`
    `(coils, coils)` the maps are those of whitened coils.

    Raises:
        ValueError: if shapes disagree or the mask is not constant along one axis.
    """
    xp = namespace(maps)
    check_kspace(maps, "maps")
    if noise_covariance is not None:
        maps = combine_coils(whitening_matrix(like(noise_covariance, maps)), maps)
    unit, norm = unit_maps(maps)
    sampled = sampling_mask(mask, maps)
    if sampled is None:
        return xp.astype(norm > 0, norm.dtype)
    sigma = noise_amplification(unit, sampled)
    if sigma is None:
        raise ValueError(
            f"mask of shape {tuple(mask.shape)} is not constant along an axis, so the g-factor has "
            "no closed form; measure sigma with pseudo_replica_sigma"
        )
    axes = (-2, -1) if sampled.ndim > 1 else -1
    return sigma * xp.sqrt(xp.mean(sampled, axis=axes, keepdims=True))


def pseudo_replica_sigma(
    reconstruct: Callable[[Array], Array], kspace: Array, replicas: int, seed: Seed = 0
) -> Array:
    """Measure sigma `(..., y, x)` per component of any linear reconstruction by its own noise.

    `reconstruct` takes whitened noise of the shape of `kspace` (sigma = 1 per component) to an
    image; the root mean square over the replicas, per component, has the relative standard error
    1 / sqrt(4 replicas) in every pixel (Robson et al., Magn. Reson. Med. 60:895, 2008).

    Raises:
        ValueError: if there is no replica.
    """
    if replicas < 1:
        raise ValueError(f"replicas is {replicas}, expected at least 1")
    xp = namespace(kspace)
    generator = numpy_generator(seed) if isinstance(seed, (int, np.integer)) else seed
    power: Array = 0.0
    for _ in range(replicas):
        noise = complex_normal(tuple(kspace.shape), kspace, generator)
        power = power + xp.astype(xp.abs(reconstruct(noise)), xp.float64) ** 2
    return xp.astype(xp.sqrt(power / (2 * replicas)), real_dtype(kspace))


def _along_last_axis(maps: Array, lines: Array, regularisation: float) -> Array:
    """Return the amplification for masks `lines` `(..., x)` that select lines of the last axis."""
    xp = namespace(maps)
    coils, rows, size = maps.shape[-3:]
    batch = np.broadcast_shapes(maps.shape[:-3], lines.shape[:-1])
    lines = xp.broadcast_to(lines, (*lines.shape[:-1], size))
    maps = xp.reshape(xp.broadcast_to(maps, (*batch, coils, rows, size)), (-1, coils, rows, size))
    lines = xp.reshape(xp.broadcast_to(lines, (*batch, size)), (-1, size))
    sigmas = [
        _slice_amplification(maps[i, ...], to_numpy(lines[i, :]), regularisation)
        for i in range(maps.shape[0])
    ]
    seen = xp.astype(xp.any(maps != 0, axis=1), xp.float64)
    sigma = xp.stack(sigmas) * seen
    return xp.reshape(xp.astype(sigma, real_dtype(maps)), (*batch, rows, size))


def _slice_amplification(maps: Array, line: Array, regularisation: float) -> Array:
    """Return sigma `(rows, size)`, in float64, for the maps `(coils, rows, size)` of one slice."""
    xp = namespace(maps)
    coils, rows, size = maps.shape
    spread = _point_spread(line)
    # A pixel aliases only with pixels a multiple of `apart` away: independent, smaller systems.
    apart = math.gcd(size, *(int(lag) for lag in np.flatnonzero(np.abs(spread) > 1e-12)))
    aliases = size // apart
    lags = np.arange(aliases)[:, None] - np.arange(aliases)[None, :]
    circulant = like(spread[lags * apart % size], maps)
    sensitivities = xp.reshape(xp.astype(maps, xp.complex128), (coils, rows, aliases, apart))
    sensitivities = xp.permute_dims(sensitivities, (1, 3, 2, 0))
    step = max(1, _BLOCK // (size * aliases))
    variances = []
    for start in range(0, rows, step):
        block = sensitivities[start : min(start + step, rows), ...]
        gram = xp.conj(block) @ xp.matrix_transpose(block)
        variances.append(_diagonal_variance(gram * circulant, regularisation))
    variance = xp.permute_dims(xp.concat(variances, axis=0), (0, 2, 1))
    return xp.sqrt(xp.reshape(variance, (rows, size)))


def _point_spread(line: Array) -> Array:
    """Return the point spread of a line mask, by lag 0 ... n - 1, in complex128."""
    centred = ifft2c(line.astype(np.complex128), axes=(-1,)) / math.sqrt(line.size)
    return np.roll(centred, -(line.size // 2))


def _diagonal_variance(matrix: Array, regularisation: float) -> Array:
    """Return the diagonal of (A + λ)⁻¹ A (A + λ)⁻¹, of the pseudo-inverse where A + λ is singular.

    With B = (A + λ)⁻¹ it is that of B - λ B², and an inverse costs a fifth of the eigenvalues.
    """
    xp = namespace(matrix)
    identity = xp.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    # Rows without signal get a 1 on the diagonal; singular ones become merely enormous.
    unseen = xp.astype(matrix == 0, matrix.dtype) * identity
    inverse = xp.linalg.inv(matrix + unseen + (regularisation + 1e-3 * _SINGULAR) * identity)
    diagonal = xp.real(xp.sum(inverse * identity, axis=-1))
    if float(xp.max(diagonal)) < 1 / _SINGULAR:
        return diagonal - regularisation * xp.sum(xp.abs(inverse) ** 2, axis=-1)
    values, vectors = xp.linalg.eigh(matrix)
    kept = values > _SINGULAR
    safe = xp.where(kept, values, xp.ones_like(values))
    response = xp.where(kept, safe / (safe + regularisation) ** 2, xp.zeros_like(values))
    return xp.sum(xp.abs(vectors) ** 2 * xp.expand_dims(response, axis=-2), axis=-1)
