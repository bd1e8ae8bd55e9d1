"""Regularised SENSE: what the reconstructions with a prior share."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from kspace_denoise.arrays import Array, like, namespace
from kspace_denoise.recon.sense_operator import SenseOperator, over_strength, unit_maps
from kspace_denoise.recon.whitened import slices_of, whitened


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
    white = whitened(kspace, maps, mask, noise_covariance)
    unit, strength = unit_maps(white.maps)
    slices = slices_of(white._replace(maps=unit))
    images = [like(solve(_misfit(*piece)), white.kspace) for piece in slices]
    xp = namespace(white.kspace)
    lead, grid = white.kspace.shape[:-3], white.kspace.shape[-2:]
    return over_strength(xp.reshape(xp.stack(images), (*lead, *grid)), strength)


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
    return Misfit(operator.normal, operator.adjoint(kspace), share)
