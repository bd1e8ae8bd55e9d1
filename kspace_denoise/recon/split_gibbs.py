"""Split Gibbs sampling: draws of the posterior, from any denoiser of all noise levels."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from kspace_denoise.arrays import Array, namespace
from kspace_denoise.random import Seed, complex_normal
from kspace_denoise.recon.diffusion_levels import falling_levels
from kspace_denoise.recon.estimate import Denoise
from kspace_denoise.recon.posterior import (
    Posterior,
    check_sampling_options,
    sample_slices,
)
from kspace_denoise.recon.reverse_diffusion import reverse_diffusion
from kspace_denoise.recon.signal_rms import component_rms
from kspace_denoise.recon.spectral import SpectralOperator, noise_of_components
from kspace_denoise.recon.spectral_choice import spectral_operator
from kspace_denoise.recon.whitened import Whitened

_FIRST = 3.0  # coupling at the start, over the root mean square of the image
_LAST = 0.1  # level at which a reverse diffusion ends, over that at which it begins


def split_gibbs(
    kspace: Array,
    maps: Array,
    mask: Array | None,
    denoise: Denoise,
    *,
    noise_covariance: Array,
    sweeps: int = 30,
    steps: int = 8,
    samples: int = 8,
    seed: Seed = 0,
) -> Posterior:
    """Draw images from their posterior, given k-space `(..., coils, ky, kx)` and a denoiser.

    A twin z = x + ρ n of the image x goes between it and the data. Given x and the data, each
    spectral component of z is Gaussian; given z, x is drawn by a reverse diffusion from the level
    ρ (Vono et al., IEEE Trans. Signal Process. 67:1648, 2019; Coeurdoux et al., IEEE Trans. Image
    Process. 33:3496, 2024). ρ falls from three times the image's root mean square to that of the
    cleanest component. There the split is exact, not an approximation: the noise of the data is
    shared between both halves, nsr² = ρ² + (nsr² - ρ²), so that the draws of x are those of the
    posterior of the denoiser's prior, as far as the sweeps before have let it settle.

    Args:
        kspace: k-space in any unit; values where the mask is 0 are ignored.
        maps: one set of coil maps `(..., coils, y, x)`; leading axes broadcast. Pixels where all
            maps are 0 get the image 0.
        mask: 1 where sampled, broadcastable to `(..., ky, kx)`; None means everywhere.
        denoise: as for `ddrm`; it is asked `sweeps` · `steps` times for each sample.
        noise_covariance: Psi[i, j] = E[n_i conj(n_j)] of the k-space, `(coils, coils)`.
        sweeps: how often z and x are drawn in turn.
        steps: noise levels of each reverse diffusion.
        samples: how many images are drawn for each slice.
        seed: integer or generator.

    Returns:
        Mean, standard deviation and samples, `(samples, ..., y, x)`, in the unit of `sense`.

    Raises:
        TypeError, ValueError: as for `ddrm`.
    """
    check_sampling_options(noise_covariance, samples)
    if sweeps < 2 or steps < 2:
        raise ValueError(f"sweeps is {sweeps} and steps {steps}, expected at least 2 of each")

    def draw(piece: Whitened, own: Denoise, generator: np.random.Generator) -> Array:
        operator = spectral_operator(piece)
        seen, nsr = operator.seen(piece.kspace), noise_of_components(operator, 1.0)
        couplings = couplings_of(component_rms(*piece), float(namespace(nsr).min(nsr)), sweeps)
        return draw_split_gibbs(operator, seen, nsr, own, couplings, steps, samples, generator)

    return sample_slices(kspace, maps, mask, noise_covariance, denoise, draw, samples, seed)


def couplings_of(rms: float, cleanest: float, sweeps: int) -> list[float]:
    """Return ρ of each sweep: falling to the noise of the cleanest component, then staying."""
    first = max(_FIRST * rms, 2 * cleanest)
    falling = max(2, math.ceil(0.8 * sweeps))
    return falling_levels(first, cleanest, falling) + [cleanest] * (sweeps - falling)


def draw_split_gibbs(
    operator: SpectralOperator,
    seen: Array,
    nsr: Array,
    denoise: Denoise,
    couplings: Sequence[float],
    steps: int,
    samples: int,
    generator: np.random.Generator,
) -> Array:
    """Draw `samples` images from what the data show, `seen` `(y, x)` with noise `nsr`, in torch."""

    def noise() -> Array:
        return complex_normal((samples, *seen.shape), seen, generator)

    image = namespace(seen).zeros_like(seen)
    for coupling in couplings:
        twin = draw_twin(operator.spectrum(image), seen, nsr, coupling, noise)
        levels = falling_levels(coupling, _LAST * coupling, steps)
        image = reverse_diffusion(denoise, operator.image(twin), levels, noise)
    return image


def draw_twin(
    clean: Array, seen: Array, nsr: Array, coupling: float, noise: Callable[[], Array]
) -> Array:
    """Draw z given the spectrum of x and the data.

    A component that the data show with more noise than ρ: the product of N(x, ρ²) and
    N(ȳ, nsr² - ρ²). One that they show with less: ȳ, with noise added up to ρ. One that they do not
    show: N(x, ρ²).
    """
    xp = namespace(nsr)
    rho2 = coupling**2
    unseen = xp.isinf(nsr)
    rest = xp.where(unseen, 0.0, nsr**2 - rho2)  # noise of the data beside ρ
    noisier = rest > 0
    # The share of the data in the mean, ρ² / (ρ² + rest).
    share = xp.where(unseen, 0.0, xp.where(noisier, rho2 / xp.where(noisier, nsr**2, 1.0), 1.0))
    variance = xp.where(unseen, rho2, xp.where(noisier, rest * share, -rest))
    return (1 - share) * clean + share * seen + variance**0.5 * noise()
