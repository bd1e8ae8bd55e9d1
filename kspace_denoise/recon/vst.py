"""Variance stabilisation of magnitude images: Rician and non-central chi noise made even.

The noise of a magnitude depends on the signal: its standard deviation falls from sigma to 0.655
sigma where there is none, and its mean is too high. `vst` maps the magnitude such that the noise
has standard deviation 1 everywhere; a denoiser for Gaussian noise then does its work, and
`inverse_vst` returns the amplitude. Complex images need none of this.
"""

from typing import get_args

from kspace_denoise.arrays import Array
from kspace_denoise.recon.vst_checks import (
    check_coils,
    check_magnitude,
    check_range,
    check_real,
    check_sigma,
)
from kspace_denoise.recon.vst_forms import Form, stabiliser
from kspace_denoise.recon.vst_inverse import unbiased_inverse


def vst(
    magnitude: Array, sigma: float | Array, coils: float = 1, form: Form = "optimised"
) -> Array:
    """Return the stabilised image z: dimensionless, its noise of standard deviation 1.

    One coil, or any combination with fixed weights (SENSE, adaptive), is Rician noise; the root
    sum of squares of L whitened coils is non-central chi (Foi, ISBI 2011). The forms, nu being the
    amplitude over sigma and L the number of coils:

    - optimised: smooth and increasing, slope dz/d(magnitude/sigma) between 0.3 and 4; standard
      deviation within 0.02 of 1 for every nu >= 0 and every L. Negative where there is no signal.
    - asymptotic: sqrt(max(m^2/sigma^2 - L + 1/2, 0)); the standard deviation is within 0.05 of 1
      from nu = 1.5 sqrt(L) on. Without signal it is 0.78 for one coil, 1.07 for 8.

    - identity: m/sigma, not stabilised; for `inverse_vst`, which then removes the bias of a
      denoised magnitude.

    The first two tend to sqrt(m^2/sigma^2 - L + 1/2) for high SNR. The first call for a number of
    coils makes a table, in about 0.1 s.

    Args:
        magnitude: float32 or float64, any shape; the result has its kind, precision and device.
        sigma: noise of each real component before the magnitude was taken, in the unit of the
            magnitude: a number, or a map `(..., y, x)` that broadcasts to the magnitude.
        coils: of equal and independent noise in the root sum of squares; an effective number
            (`rss_noise`) need not be whole. From 1 to 128.
        form: "optimised", "asymptotic" or "identity".

    Raises:
        TypeError: if the image is complex or not a float array, or sigma or coils not a number.
        ValueError: if the magnitude is negative, NaN or infinite, sigma not positive or of another
            shape, their ratio too large to be written, the number of coils out of range, or the
            form unknown.
    """
    form, coils = _form(form), check_coils(coils)
    check_magnitude(magnitude, "magnitude")
    noise = check_sigma(sigma, magnitude)
    check_range(magnitude, noise)
    return stabiliser(form, coils)(magnitude / noise)


def inverse_vst(
    z: Array,
    sigma: float | Array,
    coils: float = 1,
    form: Form = "optimised",
    *,
    unbiased: bool = True,
) -> Array:
    """Return the amplitude whose stabilised magnitudes have the mean z, in the unit of sigma.

    A denoiser's output estimates the mean of z. The amplitude A follows from E[z | A] = z, which is
    solved exactly (to 1e-5 sigma; in single precision the rounding of z makes up to 5e-3 sigma near
    no signal): the bias of the magnitude is gone. A mean at or below that of no signal, E[z | 0],
    has the answer 0; such values are common in the background.

    `unbiased=False` undoes the function itself, which leaves the bias of the magnitude in (and adds
    a small one): more than sigma for one coil without signal. It is there to compare with.

    Args:
        z: float32 or float64, any shape.
        sigma: as it was given to `vst`.
        coils: as it was given to `vst`.
        form: as it was given to `vst`.
        unbiased: whether to return the amplitude, or the magnitude that maps to z.

    Raises:
        TypeError: if z is complex or not a float array, or sigma or coils not a number.
        ValueError: if z holds NaN or infinity, sigma is not positive or of another shape, the
            number of coils out of range, or the form unknown.
    """
    form, coils = _form(form), check_coils(coils)
    check_real(z, "z")
    noise = check_sigma(sigma, z)
    back = unbiased_inverse(form, coils) if unbiased else stabiliser(form, coils).undo
    return noise * back(z)


def _form(form: Form) -> Form:
    if form not in get_args(Form):
        raise ValueError(f"form is {form!r}, expected one of {', '.join(get_args(Form))}")
    return form
