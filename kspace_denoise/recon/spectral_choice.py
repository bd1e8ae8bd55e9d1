"""Which singular value decomposition a scan has, if any."""

from kspace_denoise.arrays import Array
from kspace_denoise.recon.sense_operator import SenseOperator, varying_axes
from kspace_denoise.recon.spectral import FourierSampling, SpectralOperator
from kspace_denoise.recon.spectral_sense import decompose
from kspace_denoise.recon.whitened import Whitened

_CONSTANT = 1e-4  # relative deviation of a map's magnitude that counts as rounding


def spectral_operator(piece: Whitened) -> SpectralOperator:
    """Return the decomposition of one slice of whitened k-space.

    One coil of constant magnitude has one for any mask, more coils where the mask is constant
    along an axis.

    Raises:
        ValueError: if it has none, naming the reconstructions that need none.
    """
    maps, mask = piece.maps, piece.mask
    if len(maps) == 1 and _is_constant(maps[0]):
        sampled = maps.real.new_ones(1) if mask is None else mask
        return FourierSampling(sampled, maps[0])
    if mask is not None and len(varying_axes(mask)) == 2:
        raise ValueError(
            f"the mask varies along both axes, and {len(maps)} coil maps have a singular value "
            "decomposition of small parts only where it is constant along one: take recon.dds or "
            "recon.pigdm (--method dds, pigdm), samplers that need none"
        )
    return decompose(SenseOperator(maps, mask))


def _is_constant(coil_map: Array) -> bool:
    magnitude = coil_map.abs()
    largest = magnitude.max()
    return bool(largest > 0) and bool((largest - magnitude.min()) <= _CONSTANT * largest)
