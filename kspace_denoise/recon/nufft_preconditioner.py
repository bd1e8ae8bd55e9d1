"""Faster conjugate gradients on a trajectory: the density of its samples, undone."""

from collections.abc import Callable

from kspace_denoise.arrays import Array, namespace
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon.nufft_operator import NufftOperator

_FLOOR = 0.1  # of the mean density, added: the best of 0.01 to 1, see docs/trajectories.md


def trajectory_preconditioner(
    operator: NufftOperator, regularisation: float
) -> Callable[[Array], Array]:
    """Return x -> Fᴴ (d + d₀ + λ)^(-1) F x, on the pixels where the maps are not 0.

    d is the diagonal of F Eᴴ E Fᴴ, the best circulant approximation of the normal operator
    (T. Chan, SIAM J. Sci. Stat. Comput. 9:766, 1988): how densely k-space was sampled around each
    point, which for spokes falls from the centre outwards by two orders of magnitude.
    """
    xp = namespace(operator.maps)
    density = _density(operator)
    mean = xp.mean(density, axis=(-2, -1), keepdims=True)
    # Complex, as torch would convert them every time. Rounding may leave the density below 0.
    density = xp.where(density > 0, density, xp.zeros_like(density)) + _FLOOR * mean
    weight = xp.astype(1 / (density + regularisation), operator.maps.dtype)
    seen = xp.astype(xp.any(operator.maps != 0, axis=-3), operator.maps.dtype)

    def precondition(image: Array) -> Array:
        spectrum = fft2c(image, centred=False)
        spectrum *= weight
        return seen * ifft2c(spectrum, centred=False)

    return precondition


def _density(operator: NufftOperator) -> Array:
    """Return d `(..., ky, kx)`, uncentred: each kernel blurred with the maps' power spectrum."""
    xp = namespace(operator.maps)
    total: Array = None
    for part in operator.parts:
        spectra = fft2c(operator.maps * part.ramp, centred=False)
        power = xp.sum(xp.real(spectra) ** 2 + xp.imag(spectra) ** 2, axis=-3)
        power = fft2c(xp.astype(power, operator.maps.dtype), centred=False)
        blurred = fft2c(part.kernel, centred=False) * xp.conj(power)
        density = xp.real(ifft2c(blurred, centred=False, scaled=False))
        total = density if total is None else total + density
    return total
