"""SENSE images in which the noise of every component of a scan's spectrum is known."""

import math
from typing import NamedTuple

from kspace_denoise import recon
from kspace_denoise.arrays import Array, like, namespace
from kspace_denoise.recon.sense_operator import (
    SenseOperator,
    over_strength,
    unit_maps,
    varying_axes,
)
from kspace_denoise.recon.spectral import noise_of_components
from kspace_denoise.recon.spectral_sense import SenseSampling, decompose
from kspace_denoise.recon.whitened import slices_of, whitened
from kspace_denoise.stages import Slice


class SpectralImage(NamedTuple):
    """An image of what a scan shows, `(y, x)`; components that it hardly shows are left out.

    `sigma` `(y, x)` is its noise, of which `noise` `(y, x)` are the components, infinite where left
    out.
    """

    image: Array
    sigma: Array
    noise: Array


def spectral_image(operator: SenseSampling, kspace: Array, limit: float) -> SpectralImage:
    """Return the image of whitened k-space `(coils, ky, kx)`, without components above `limit`.

    `limit` is a noise level: components with more than that are 0 in the image, and not observed.
    """
    noise = noise_of_components(operator, 1.0)
    xp = namespace(noise)
    shown = noise <= limit
    seen = xp.where(shown, operator.seen(kspace), 0)
    power = xp.where(shown, noise, 0.0) ** 2
    sigma = operator.variance(power) ** 0.5
    return SpectralImage(operator.image(seen), sigma, xp.where(shown, noise, float("inf")))


def limit_of(rms: float) -> float:
    """Return the noise above which a component counts as not observed, for an image's rms."""
    return rms / math.sqrt(2)


def check_decomposable(mask: Array | None) -> None:
    """Refuse a mask of `sampling_mask` that varies along both axes.

    Raises:
        ValueError: if it does.
    """
    if mask is not None and len(varying_axes(mask)) > 1:
        raise ValueError(
            "a mask varies along both axes, and what several coils see through it cannot be taken "
            "apart into components: give scans whose masks are constant along one axis"
        )


def spectral_slice(piece: Slice) -> Slice:
    """Return a slice with the image and the noise map of its observed components.

    Raises:
        ValueError: if the mask varies along both axes.
    """
    unit, strength = unit_maps(piece.coil_maps)
    (torch_piece,) = slices_of(whitened(piece.kspace, unit, piece.mask, None))
    check_decomposable(torch_piece.mask)
    limit = limit_of(recon.signal_rms(piece.kspace, piece.mask))
    operator = decompose(SenseOperator(torch_piece.maps, torch_piece.mask))
    found = spectral_image(operator, torch_piece.kspace, limit)
    image, sigma = (
        over_strength(like(x, piece.kspace), strength) for x in (found.image, found.sigma)
    )
    return piece._replace(image=image, sigma=sigma)
