"""The dominant eigenvectors of a smooth field of Hermitian matrices over an image.

Those of a neighbouring pixel start a subspace iteration with Rayleigh-Ritz steps (Golub and Van
Loan, Matrix Computations, section 8.2), which needs a step or two; the few pixels that do not
converge are decomposed exactly. ESPIRiT's matrices are known by the few Fourier coefficients of
their entries, so they can be evaluated on grids of any spacing, each of which starts the next.

All arrays are torch tensors, laid out with the pixels last, where arithmetic on them vectorises.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.arrays import Array, like, namespace

Numpy: TypeAlias = np.ndarray[Any, Any]

TOLERANCE = 2e-3
"""Largest residual |M v - lambda v| / lambda_1 of an eigenvector of norm 1."""

_COARSEST = 1024  # pixels; a grid no larger than this is decomposed exactly
_STEPS = 4
_BLOCK = 2**19  # matrix entries held at once, which bounds the memory at any image size


class EigenPair(NamedTuple):
    """The two largest eigenvalues `(2, pixels)`, and unit eigenvectors `(2, coils, pixels)`."""

    values: Array
    vectors: Array


def dominant_pair(
    coefficients: Array, grid: tuple[int, int], exact: int = 1, spacing: int = 1
) -> EigenPair:
    """Return the two dominant eigenvectors of sum_l C[l] exp(2 pi i l x / grid) at every pixel.

    `coefficients` is `(y lags, x lags, coils, coils)`, with odd numbers of lags, centred, and at
    least two coils. The matrices must be positive semidefinite. The first `exact` eigenvectors
    are held to the tolerance; a second one beyond it has an error of a few percent, good enough
    to look at its eigenvalue. The pixels are those of `grid`, row by row, or with a `spacing` the
    centres of blocks of so many pixels.
    """
    xp = namespace(coefficients)
    rows, columns = (-(-size // spacing) for size in grid)
    start = None
    if rows * columns > _COARSEST:
        start = dominant_pair(coefficients, grid, exact, 2 * spacing).vectors
    blocks = []
    for block, matrices in _matrices(coefficients, grid, spacing):
        if start is None:
            blocks.append(decompose(matrices))
        else:
            blocks.append(refine(matrices, _on_finer_grid(start, block, columns), exact))
    values, vectors = (xp.concat(parts, axis=-1) for parts in zip(*blocks, strict=True))
    return EigenPair(values, vectors)


def fourier_rows(lags: int, size: int, spacing: int = 1) -> Numpy:
    """Return the matrix (positions x lags) from Fourier coefficients to an image axis.

    DC stands at position size // 2; with a spacing, positions are the centres of blocks.
    """
    blocks = np.arange(-(-size // spacing))
    positions = blocks * spacing + (spacing - 1) / 2 - size // 2
    lag = np.arange(lags) - lags // 2
    return np.asarray(np.exp(2j * math.pi / size * np.outer(positions, lag)))


def _matrices(
    coefficients: Array, grid: tuple[int, int], spacing: int
) -> Iterator[tuple[range, Array]]:
    """Yield blocks of rows with their matrices `(coils, coils, pixels)`."""
    xp = namespace(coefficients)
    lags_y, lags_x, coils, _ = coefficients.shape
    over_y, over_x = (
        like(fourier_rows(lags, size, spacing), coefficients, coefficients.dtype)
        for lags, size in zip((lags_y, lags_x), grid, strict=True)
    )
    entries = xp.permute_dims(coefficients, (2, 3, 0, 1))
    columns = over_x.shape[0]
    over_x = xp.matrix_transpose(over_x)
    height = max(1, _BLOCK // (columns * coils**2))
    for first in range(0, over_y.shape[0], height):
        block = range(first, min(first + height, over_y.shape[0]))
        along_y = over_y[block.start : block.stop, :] @ entries
        matrices = xp.reshape(along_y, (-1, lags_x)) @ over_x
        yield block, xp.reshape(matrices, (coils, coils, -1))


def _on_finer_grid(vectors: Array, block: range, columns: int) -> Array:
    """Take the vectors of the nearest pixels of a grid half as fine, for a block of rows."""
    coarse = vectors.reshape((*vectors.shape[:2], -1, -(-columns // 2)))
    coarse = coarse[:, :, block.start // 2 : (block.stop + 1) // 2, :]
    fine = coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    first = block.start % 2
    fine = fine[:, :, first : first + len(block), :columns]
    return fine.reshape((*vectors.shape[:2], -1))


def refine(matrices: Array, vectors: Array, exact: int = 1) -> EigenPair:
    """Improve approximate orthonormal eigenvectors `(2, coils, pixels)` up to the tolerance.

    `matrices` is `(coils, coils, pixels)`; the first `exact` vectors are held to the tolerance.
    """
    for _ in range(_STEPS):
        pair, images = _rayleigh_ritz(vectors, _apply(matrices, vectors))
        residual = _power(images - pair.values[:, None] * pair.vectors)
        wrong = (residual[:exact] > (TOLERANCE * pair.values[0]) ** 2).any(0)
        if not bool(wrong.any()):
            return pair
        vectors = _orthonormal(images)
    pair.values[:, wrong], pair.vectors[:, :, wrong] = decompose(matrices[:, :, wrong])
    return pair


def decompose(matrices: Array) -> EigenPair:
    """Return the two dominant eigenvectors of `(coils, coils, pixels)` by full decompositions."""
    xp = namespace(matrices)
    values, vectors = xp.linalg.eigh(xp.permute_dims(matrices, (2, 0, 1)))
    values, vectors = xp.flip(values[:, -2:], axis=-1), xp.flip(vectors[:, :, -2:], axis=-1)
    return EigenPair(values.T, xp.permute_dims(vectors, (2, 1, 0)))


def _apply(matrices: Array, vectors: Array) -> Array:
    """Multiply `(coils, coils, pixels)` with `(2, coils, pixels)` at every pixel."""
    images = matrices[:, 0] * vectors[:, :1]
    for coil in range(1, matrices.shape[1]):
        images.addcmul_(matrices[:, coil], vectors[:, coil : coil + 1])
    return images


def _rayleigh_ritz(vectors: Array, images: Array) -> tuple[EigenPair, Array]:
    """Turn two orthonormal vectors, and their images, to the best eigenvectors in their span."""
    xp = namespace(vectors)
    (v, w), (mv, mw) = vectors, images
    p, q, r = _product(v, mv).real, _product(w, mw).real, _product(v, mw)
    half = (p - q) / 2
    radius = xp.sqrt(half**2 + r.real**2 + r.imag**2)
    values = xp.stack([(p + q) / 2 + radius, (p + q) / 2 - radius])
    # The larger of two forms of the dominant eigenvector (x, y) of [[p, r], [conj(r), q]].
    first = half >= 0
    x = xp.where(first, (half + radius).to(r.dtype), r)
    y = xp.where(first, xp.conj(r), (radius - half).to(r.dtype))
    norm = xp.sqrt(x.real**2 + x.imag**2 + y.real**2 + y.imag**2)
    # Two equal eigenvalues: any vectors do, so the given ones stay.
    x, norm = xp.where(norm > 0, x, 1.0), xp.where(norm > 0, norm, 1.0)
    x, y = x / norm, y / norm

    def turned(a: Array, b: Array) -> Array:
        return xp.stack([x * a + y * b, xp.conj(x) * b - xp.conj(y) * a])

    return EigenPair(values, turned(v, w)), turned(mv, mw)


def _orthonormal(vectors: Array) -> Array:
    """Orthonormalise two vectors at every pixel."""
    xp = namespace(vectors)
    first = vectors[0] / _nonzero(xp.sqrt(_power(vectors[0])))
    second = vectors[1] - first * _product(first, vectors[1])
    return xp.stack([first, second / _nonzero(xp.sqrt(_power(second)))])


def _product(a: Array, b: Array) -> Array:
    """Return the inner products over the coils."""
    return (a.conj() * b).sum(-2)


def _power(vectors: Array) -> Array:
    """Return the squared norms over the coils."""
    return (vectors.real**2 + vectors.imag**2).sum(-2)


def _nonzero(norms: Array) -> Array:
    return norms.clamp(min=namespace(norms).finfo(norms.dtype).tiny)
