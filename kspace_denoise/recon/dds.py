"""DDS: reconstruction by any denoiser, with conjugate gradients between its calls."""

from collections.abc import Callable, Sequence

import numpy as np

from kspace_denoise.arrays import Array
from kspace_denoise.random import Seed, complex_normal
from kspace_denoise.recon.data_consistency import Data, data_of
from kspace_denoise.recon.diffusion_levels import check_levels, ddpm_levels
from kspace_denoise.recon.estimate import Denoise
from kspace_denoise.recon.posterior import (
    Posterior,
    check_sampling_options,
    down_to_known,
    sample_slices,
)
from kspace_denoise.recon.whitened import Whitened


def dds(
    kspace: Array,
    maps: Array,
    mask: Array | None,
    denoise: Denoise,
    *,
    noise_covariance: Array,
    trajectory: Array | None = None,
    steps: int = 50,
    eta: float = 0.85,
    iterations: int = 5,
    variance: float | None = None,
    samples: int = 8,
    seed: Seed = 0,
    levels: Sequence[float] | None = None,
) -> Posterior:
    """Draw images that a denoiser believes in and that k-space of any sampling allows.

    Decomposed Diffusion Sampling (Chung, Lee, Ye, ICLR 2024): every clean estimate is moved to the
    data by a few conjugate gradients before noise is added again. It needs no singular value
    decomposition: masks may vary along both axes, and with a `trajectory` k-space is
    `(..., coils, readouts, samples)`. Like those of `ddrm` the samples are no draws of the
    posterior.

    Args:
        kspace: k-space in any unit; values where the mask is 0 are ignored.
        maps: one set of coil maps `(..., coils, y, x)`; leading axes broadcast. Pixels where all
            maps are 0 get the image 0.
        mask: 1 where sampled, broadcastable to `(..., ky, kx)`; None means everywhere, and with a
            trajectory there is none.
        denoise: as for `ddrm`.
        noise_covariance: Psi[i, j] = E[n_i conj(n_j)] of the k-space, `(coils, coils)`.
        trajectory: `(readouts, samples, 2)` in cycles per field of view; None: Cartesian.
        steps: number of noise levels, as for `ddrm`.
        eta: how much of the noise is new in each step, from 0, DDIM, to 1, as much as in DDPM.
        iterations: of conjugate gradients in each step.
        variance: how far the image may be from the clean estimate, mean square per real component
            in the unit of the image. None takes what a white prior as strong as the image leaves
            at the level; a number is the paper's constant γ (over the variance of the data).
        samples: how many images are drawn for each slice.
        seed: integer or generator.
        levels: noise levels in the unit of the image in place of `steps`, falling, without 0; none
            is asked for below the smallest that the denoiser has learnt.

    Returns:
        Mean, standard deviation and samples, `(samples, ..., y, x)`, in the unit of `sense`.

    Raises:
        TypeError, ValueError: as for `ddrm`, masks that vary along both axes allowed.
    """
    check_sampling_options(noise_covariance, samples)
    _check(eta, iterations, variance)
    relative = ddpm_levels(steps)
    given = None if levels is None else check_levels(levels)

    def draw(piece: Whitened, own: Denoise, generator: np.random.Generator) -> Array:
        data = data_of(piece, trajectory)
        rms = data.rms(piece)
        falling = [level * rms for level in relative] if given is None else given
        own_levels = down_to_known(falling, denoise)

        def spread(level: float) -> float:
            return variance_left(rms, level) if variance is None else variance

        def noise() -> Array:
            return complex_normal((samples, *piece.maps.shape[-2:]), piece.maps, generator)

        return draw_dds(data, own, own_levels, spread, eta, iterations, noise)

    return sample_slices(
        kspace, maps, mask, noise_covariance, denoise, draw, samples, seed, trajectory
    )


def draw_dds(
    data: Data,
    denoise: Denoise,
    levels: Sequence[float],
    spread: Callable[[float], float],
    eta: float,
    iterations: int,
    noise: Callable[[], Array],
) -> Array:
    """Draw as many images as `noise` returns, in torch; `spread(level)` is the variance."""
    x = levels[0] * noise()
    for level, following in zip(levels, [*levels[1:], 0.0], strict=True):
        estimate = denoise(x, level)
        clean = estimate + data.correction(estimate, spread(level), iterations)
        if following == 0:
            break
        added = eta * following * (1 - (following / level) ** 2) ** 0.5
        kept = (following**2 - added**2) ** 0.5 / level
        x = clean + kept * (x - estimate) + added * noise()
    return clean


def variance_left(rms: float, level: float) -> float:
    """Return the variance of x ~ N(0, rms²) that is left once it is seen with noise."""
    return rms**2 * level**2 / (rms**2 + level**2)


def _check(eta: float, iterations: int, variance: float | None) -> None:
    if not 0 <= eta <= 1:
        raise ValueError(f"eta is {eta}, expected 0 to 1")
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}, expected at least 1")
    if variance is not None and not 0 < variance < float("inf"):
        raise ValueError(f"variance is {variance}, expected a positive number")
