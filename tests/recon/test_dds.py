"""DDS and ΠGDM with the perfect denoiser of a Gaussian prior, against what they must draw."""

import itertools
import math

import numpy as np
import pytest
import torch

from kspace_denoise import recon, sim
from kspace_denoise.recon.data_consistency import Data, data_of
from kspace_denoise.recon.dds import draw_dds, variance_left
from kspace_denoise.recon.diffusion_levels import ddpm_levels, falling_levels
from kspace_denoise.recon.pigdm import with_data
from kspace_denoise.recon.reverse_diffusion import reverse_diffusion
from kspace_denoise.recon.sense_operator import SenseOperator
from kspace_denoise.recon.whitened import Whitened
from tests.recon.cases import disc, smooth_maps
from tests.recon.test_ddrm import perfect, scan, shrink

SHAPE, COILS, STRENGTH = (5, 6), 3, 3.0


def measured() -> tuple[torch.Tensor, Data, torch.Tensor]:
    """Return A as a matrix, and data of noise 1 of one image, by a mask that varies on both axes.

    The maps have the norm `STRENGTH`: well seen pixels have noise of a third.
    """
    mask = (torch.rand(SHAPE, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    maps = STRENGTH * torch.from_numpy(smooth_maps(COILS, SHAPE)).to(torch.complex128)
    operator = SenseOperator(maps, mask)
    pixels = torch.eye(math.prod(SHAPE), dtype=torch.complex128).reshape(-1, *SHAPE)
    matrix = operator.forward(pixels).flatten(1).mT
    kspace = torch.randn(COILS, *SHAPE, dtype=torch.complex128, generator=generator(7))
    kspace = operator.forward(torch.ones(SHAPE) * (0.8 - 0.5j)) + 2**0.5 * kspace * mask
    return matrix, Data(operator, operator.adjoint(kspace)), kspace


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int, seed: int):
    """Return a function that draws `count` images of N(0, 1) per real component."""
    source = generator(seed)

    def draw():
        drawn = torch.randn((count, *SHAPE, 2), generator=source, dtype=torch.float64)
        return torch.view_as_complex(drawn)

    return draw


def test_the_correction_is_the_posterior_mean_around_a_guess():
    matrix, data, kspace = measured()
    guess = torch.randn(2, *SHAPE, dtype=torch.complex128, generator=generator(3))
    found = guess + data.correction(guess, 0.3, 200)
    precision = matrix.mH @ matrix + torch.eye(matrix.shape[1]) / 0.3
    right = matrix.mH @ kspace.flatten() + guess.flatten(1) / 0.3
    expected = torch.linalg.solve(precision, right.mT).mT.reshape(guess.shape)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_dds_follows_its_recursion_in_every_component():
    """Of the perfect denoiser of a white prior every step is linear in the spectrum of A."""
    matrix, data, kspace = measured()
    eta, levels, count = 0.7, ddpm_levels(20), 3000
    drawn = draw_dds(data, perfect, levels, lambda d: variance_left(1, d), eta, 60, noise(count, 5))
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    spectra = drawn.flatten(1) @ vh.mT
    shown = torch.where(s > 1e-6, (u.mH @ kspace.flatten()) / s, 0)
    gain, variance = torch.zeros_like(s), torch.full_like(s, levels[0] ** 2)
    for level, following in itertools.pairwise([*levels, 0.0]):
        left = variance_left(1, level)
        share = left * s**2 / (1 + left * s**2)
        g = 1 / (1 + level**2)
        added = eta * following * math.sqrt(1 - (following / level) ** 2)
        kept = math.sqrt(following**2 - added**2) / level
        factor = (1 - share) * g + kept * (1 - g)
        gain = factor * gain + share
        variance = factor**2 * variance + added**2
    std = variance.sqrt()
    error = (spectra.mean(0) - gain * shown).abs() / (std * math.sqrt(2 / count))
    assert float(error.max()) < 3.7
    spread = torch.view_as_real(spectra).std(0).square().mean(-1).sqrt()
    torch.testing.assert_close(spread, std, rtol=0.045, atol=0)


def test_pigdm_draws_the_posterior_of_a_white_prior():
    matrix, data, kspace = measured()
    count = 2000
    guided = with_data(perfect, data, 1.0, 30)
    draw = noise(count, 6)
    drawn = reverse_diffusion(guided, 30 * draw(), falling_levels(30, 0.03, 60), draw)
    covariance = torch.linalg.inv(matrix.mH @ matrix + torch.eye(matrix.shape[1]))
    mean = (covariance @ matrix.mH @ kspace.flatten()).reshape(SHAPE)
    std = covariance.diagonal().real.sqrt().reshape(SHAPE)
    assert float(((drawn.mean(0) - mean).abs() / std).max()) < 0.1
    spread = torch.view_as_real(drawn).std(0).square().mean(-1).sqrt()
    assert float((spread / std - 1).abs().max()) < 0.06
    assert float((spread / std).mean()) == pytest.approx(1, abs=0.02)


SAMPLERS = {"dds": recon.dds, "pigdm": recon.pigdm}


def error_of(found: np.ndarray) -> float:
    shape = found.shape[-2:]
    return float(np.sqrt(np.mean(np.abs(found - disc(shape)) ** 2)))


@pytest.mark.parametrize("name", SAMPLERS)
def test_masks_may_vary_along_both_axes(kind, name):
    """In the unit of the data, and of its kind; the mean of samples is that of the posterior."""
    _, maps, _, psi = scan(3, 0.2)
    mask = sim.mask("poisson", (20, 24), 2.0, 6, seed=1).astype(np.float32)
    rng = np.random.default_rng(1)
    mix = np.linalg.cholesky(psi)
    noise = rng.standard_normal((2, 3, 480))
    noise = (mix @ (noise[0] + 1j * noise[1]) / 2**0.5).reshape(3, 20, 24)
    data = ((SenseOperator(maps).forward(disc((20, 24))) + noise) * mask).astype(np.complex64)
    white = recon.whitening_matrix(psi)
    operator = SenseOperator(np.einsum("ij,jyx->iyx", white, maps).astype(np.complex64), mask)
    pixels = np.eye(480, dtype=np.complex64).reshape(-1, 20, 24)
    matrix = operator.forward(pixels).reshape(480, -1).T
    shown = np.einsum("ij,jyx->iyx", white, data).reshape(-1)
    precision = matrix.conj().T @ matrix + np.eye(480) / 0.16
    expected = np.linalg.solve(precision, matrix.conj().T @ shown).reshape(20, 24)
    sampler = SAMPLERS[name]
    given = [kind(x) for x in (data, maps, mask)]
    options = {"noise_covariance": kind(psi), "samples": 40, "steps": 30, "seed": 1}
    found = sampler(*given, shrink, **options)
    assert type(found.mean) is type(given[0])
    assert found.samples.shape == (40, 20, 24)
    off = np.abs(np.asarray(found.mean) - expected)
    spread = np.sqrt(np.linalg.inv(precision).diagonal().real).reshape(20, 24)
    assert float(np.mean(off / spread)) < LIMITS[name]
    plain = np.abs(np.asarray(recon.sense(data, maps, mask, noise_covariance=psi).image) - expected)
    assert off.mean() < 0.5 * plain.mean()
    again = sampler(*given, shrink, **options)
    np.testing.assert_array_equal(np.asarray(found.mean), np.asarray(again.mean))


LIMITS = {"dds": 1.0, "pigdm": 0.35}
"""Mean distance from the posterior's mean over its spread: that of 40 draws is 0.2, and DDS draws
something else, as its recursion says."""


@pytest.mark.parametrize("name", SAMPLERS)
def test_samples_along_a_trajectory_are_reconstructed(name):
    """Nearly as close to the truth as the mean of the posterior; DDS keeps noise of the data."""
    shape = (20, 24)
    maps = smooth_maps(3, shape)
    spokes = sim.trajectory("radial", shape, 12)
    operator = recon.NufftOperator(maps, spokes)
    clean = operator.forward(disc(shape).astype(np.complex64))
    rng = np.random.default_rng(0)
    noise = 0.2 * (rng.standard_normal(clean.shape) + 1j * rng.standard_normal(clean.shape))
    noisy = (clean + noise).astype(np.complex64)
    options = {"noise_covariance": 2 * 0.2**2 * np.eye(3)}
    found = SAMPLERS[name](
        noisy, maps, None, shrink, trajectory=spokes, samples=16, steps=30, **options
    )
    assert found.mean.shape == shape
    white = [torch.from_numpy(x / 0.2) for x in (noisy, maps)]
    best = data_of(Whitened(*white, None), spokes).correction(
        torch.zeros(shape, dtype=torch.complex64), 0.16, 100
    )
    assert error_of(found.mean) < (1.5 if name == "dds" else 1.2) * error_of(best.numpy())


WRONG = [
    (recon.dds, {"eta": 1.5}, "eta is 1.5"),
    (recon.dds, {"iterations": 0}, "iterations is 0"),
    (recon.dds, {"variance": -1.0}, "variance is -1.0"),
    (recon.dds, {"noise_covariance": None}, "noise_covariance is None"),
    (recon.pigdm, {"steps": 1}, "steps is 1"),
    (recon.pigdm, {"denoise": lambda x, s: shrink(x, s).detach()}, "carries no gradients"),
]


@pytest.mark.parametrize(("sampler", "options", "message"), WRONG)
def test_what_cannot_be_used_is_refused(sampler, options, message):
    kspace, maps, line, psi = scan(3)
    given = {"noise_covariance": psi, "denoise": shrink} | options
    with pytest.raises(ValueError, match=message):
        sampler(kspace, maps, line, **given)


def test_a_mask_beside_a_trajectory_is_refused():
    shape = (20, 24)
    spokes = sim.trajectory("radial", shape, 24)
    kspace = np.ones((3, *spokes.shape[:2]), np.complex64)
    with pytest.raises(ValueError, match="come without a mask"):
        recon.dds(
            kspace,
            smooth_maps(3, shape),
            np.ones(24),
            shrink,
            noise_covariance=np.eye(3),
            trajectory=spokes,
        )
