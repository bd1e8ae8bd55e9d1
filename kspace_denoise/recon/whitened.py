"""The door of reconstructions that work slice by slice: checks, whitening, and the slices."""

from typing import NamedTuple

from kspace_denoise.arrays import Array, like, namespace, to_torch
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.recon.gridding import check_maps_of_samples, check_samples
from kspace_denoise.recon.noise import combine_coils, whitening_matrix
from kspace_denoise.recon.sense_operator import check_maps, sampling_mask


class Whitened(NamedTuple):
    """k-space and maps `(..., coils, y, x)` whose noise has sigma = 1, and the mask or None."""

    kspace: Array
    maps: Array
    mask: Array | None


def whitened(
    kspace: Array, maps: Array, mask: Array | None, noise_covariance: Array | None
) -> Whitened:
    """Check k-space, one set of maps and the mask, and whiten them; None: they are white already.

    Arguments and errors are those of `sense`.
    """
    check_kspace(kspace)
    check_kspace(maps, "maps")
    xp = namespace(kspace, maps)
    check_maps(kspace, maps)
    mask = sampling_mask(mask, kspace)
    maps = xp.astype(maps, kspace.dtype, copy=False)
    return _whitened(kspace, maps, mask, noise_covariance)


def whitened_samples(
    kspace: Array,
    maps: Array,
    mask: Array | None,
    noise_covariance: Array | None,
    trajectory: Array,
) -> Whitened:
    """Do the same for samples `(..., coils, readouts, samples)` along a trajectory.

    Arguments and errors are those of `cg_sense`.

    Raises:
        ValueError: if there is a mask as well.
    """
    check_samples(kspace, trajectory)
    check_maps_of_samples(kspace, maps)
    if mask is not None:
        raise ValueError(
            "samples along a trajectory come without a mask, which says what of a grid was sampled"
        )
    maps = namespace(kspace).astype(maps, kspace.dtype, copy=False)
    return _whitened(kspace, maps, None, noise_covariance)


def _whitened(
    kspace: Array, maps: Array, mask: Array | None, noise_covariance: Array | None
) -> Whitened:
    if noise_covariance is not None:
        matrix = whitening_matrix(like(noise_covariance, kspace))
        kspace, maps = combine_coils(matrix, kspace), combine_coils(matrix, maps)
    return Whitened(kspace, maps, mask)


def slices_of(given: Whitened) -> list[Whitened]:
    """Return every slice of the leading axes of the k-space, in torch, with its maps and mask."""
    lead = given.kspace.shape[:-3]
    slices = _per_slice(given.kspace, lead, 3)
    masks = [None] * len(slices) if given.mask is None else _per_slice(given.mask, lead, 2)
    return list(map(Whitened, slices, _per_slice(given.maps, lead, 3), masks))


def _per_slice(x: Array, lead: tuple[int, ...], kept: int) -> list[Array]:
    """Return one torch tensor for every slice of `lead`, of an array that broadcasts to it."""
    xp = namespace(x)
    own = (1,) * max(kept - x.ndim, 0) + tuple(x.shape)
    trailing = own[len(own) - kept :]
    whole = xp.broadcast_to(xp.reshape(x, own), (*lead, *trailing))
    flat = xp.reshape(whole, (-1, *trailing))
    return [to_torch(flat[i, ...]) for i in range(flat.shape[0])]
