"""Coil maps from the calibration region of k-space: ESPIRiT, one set of maps.

Uecker et al., Magn. Reson. Med. 71:990 (2014). Windows of k-space over all coils span a small
subspace. Projecting every window on it and putting the windows back (operator W of equation 7) is
one convolution, hence one coils x coils matrix per pixel, whose eigenvector of eigenvalue 1 holds
the sensitivities there.
"""

import math

import numpy as np

from kspace_denoise.arrays import Array, complex_dtype, like, namespace, real_dtype
from kspace_denoise.fourier import ifft2c
from kspace_denoise.recon.checks import check_kspace

_SQUARINGS, _APPLICATIONS = 4, 8
_BLOCK = 2**18  # matrix entries handled at once: bounds the memory at any image size


def espirit(
    kspace: Array,
    calibration: int | tuple[int, int] = 24,
    sets: int = 1,
    *,
    kernel: int = 5,
    threshold: float = 0.01,
    sigma: float | None = None,
    crop: float = 0.0,
) -> Array:
    """Estimate coil maps `(..., coils, y, x)` from the centre of k-space `(..., coils, ky, kx)`.

    Every pixel's map has the norm 1 over the coils, and a phase relative to the principal virtual
    coil of the calibration data (largest component real), so maps are smooth and no single coil
    must see everything. One coil: the map is 1. Slices are calibrated one by one.

    A singular vector of the calibration matrix with singular value s has the weight
    1 - (cutoff/s)^2, or 0 below the cutoff. The cutoff is `threshold` times the largest s or, if
    higher, the largest s that noise alone reaches.

    Args:
        kspace: k-space, best whitened, with a fully sampled centre.
        calibration: size of that centre in samples, one number or (ky, kx).
        sets: number of sets of maps; this version estimates one.
        kernel: side of the k-space windows in samples.
        threshold: relative singular value below which nothing counts as signal.
        sigma: noise of the k-space per real component, 1 after `whiten`; None if unknown.
        crop: pixels whose eigenvalue is below it get zero maps. The default drops none, because
            a denoiser needs the background too; 0.8 to 0.95 keep the object only.

    Raises:
        TypeError: if the k-space is not complex.
        ValueError: if the calibration region is smaller than the kernel, larger than the matrix
            or not fully sampled, if sets is not 1, or the k-space is malformed or holds NaN,
            or threshold or crop are not from 0 to below 1.
    """
    check_kspace(kspace)
    if sets != 1:
        raise ValueError(f"sets is {sets}, but this version estimates one set of maps: use sets=1")
    if not (0 <= threshold < 1 and 0 <= crop < 1):
        raise ValueError(f"threshold={threshold}, crop={crop}: expected both from 0 to below 1")
    xp = namespace(kspace)
    coils, *grid = kspace.shape[-3:]
    if coils == 1 and crop == 0:
        return xp.ones_like(kspace)
    size = calibration if isinstance(calibration, tuple) else (calibration, calibration)
    centre = calibration_region(kspace, size, kernel)
    slices = xp.reshape(centre, (-1, coils, *size))
    maps = []
    for i in range(slices.shape[0]):
        weighted = _signal_projector(slices[i, ...], kernel, threshold, sigma)
        operator = _convolution_kernel(weighted, coils, kernel)
        reference = _principal_coil(slices[i, ...])
        maps.append(_dominant_vectors(operator, reference, tuple(grid), crop, kspace))
    return xp.reshape(xp.stack(maps), kspace.shape)


def calibration_region(kspace: Array, size: tuple[int, ...], kernel: int) -> Array:
    """Return the central samples of k-space, checked to be there and sampled."""
    ky, kx = kspace.shape[-2:]
    if len(size) != 2:
        raise ValueError(f"calibration is {size}, expected one number or (ky, kx)")
    if not kernel <= min(size) or not (size[0] <= ky and size[1] <= kx) or kernel < 2:
        raise ValueError(
            f"calibration region {size} with kernel {kernel} does not fit k-space of {ky} x {kx}: "
            "the kernel (2 or more) must fit into the region and the region into the matrix"
        )
    y, x = ky // 2 - size[0] // 2, kx // 2 - size[1] // 2
    centre = kspace[..., y : y + size[0], x : x + size[1]]
    xp = namespace(kspace)
    empty = xp.all(centre == 0, axis=-3)
    if bool(xp.any(empty)):
        count = int(xp.sum(xp.astype(empty, xp.int64)))
        raise ValueError(
            f"{count} samples of the central {size[0]} x {size[1]} calibration region are zero in "
            "all coils, so not sampled; choose a smaller calibration region"
        )
    return centre


def noise_edge(sigma: float, windows: int, entries: int) -> float:
    """Return the largest singular value of `windows` x `entries` complex white noise.

    The Marchenko-Pastur edge sigma sqrt(2) (sqrt(windows) + sqrt(entries)). The entries of a
    calibration matrix repeat; measured on such matrices the edge still holds within 3 %.
    """
    return sigma * math.sqrt(2) * (math.sqrt(windows) + math.sqrt(entries))


def _signal_projector(centre: Array, kernel: int, threshold: float, sigma: float | None) -> Array:
    """Return the weighted projector on the subspace of the windows, in complex128."""
    xp = namespace(centre)
    coils, cy, cx = centre.shape
    rows, columns = cy - kernel + 1, cx - kernel + 1
    double = xp.astype(centre, xp.complex128)
    shifted = [
        xp.reshape(double[:, i : i + rows, j : j + columns], (coils, 1, -1))
        for i in range(kernel)
        for j in range(kernel)
    ]
    windows = xp.reshape(xp.concat(shifted, axis=1), (-1, rows * columns))
    powers, vectors = xp.linalg.eigh(windows @ xp.conj(xp.matrix_transpose(windows)))
    cutoff = threshold**2 * float(powers[-1])
    if sigma is not None:
        cutoff = max(cutoff, noise_edge(sigma, rows * columns, windows.shape[0]) ** 2)
    # The largest singular vector always counts: maps of pure noise are useless, but defined.
    cutoff = min(cutoff, 0.99 * float(powers[-1]))
    weights = xp.where(powers > cutoff, 1 - cutoff / xp.where(powers > cutoff, powers, 1.0), 0.0)
    return (vectors * xp.astype(weights, vectors.dtype)) @ xp.conj(xp.matrix_transpose(vectors))


def _convolution_kernel(projector: Array, coils: int, kernel: int) -> Array:
    """Sum the projector over equal lags: `(2 kernel - 1, 2 kernel - 1, coils, coils)`."""
    xp = namespace(projector)
    blocks = xp.reshape(projector, (coils, kernel, kernel, coils, kernel, kernel))
    blocks = xp.flip(xp.permute_dims(blocks, (1, 2, 4, 5, 0, 3)), axis=(2, 3))
    lags = 2 * kernel - 1
    summed = like(np.zeros((lags, lags, coils, coils), dtype=np.complex128), projector)
    for i in range(kernel):
        for j in range(kernel):
            summed[i : i + kernel, j : j + kernel, ...] += blocks[i, j, ...]
    return summed / kernel**2


def _principal_coil(centre: Array) -> Array:
    """Return the coil combination `(coils,)` of most power; its largest component is real."""
    xp = namespace(centre)
    samples = xp.reshape(xp.astype(centre, xp.complex128), (centre.shape[0], -1))
    principal = xp.linalg.eigh(samples @ xp.conj(xp.matrix_transpose(samples)))[1][:, -1]
    largest = principal[int(xp.argmax(xp.abs(principal)))]
    return principal * xp.conj(largest) / xp.abs(largest)


def _dominant_vectors(
    operator: Array, reference: Array, grid: tuple[int, ...], crop: float, kspace: Array
) -> Array:
    """Return the maps `(coils, y, x)`, in blocks of columns, in the precision of the k-space."""
    xp = namespace(operator)
    dtype = complex_dtype(kspace)
    lags, _, coils, _ = operator.shape
    along_y = like(_interpolation(lags, grid[0]), operator) @ xp.reshape(operator, (lags, -1))
    along_y = xp.permute_dims(xp.reshape(along_y, (grid[0], lags, coils**2)), (1, 0, 2))
    along_y = xp.reshape(xp.astype(along_y, dtype), (lags, -1))
    over_x = like(_interpolation(lags, grid[1]), operator, dtype)
    virtual = xp.astype(xp.conj(reference), dtype)
    columns = max(1, _BLOCK // (grid[0] * coils**2))
    blocks = []
    for start in range(0, grid[1], columns):
        matrices = over_x[start : min(start + columns, grid[1]), :] @ along_y
        vectors, values = _power_iteration(xp.reshape(matrices, (-1, grid[0], coils, coils)))
        seen = xp.sum(virtual * vectors, axis=-1, keepdims=True)
        size = xp.abs(seen)
        phase = xp.where(size > 0, xp.conj(seen), xp.ones_like(seen))
        phase = phase / xp.where(size > 0, size, xp.ones_like(size))
        kept = xp.astype(values >= crop, dtype)[..., None]
        blocks.append(vectors * phase * kept)
    return xp.permute_dims(xp.concat(blocks, axis=0), (2, 1, 0))


def _interpolation(lags: int, size: int) -> Array:
    """Return the matrix (size x lags) from samples at k-space lags -l ... l to an image axis."""
    impulses = np.zeros((lags, size), dtype=np.complex128)
    for row in range(lags):
        impulses[row, (size // 2 + row - lags // 2) % size] = math.sqrt(size)
    return ifft2c(impulses, axes=(-1,)).T.copy()


def _power_iteration(matrices: Array) -> tuple[Array, Array]:
    """Return dominant unit eigenvectors `(..., coils)` and eigenvalues of `(..., coils, coils)`.

    16 x 8 power iterations, as eight applications of the 16th power: where the second eigenvalue
    is below 0.95 of the first, what is left of its vector is below 1.5e-3. They start from the
    coil with the largest diagonal, which always contains the wanted vector.
    """
    xp = namespace(matrices)
    coils = matrices.shape[-1]
    power = matrices
    for _ in range(_SQUARINGS // 2):
        # Scaling to the trace keeps the largest eigenvalue within 1/coils and 1.
        power = power / xp.linalg.trace(power)[..., None, None]
        power = power @ power
        power = power @ power
    largest = xp.argmax(xp.real(xp.linalg.diagonal(power)), axis=-1)
    identity = xp.eye(coils, dtype=matrices.dtype, device=matrices.device)
    vectors = xp.take(identity, xp.reshape(largest, (-1,)), axis=0)
    vectors = xp.reshape(vectors, (*matrices.shape[:-1], 1))
    for _ in range(_APPLICATIONS):
        vectors = power @ vectors
        vectors = vectors / xp.linalg.vector_norm(vectors, axis=-2, keepdims=True)
    values = xp.real(xp.sum(xp.conj(vectors) * (matrices @ vectors), axis=(-2, -1)))
    return vectors[..., 0], xp.astype(values, real_dtype(matrices))
