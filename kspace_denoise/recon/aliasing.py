"""SENSE solved exactly, with its noise, where the mask is constant along one axis."""

import warnings

import numpy as np

from kspace_denoise.arrays import Array, like, namespace, to_numpy
from kspace_denoise.recon.point_spread import alias_distance, blocks_of_rows, point_spread
from kspace_denoise.recon.sense_operator import SenseOperator, varying_axes

_SINGULAR = 1e-9  # relative eigenvalue below which coils do not separate aliased pixels
SINGULAR_REGULARISATION = 1e-6  # λ of such systems: noise is amplified 500 times at most


def unfold(
    operator: SenseOperator,
    combined: Array,
    regularisation: float = 0.0,
    power: Array | None = None,
) -> tuple[Array, Array]:
    """Return the image (EᴴE + λ)⁻¹ Eᴴ y and its noise variance per component, exactly.

    The inverse transform along the axis where the mask is constant leaves one small system for
    every position on it. With A = (Sᴴ S) ∘ PSF, where PSF is the circulant matrix of the mask,
    the image is (A + λ)⁻¹ Eᴴ y, and the covariance of white noise in it
    2 (A + λ)⁻¹ A (A + λ)⁻¹ (Pruessmann et al., Magn. Reson. Med. 42:952, 1999, equations 21 to
    24). Noise of unequal `power` brings the point spread of mask · power into the middle factor.
    Systems whose coils cannot separate the aliased pixels at all get a λ of at least 1e-6: both are
    then nearly those of the solution of least norm.

    Args:
        operator: of torch tensors, soft, with maps of unit norm over the coils, or 0 where there
            is no signal (image and variance are 0 there).
        combined: Eᴴ y, `(..., sets, y, x)`, of white noise with sigma = 1 per component, in double
            precision: rounding errors outside the range of A would come out a million times.
        regularisation: λ.
        power: relative noise power at every line of the undersampled axis and position of the
            other one, broadcastable to `(..., y, x)`; None means 1.

    Returns:
        The image `(..., sets, y, x)`, and the variance, in double precision, whose leading axes
        are those that maps, mask and power have (in the number of the image's axes).
    """
    if operator.mask is not None and varying_axes(operator.mask) == (-2,):
        turned = SenseOperator(_turned(operator.maps), _turned(operator.mask), soft=True)
        power = None if power is None else _turned(power)
        image, variance = unfold(turned, _turned(combined), regularisation, power)
        return _turned(image), _turned(variance)
    xp = namespace(combined)
    *lead, sets, rows, size = combined.shape
    lines = xp.ones(size) if operator.mask is None else operator.mask
    lines = lines if lines.ndim == 1 else lines[..., 0, :]
    given = [(operator.maps, 4), (lines, 1)] + ([] if power is None else [(power, 2)])
    own = np.broadcast_shapes(*(tuple(x.shape)[: x.ndim - kept] for x, kept in given))
    batch = (1,) * (len(lead) - len(own)) + own
    image = xp.empty_like(combined)
    variance = xp.empty((*batch, sets, rows, size), dtype=xp.float64, device=combined.device)
    for index in np.ndindex(*batch):
        part = tuple(i if n > 1 else slice(None) for i, n in zip(index, batch, strict=True))
        maps, line, *rest = (_pick(x, index, kept) for x, kept in given)
        repeated = xp.reshape(combined[part], (-1, sets, rows, size))
        solved, variance[index] = _unfold_slice(
            maps, to_numpy(line), rest[0] if rest else None, repeated, regularisation
        )
        image[part] = xp.reshape(solved, image[part].shape)
    return image, variance


def _turned(x: Array) -> Array:
    return namespace(x).matrix_transpose(x)


def _pick(x: Array, index: tuple[int, ...], kept: int) -> Array:
    """Return the entry of an array's leading axes that belongs to an index of the batch."""
    lead = x.shape[: x.ndim - kept]
    chosen = index[len(index) - len(lead) :]
    return x[tuple(i if n > 1 else 0 for i, n in zip(chosen, lead, strict=True))]


def _unfold_slice(
    maps: Array, line: Array, power: Array | None, combined: Array, regularisation: float
) -> tuple[Array, Array]:
    """Unfold along the last axis: maps `(sets, coils, rows, size)`, `line` `(size,)` on the host.

    `combined` is `(repetitions, sets, rows, size)`, `power` broadcastable to `(rows, size)`.
    """
    xp = namespace(maps)
    sets, coils, rows, size = maps.shape
    spread = point_spread(line)
    apart = alias_distance(spread)
    folded = (rows, size // apart, apart)
    maps = xp.reshape(xp.astype(maps, xp.complex128), (sets, coils, *folded))
    repeated = xp.reshape(combined, (-1, sets, *folded))
    noise = None
    if power is not None:
        noise = point_spread(np.broadcast_to(line * to_numpy(power), (rows, size)))
    image, variance = xp.zeros_like(repeated), xp.zeros((sets, *folded), dtype=xp.float64)
    variance = like(variance, maps)
    for block in blocks_of_rows(rows, sets**2 * size * folded[1]):
        # Pixels outside the object alias with nothing: leave them out of the systems.
        seen = np.flatnonzero(to_numpy(xp.any(maps[:, :, block, ...] != 0, axis=(0, 1, 2, 4))))
        if seen.size == 0:
            continue
        lags = (seen[:, None] - seen) * apart % size
        solved, spent = _solve(
            maps[:, :, block, ...][..., seen, :],
            like(spread[lags], maps),
            None if noise is None else like(noise[block][:, lags], maps),
            repeated[:, :, block, ...][..., seen, :],
            regularisation,
        )
        image[:, :, block, seen, :], variance[:, block, seen, :] = solved, spent
    return xp.reshape(image, combined.shape), xp.reshape(variance, (sets, rows, size))


def _solve(
    maps: Array, spread: Array, noise: Array | None, combined: Array, regularisation: float
) -> tuple[Array, Array]:
    """Solve the systems of some rows: maps `(sets, coils, rows, aliases, apart)`.

    `spread` `(aliases, aliases)` is the point spread of the mask between the aliased pixels,
    `noise` `(rows, aliases, aliases)` that of mask · power; `combined` is `(repetitions, sets,
    rows, aliases, apart)`.
    """
    xp = namespace(maps)
    sets, coils, rows, aliases, apart = maps.shape
    columns = xp.reshape(xp.permute_dims(maps, (2, 4, 0, 3, 1)), (rows, apart, -1, coils))
    b = xp.reshape(xp.permute_dims(combined, (2, 4, 1, 3, 0)), (rows, apart, sets * aliases, -1))
    gram = xp.conj(columns) @ xp.matrix_transpose(columns)
    root, exact = _inverse_root(gram * xp.tile(spread, (sets, sets)), regularisation)
    adjoint = xp.conj(xp.matrix_transpose(root))
    image = adjoint @ (root @ xp.astype(b, root.dtype))
    if noise is None and regularisation == 0 and exact:
        variance = xp.sum(xp.abs(root) ** 2, axis=-2)
    else:
        middle = xp.tile(spread, (sets, sets)) if noise is None else _per_system(noise, sets)
        inverse = adjoint @ root
        product = inverse @ (gram * middle)
        variance = xp.sum(xp.real(product * xp.conj(inverse)), axis=-1)
    variance = variance * xp.astype(xp.any(columns != 0, axis=-1), variance.dtype)
    image = xp.reshape(image, (rows, apart, sets, aliases, -1))
    variance = xp.reshape(variance, (rows, apart, sets, aliases))
    return (
        xp.astype(xp.permute_dims(image, (4, 2, 0, 3, 1)), combined.dtype),
        xp.permute_dims(variance, (2, 0, 3, 1)),
    )


def _per_system(noise: Array, sets: int) -> Array:
    xp = namespace(noise)
    return xp.tile(xp.expand_dims(noise, axis=1), (1, 1, sets, sets))


def _inverse_root(matrix: Array, regularisation: float) -> tuple[Array, bool]:
    """Return T with Tᴴ T = (A + λ)⁻¹ by Cholesky's factors, and whether λ is what was asked for.

    Singular systems get a λ of at least `SINGULAR_REGULARISATION`. Rows without signal get a 1 on
    the diagonal.
    """
    import torch

    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    matrix = matrix + (matrix == 0) * identity
    root, sound = _factor(matrix + (regularisation + 1e-14) * identity)
    if not sound.all():
        _warn_inseparable()
        lifted = matrix[~sound] + max(regularisation, SINGULAR_REGULARISATION) * identity
        root[~sound], _ = _factor(lifted)
    return root, bool(sound.all())


def _warn_inseparable() -> None:
    warnings.warn(
        "these coils cannot separate the pixels that this mask folds onto each other: some of the "
        "image stays folded, and the noise map does not show it; regularise, or sample more",
        RuntimeWarning,
        stacklevel=2,
    )


def _factor(matrix: Array) -> tuple[Array, Array]:
    """Return the inverse of Cholesky's factor, and which matrices are far from singular."""
    import torch

    factor, failed = torch.linalg.cholesky_ex(matrix)
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    root = torch.linalg.solve_triangular(factor, identity, upper=False)
    largest = root.abs().amax(dim=(-2, -1))
    return root, (failed == 0) & (largest < _SINGULAR**-0.5)
