"""Faster conjugate gradients: the sampling density over k-space, undone."""

from collections.abc import Callable

from kspace_denoise.arrays import Array, namespace
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon.sense_operator import SenseOperator, to_corner

_FLOOR = 0.1  # of the mean density, added: bounds the amplification where little was sampled


def density_preconditioner(
    operator: SenseOperator, regularisation: float
) -> Callable[[Array], Array]:
    """Return x -> Fᴴ (d + d₀ + λ)^(-1/2) F x, on the pixels where the maps are not 0.

    d is the diagonal of F Eᴴ E Fᴴ, the best circulant approximation of the normal operator
    (T. Chan, SIAM J. Sci. Stat. Comput. 9:766, 1988): the mask blurred with the power spectrum of
    the maps, that is how densely k-space was sampled around every point. Its square root is taken
    because the gaps of a random mask are finer than that blur: there the inverse over-corrects.
    """
    xp = namespace(operator.maps)
    # Complex, as torch would convert them every time.
    weight = xp.astype(_density(operator, regularisation) ** -0.5, operator.maps.dtype)
    seen = xp.any(operator.maps != 0, axis=-3)
    everywhere = bool(xp.all(seen))
    seen = xp.astype(seen, operator.maps.dtype)

    def precondition(image: Array) -> Array:
        spectrum = fft2c(image, centred=False)
        spectrum *= weight
        smooth = ifft2c(spectrum, centred=False)
        return smooth if everywhere else seen * smooth

    return precondition


def _density(operator: SenseOperator, regularisation: float) -> Array:
    """Return d + d₀ + λ over k-space, uncentred, with the axes of the operator's images."""
    xp = namespace(operator.maps)
    grid = operator.maps.shape[-2:]
    mask = xp.ones(grid) if operator.mask is None else operator.mask
    mask = to_corner(xp.broadcast_to(mask, (*mask.shape[:-2], *grid)))
    if operator.soft and mask.ndim > 2:
        mask = xp.expand_dims(mask, axis=-3)
    coils = fft2c(operator.maps, centred=False)
    spectrum = xp.sum(xp.real(coils) ** 2 + xp.imag(coils) ** 2, axis=-3)
    mask_image, spectrum_image = (
        fft2c(xp.astype(x, operator.maps.dtype), centred=False) for x in (mask, spectrum)
    )
    density = xp.real(ifft2c(mask_image * xp.conj(spectrum_image), centred=False))
    mean = xp.mean(density, axis=(-2, -1), keepdims=True)
    sampled = xp.mean(mask, axis=(-2, -1), keepdims=True)
    density = density / xp.where(mean > 0, mean, xp.ones_like(mean)) * sampled
    return density + _FLOOR * sampled + regularisation
