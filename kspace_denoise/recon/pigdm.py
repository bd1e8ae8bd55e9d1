"""Pseudoinverse-guided diffusion: reconstruction by the gradient of any denoiser."""

import numpy as np

from kspace_denoise.arrays import Array, like, to_numpy, to_torch
from kspace_denoise.random import Seed, complex_normal
from kspace_denoise.recon.data_consistency import Data, data_of
from kspace_denoise.recon.dds import variance_left
from kspace_denoise.recon.diffusion_levels import falling_levels
from kspace_denoise.recon.estimate import Denoise
from kspace_denoise.recon.posterior import (
    Posterior,
    check_sampling_options,
    down_to_known,
    sample_slices,
)
from kspace_denoise.recon.reverse_diffusion import reverse_diffusion
from kspace_denoise.recon.whitened import Whitened

_FIRST = 30.0  # noise level at the start, over the root mean square of the image
_LAST = 0.1  # and at the end, over the noise of a fully sampled image


def pigdm(
    kspace: Array,
    maps: Array,
    mask: Array | None,
    denoise: Denoise,
    *,
    noise_covariance: Array,
    trajectory: Array | None = None,
    steps: int = 50,
    iterations: int = 10,
    samples: int = 8,
    seed: Seed = 0,
) -> Posterior:
    """Draw images by a reverse diffusion that is guided by k-space of any sampling.

    ΠGDM (Song et al., ICLR 2023): given an image of noise level d the clean one is taken for
    N(D, r²) around the denoiser's estimate D, r² = d² rms² / (d² + rms²), and the gradient of the
    likelihood of the data then leads. Exact for a white Gaussian prior; a baseline otherwise. It
    needs the derivative of the denoiser, and about three times its time.

    Args:
        kspace: as for `dds`.
        maps: as for `dds`.
        mask: as for `dds`.
        denoise: as for `ddrm`, but of torch tensors whatever the k-space is, and carrying
            gradients, as those of `Denoiser.prior` do.
        noise_covariance: Psi[i, j] = E[n_i conj(n_j)] of the k-space, `(coils, coils)`.
        trajectory: as for `dds`.
        steps: noise levels, from 30 times the root mean square of the image to a tenth of the
            noise of a fully sampled image.
        iterations: of conjugate gradients in each step.
        samples: how many images are drawn for each slice.
        seed: integer or generator.

    Returns:
        Mean, standard deviation and samples, `(samples, ..., y, x)`, in the unit of `sense`.

    Raises:
        TypeError, ValueError: as for `dds`; ValueError if the denoiser carries no gradients.
    """
    check_sampling_options(noise_covariance, samples)
    if steps < 2 or iterations < 1:
        raise ValueError(f"steps is {steps} and iterations {iterations}, expected at least 2 and 1")

    def draw(piece: Whitened, own: Denoise, generator: np.random.Generator) -> Array:
        data = data_of(piece, trajectory)
        rms = data.rms(piece)
        first = _FIRST * rms
        every = falling_levels(first, min(_LAST / _strength(piece), first / 2), steps)
        levels = down_to_known(every, denoise)

        def noise() -> Array:
            return complex_normal((samples, *piece.maps.shape[-2:]), piece.maps, generator)

        guided = with_data(own, data, rms, iterations)
        return reverse_diffusion(guided, first * noise(), levels, noise)

    data, whose = to_torch(kspace), to_torch(maps)
    mask, psi = (None if x is None else to_numpy(x) for x in (mask, noise_covariance))
    found = sample_slices(data, whose, mask, psi, denoise, draw, samples, seed, trajectory)
    return Posterior(*(None if x is None else like(x, kspace) for x in found))


def with_data(denoise: Denoise, data: Data, rms: float, iterations: int) -> Denoise:
    """Return the denoiser that knows the data: D + d² ∇ log p(y | x).

    With δ = E[x | y] - D under N(D, r²) that is D + (d / r)² Jᵀ δ, J the Jacobian of D.
    """

    def guided(x: Array, sigma: float) -> Array:
        point = x.detach().requires_grad_()
        clean = denoise(point, sigma)
        if not clean.requires_grad:
            raise ValueError(
                "denoise carries no gradients, which this sampler needs: compute in torch and "
                "without torch.no_grad, or take recon.dds"
            )
        variance = variance_left(rms, sigma)
        estimate = clean.detach()
        delta = data.correction(estimate, variance, iterations)
        (pulled,) = _gradient(clean, point, delta)
        return estimate + sigma**2 / variance * pulled

    return guided


def _gradient(clean: Array, point: Array, vector: Array) -> tuple[Array, ...]:
    import torch

    return torch.autograd.grad(clean, point, vector)


def _strength(piece: Whitened) -> float:
    """Return the norm of the maps where it is largest."""
    return float(abs(piece.maps).square().sum(0).max().sqrt())
