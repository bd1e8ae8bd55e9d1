"""DDRM: reconstruction by any denoiser, component by component of the spectrum."""

import warnings
from collections.abc import Sequence

import numpy as np

from kspace_denoise.arrays import Array, namespace
from kspace_denoise.random import Seed, complex_normal
from kspace_denoise.recon.ddrm_rule import ddrm_start, ddrm_step
from kspace_denoise.recon.diffusion_levels import Schedule, check_levels, relative_levels
from kspace_denoise.recon.estimate import Denoise
from kspace_denoise.recon.posterior import (
    Posterior,
    check_sampling_options,
    down_to_known,
    sample_slices,
)
from kspace_denoise.recon.signal_rms import component_rms
from kspace_denoise.recon.spectral import SpectralOperator, noise_of_components
from kspace_denoise.recon.spectral_choice import spectral_operator
from kspace_denoise.recon.whitened import Whitened

PRIOR = 0.3
"""Root mean square of a component under the prior, over that of the image."""
_ALL_NOISY = (
    "all spectral components of a slice have more noise than `prior_rms` (by default 0.3 of the "
    "image's root mean square), so that DDRM counts none as seen: its images are those of the "
    "prior alone, whatever the data say; take recon.split_gibbs, which weighs them (--method "
    "split-gibbs), or a larger prior_rms"
)


def ddrm(
    kspace: Array,
    maps: Array,
    mask: Array | None,
    denoise: Denoise,
    *,
    noise_covariance: Array,
    steps: int = 50,
    eta: float = 0.85,
    samples: int = 8,
    seed: Seed = 0,
    eta_b: float = 1.0,
    schedule: Schedule = "geometric",
    levels: Sequence[float] | None = None,
    prior_rms: float | None = None,
) -> Posterior:
    """Draw images that a denoiser believes in and that the k-space `(..., coils, ky, kx)` allows.

    Denoising Diffusion Restoration Models (Kawar et al., NeurIPS 2022) for raw k-space: a single
    coil of constant sensitivity with any mask, several coils where the mask is constant along one
    axis. The noise of a spectral component is sigma over its singular value; components with more
    noise than `prior_rms`, or a singular value below a thousandth of the largest, count as not
    seen; a warning tells where those are all. Where the last level is above the noise of components
    (as the lowest that a denoiser has learnt may be), these are drawn to the data at the end. The
    samples spread around the image, but they are not draws of the posterior, even with a perfect
    denoiser: docs/diffusion.md says by how much they differ.

    Args:
        kspace: k-space in any unit; values where the mask is 0 are ignored.
        maps: one set of coil maps `(..., coils, y, x)`; leading axes broadcast. Pixels where all
            maps are 0 get the image 0.
        mask: 1 where sampled, broadcastable to `(..., ky, kx)`; None means everywhere.
        denoise: `denoise(x, sigma)` returns the clean images of x `(samples, y, x)`, of the array
            kind of the k-space and in its unit over that of the maps; sigma is a float, the noise
            of x per real component.
        noise_covariance: Psi[i, j] = E[n_i conj(n_j)] of the k-space, `(coils, coils)`.
        steps: number of noise levels; none below the smallest that the denoiser has learnt (its
            attribute `smallest`).
        eta: share of the noise that is new in each step, 0 to 1.
        samples: how many images are drawn for each slice.
        seed: integer or generator.
        eta_b: share of the data in components that are better than the state, 0 to 1.
        schedule: of the noise levels, times the root mean square of the image per real component,
            as it is estimated from the data. "geometric" has fallen by the same fraction at every
            step, from 3 to 0.05; "ddpm", the paper's, are those of DDPM's linear schedule.
        levels: noise levels in the unit of the image in place of `steps`, falling, without 0; those
            below the smallest that the denoiser has learnt are left out here too.
        prior_rms: root mean square per real component that the prior gives a spectral component,
            in the unit of the image; None takes 0.3 times that of the image.

    Returns:
        Mean, standard deviation and samples, `(samples, ..., y, x)`, in the unit of `sense`.

    Raises:
        TypeError: if k-space or maps are not complex, or of different array kinds, or the denoiser
            returns another kind.
        ValueError: if shapes disagree, arrays hold NaN, the mask is empty, not 0 and 1, or varies
            along both axes, the covariance is missing or not positive definite, an option is out
            of its range, or the denoiser returns another shape.
    """
    check_sampling_options(noise_covariance, samples)
    _check(eta, eta_b, prior_rms)
    relative = relative_levels(steps, schedule)
    given = None if levels is None else check_levels(levels)

    def draw(piece: Whitened, own: Denoise, generator: np.random.Generator) -> Array:
        operator = spectral_operator(piece)
        seen, nsr = operator.seen(piece.kspace), noise_of_components(operator, 1.0)
        rms = component_rms(*piece)
        nsr = trusted(nsr, PRIOR * rms if prior_rms is None else prior_rms)
        falling = [level * rms for level in relative] if given is None else given
        own_levels = down_to_known(falling, denoise)
        drawn = draw_ddrm(operator, seen, nsr, own, own_levels, eta, eta_b, samples, generator)
        return with_better_data(operator, drawn, seen, nsr, own_levels[-1])

    return sample_slices(kspace, maps, mask, noise_covariance, denoise, draw, samples, seed)


def draw_ddrm(
    operator: SpectralOperator,
    seen: Array,
    nsr: Array,
    denoise: Denoise,
    levels: Sequence[float],
    eta: float,
    eta_b: float,
    samples: int,
    generator: np.random.Generator,
) -> Array:
    """Draw `samples` images from what the data show, `seen` `(y, x)` with noise `nsr`, in torch."""
    mean, spread = ddrm_start(levels[0], nsr)

    def noise() -> Array:
        return complex_normal((samples, *seen.shape), seen, generator)

    z = mean * seen + spread * noise()
    for level, following in zip(levels, [*levels[1:], 0.0], strict=True):
        clean = operator.spectrum(denoise(operator.image(z), level))
        if following == 0:
            break
        step = ddrm_step(level, following, nsr, eta, eta_b)
        z = step.clean * clean + step.state * z + step.data * seen + step.noise * noise()
    return operator.image(clean)


def with_better_data(
    operator: SpectralOperator, images: Array, seen: Array, nsr: Array, level: float
) -> Array:
    """Return clean estimates from the last noise level, with the data where these are less noisy.

    The data still know more than a denoiser that has learnt no lower level. The error of an
    estimate is at most the noise that it was made from: what comes out is the mean of
    N(estimate, level²) and N(ȳ, nsr²). Where no component of the data is that good nothing changes.
    """
    if not level > float(nsr.min()):
        return images
    spectrum = operator.spectrum(images)
    return operator.image(spectrum + level**2 / (level**2 + nsr**2) * (seen - spectrum))


def trusted(nsr: Array, prior_rms: float) -> Array:
    """Return the noise of components, infinite where it exceeds what the prior says without them.

    DDRM keeps the noise of the data in such components, where the posterior would shrink it. Warns
    where those are all.
    """
    xp = namespace(nsr)
    found = xp.where(nsr > prior_rms, float("inf"), nsr)
    if not xp.isfinite(found).any():
        warnings.warn(_ALL_NOISY, UserWarning, stacklevel=2)
    return found


def _check(eta: float, eta_b: float, prior_rms: float | None) -> None:
    if not (0 <= eta <= 1 and 0 <= eta_b <= 1):
        raise ValueError(f"eta is {eta} and eta_b {eta_b}, expected 0 to 1")
    if prior_rms is not None and not prior_rms > 0:
        raise ValueError(f"prior_rms is {prior_rms}, expected a positive number")
