"""Regularised SENSE: what the reconstructions with a prior share."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from kspace_denoise.arrays import Array, like, namespace, to_torch
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.recon.noise import combine_coils, whitening_matrix
from kspace_denoise.recon.sense_operator import (
    SenseOperator,
    check_maps,
    over_strength,
    sampling_mask,
    unit_maps,
)


class Misfit(NamedTuple):
    """½ |y - E x|² of one slice of whitened k-space and maps of unit norm, in torch."""

    normal: Callable[[Array], Array]
    """EᴴE, whose eigenvalues are at most 1, for images `(y, x)`."""
    combined: Array
    """Eᴴ y, `(y, x)`; its noise has sigma = 1 per component where k-space is fully sampled."""
    share: float
    """The part of k-space that was sampled."""


Solve: TypeAlias = Callable[[Misfit], Array]
"""Returns the image `(y, x)` that minimises the misfit plus a prior."""


def solve_slices(
    kspace: Array,
    maps: Array,
    mask: Array | None,
    noise_covariance: Array | None,
    solve: Solve,
) -> Array:
    """Whiten, scale the maps to unit norm, solve slice by slice, and return to the data's unit.

    The arguments, the unit of the image and the errors are those of `sense`.
    """
    check_kspace(kspace)
    check_kspace(maps, "maps")
    xp = namespace(kspace, maps)
    check_maps(kspace, maps)
    mask = sampling_mask(mask, kspace)
    maps = xp.astype(maps, kspace.dtype, copy=False)
    if noise_covariance is not None:
        matrix = whitening_matrix(like(noise_covariance, kspace))
        kspace, maps = combine_coils(matrix, kspace), combine_coils(matrix, maps)
    unit, strength = unit_maps(maps)
    lead, trailing = kspace.shape[:-3], kspace.shape[-3:]
    slices = xp.reshape(kspace, (-1, *trailing))
    count = slices.shape[0]
    units = per_slice(unit, lead, 3)
    masks = [None] * count if mask is None else per_slice(mask, lead, 2)
    images = [
        like(solve(_misfit(slices[i, ...], units[i], masks[i])), kspace) for i in range(count)
    ]
    stacked = xp.reshape(xp.stack(images), (*lead, *trailing[1:]))
    return over_strength(stacked, strength)


def check_strength(lam: float | None, iterations: int, tolerance: float) -> None:
    """Raise ValueError unless lambda, the number of iterations and the tolerance are usable."""
    if lam is not None and not 0 <= lam < float("inf"):
        raise ValueError(f"lam is {lam}, expected a finite number of at least 0, in units of sigma")
    if iterations < 1 or not 0 <= tolerance < 1:
        raise ValueError(
            f"iterations={iterations}, tolerance={tolerance}: expected at least 1 iteration and a "
            "tolerance from 0 to below 1"
        )


def _misfit(kspace: Array, maps: Array, mask: Array | None) -> Misfit:
    operator = SenseOperator(maps, mask)
    share = 1.0 if mask is None else float(mask.mean())
    return Misfit(operator.normal, operator.adjoint(to_torch(kspace)), share)


def per_slice(x: Array, lead: tuple[int, ...], kept: int) -> list[Array]:
    """Return one torch tensor for every slice of `lead`, of an array that broadcasts to it."""
    xp = namespace(x)
    own = (1,) * max(kept - x.ndim, 0) + tuple(x.shape)
    trailing = own[len(own) - kept :]
    whole = xp.broadcast_to(xp.reshape(x, own), (*lead, *trailing))
    flat = xp.reshape(whole, (-1, *trailing))
    return [to_torch(flat[i, ...]) for i in range(flat.shape[0])]
