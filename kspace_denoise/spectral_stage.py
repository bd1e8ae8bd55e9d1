"""SENSE images in which the noise of every component of a scan's spectrum is known."""

import math
from typing import NamedTuple

import numpy as np

from kspace_denoise import recon
from kspace_denoise.arrays import Array, like, namespace, to_numpy
from kspace_denoise.recon.coloured_noise import zero_filled
from kspace_denoise.recon.sense_operator import (
    SenseOperator,
    over_strength,
    unit_maps,
    varying_axes,
)
from kspace_denoise.recon.spectral import noise_of_components
from kspace_denoise.recon.spectral_sense import SenseSampling, decompose
from kspace_denoise.recon.whitened import slices_of, whitened
from kspace_denoise.stages import KnownNoise, Numpy, Slice

_AT_LEAST = 3.0  # times the noise of the cleanest component: up to there all are observed


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


def limit_of(rms: float, operator: SenseSampling) -> float:
    """Return the noise above which a component of an image of this strength is not observed.

    The root mean square of the image per real component; in an image fainter than its noise a few
    times the noise of the cleanest component, so that something always is.
    """
    cleanest = float(noise_of_components(operator, 1.0).min())
    return max(rms / math.sqrt(2), _AT_LEAST * cleanest)


def check_decomposable(mask: Array | None) -> None:
    """Refuse a mask of `sampling_mask` that varies along both axes.

    Raises:
        ValueError: if it does.
    """
    if mask is not None and len(varying_axes(mask)) > 1:
        raise ValueError(
            "what was sampled varies along both axes (by the mask, or by lines that are filled "
            "with zeros), and what several coils see so cannot be taken apart into components: "
            "give scans that were sampled alike along one axis"
        )


def spectral_slice(piece: Slice, noise: KnownNoise) -> Slice:
    """Return a slice with the image and the noise map of its observed components.

    Lines that are filled with zeros were not sampled.

    Raises:
        ValueError: if the mask varies along both axes, or the noise is not white.
    """
    if noise.profile is not None or noise.spectrum is not None:
        raise ValueError(
            "the noise of this scan differs over k-space or over the image, and a denoiser of the "
            "svd domain takes it for white in both: train one of the image domain"
        )
    unit, strength = unit_maps(piece.coil_maps)
    mask = sampled(to_numpy(piece.kspace), None if piece.mask is None else to_numpy(piece.mask))
    (own,) = slices_of(whitened(piece.kspace, unit, mask, None))
    check_decomposable(own.mask)
    operator = decompose(SenseOperator(own.maps, own.mask))
    limit = limit_of(recon.signal_rms(piece.kspace, mask), operator)
    found = spectral_image(operator, own.kspace, limit)
    image, sigma = (
        over_strength(like(x, piece.kspace), strength) for x in (found.image, found.sigma)
    )
    return piece._replace(image=image, sigma=sigma)


def sampled(kspace: Numpy, mask: Numpy | None) -> Numpy:
    """Return where k-space `(coils, ky, kx)` was acquired, bool `(ky, kx)`.

    Lines that are filled with zeros hold no noise: they were not.
    """
    given = np.broadcast_to(True if mask is None else mask.astype(bool), kspace.shape[-2:])
    empty = zero_filled(kspace)
    return given if empty is None else given & ~to_numpy(empty)
