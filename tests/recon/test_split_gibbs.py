"""Split Gibbs sampling with the perfect denoiser of a Gaussian prior, against the posterior."""

import itertools
import math

import numpy as np
import pytest
import torch

from kspace_denoise import recon
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon.diffusion_levels import falling_levels
from kspace_denoise.recon.reverse_diffusion import reverse_diffusion
from kspace_denoise.recon.sense_operator import SenseOperator
from kspace_denoise.recon.spectral import PixelSampling
from kspace_denoise.recon.split_gibbs import couplings_of, draw_split_gibbs, draw_twin
from tests.objectives.test_gsure import normal
from tests.recon.cases import disc, smooth_maps
from tests.recon.test_ddrm import scan, shrink

SHAPE = (6, 7)


def prior_power() -> torch.Tensor:
    """Return the variance per real component of the prior, over k-space: low frequencies lead."""
    ky, kx = (torch.arange(n) - n // 2 for n in SHAPE)
    return 1 / (0.15 + (ky[:, None] ** 2 + kx**2) / 4.0)


def wiener(x, sigma):
    """Return the mean of the image given a noisy one."""
    power = prior_power()
    return ifft2c(fft2c(x) * (power / (power + sigma**2)))


def posterior(mask: torch.Tensor, seen: torch.Tensor, nsr: float) -> tuple[torch.Tensor, ...]:
    """Return mean and covariance (per real component) of pixels that are seen through a mask."""
    count = math.prod(SHAPE)
    basis = fft2c(torch.eye(count, dtype=torch.complex128).reshape(count, *SHAPE)).reshape(
        count, -1
    )
    prior = (basis * prior_power().flatten()) @ basis.mH  # of images, Hermitian
    rows = mask.flatten() > 0
    gain = prior[:, rows] @ torch.linalg.inv(
        prior[rows][:, rows] + nsr**2 * torch.eye(int(rows.sum()))
    )
    mean = gain @ seen.flatten()[rows].to(gain.dtype)
    return mean.reshape(SHAPE), prior - gain @ prior[rows]


def test_reverse_diffusion_draws_the_clean_image():
    """Gain and variance of a draw given x at level ρ, for white priors weak and strong."""
    count = 100_000
    generator = torch.Generator().manual_seed(0)

    def noise():
        return torch.randn(count, generator=generator, dtype=torch.float64)

    for tau in (0.3, 1.0, 4.0):
        start = torch.full((count,), 0.8, dtype=torch.float64)
        drawn = reverse_diffusion(
            lambda x, s, tau=tau: x * tau**2 / (tau**2 + s**2),
            start,
            falling_levels(1.0, 0.03, 32),
            noise,
        )
        gain, variance = tau**2 / (1 + tau**2), tau**2 / (1 + tau**2)
        assert float(drawn.mean()) == pytest.approx(0.8 * gain, abs=0.01)
        assert float(drawn.var()) == pytest.approx(variance, rel=0.02)


def test_the_twin_is_drawn_from_its_conditional():
    """Four kinds of components: cleaner than ρ, as clean, noisier, not seen."""
    nsr = torch.tensor([[0.2, 0.5, 1.0, torch.inf]])
    clean, seen = torch.full((1, 4), 1.0 + 0j), torch.tensor([[2.0, 2.0, 2.0, 0.0]]) + 0j
    generator = torch.Generator().manual_seed(1)

    def noise():
        pairs = torch.randn((200_000, 1, 4, 2), generator=generator)
        return torch.view_as_complex(pairs)

    z = torch.view_as_real(draw_twin(clean, seen, nsr, 0.5, noise))
    assert torch.allclose(z[..., 0].mean(0), torch.tensor([[2.0, 2.0, 1.25, 1.0]]), atol=0.01)
    expected = torch.tensor([0.5**2 - 0.2**2, 0.0, 0.75 * 0.25, 0.25])
    assert torch.allclose(z.var(0)[0], expected[:, None].expand(4, 2), atol=0.005)


def test_samples_have_mean_and_covariance_of_the_posterior():
    """Pixels are seen or not, and the prior joins them: half of all information is indirect."""
    mask = (torch.rand(SHAPE, generator=torch.Generator().manual_seed(3)) < 0.5).double()
    nsr, count = 0.3, 3000
    seen = torch.randn(SHAPE, dtype=torch.complex128, generator=torch.Generator().manual_seed(4))
    seen = (1.5 * seen * mask).to(torch.complex64)
    noise = torch.where(mask > 0, nsr, torch.inf).float()
    drawn = draw_split_gibbs(
        PixelSampling(mask.float()),
        seen,
        noise,
        wiener,
        couplings_of(1.0, nsr, 60),
        10,
        count,
        np.random.default_rng(5),
    )
    mean, covariance = posterior(mask, seen, nsr)
    std = covariance.diagonal().real.sqrt().reshape(SHAPE)
    error = (drawn.mean(0) - mean).abs() / std
    # The mean of 3000 draws is known to 0.026 std, the largest error of 42 to about 0.08.
    assert float(error.max()) < 0.1
    measured = torch.view_as_real(drawn - drawn.mean(0)).var(0).mean(-1).sqrt()
    assert float((measured / std - 1).abs().max()) < 0.06
    assert float((measured / std).mean()) == pytest.approx(1, abs=0.02)
    # Truths drawn from the posterior itself lie in the 90 % band as often as they should.
    factor = torch.linalg.cholesky(covariance + 1e-9 * torch.eye(len(covariance)))
    z = torch.randn(
        400, math.prod(SHAPE), 2, dtype=torch.float64, generator=torch.Generator().manual_seed(6)
    )
    truths = mean + (torch.view_as_complex(z) @ factor.mT).reshape(400, *SHAPE)
    inside = (
        torch.view_as_real(truths - drawn.mean(0)).abs() < 1.645 * measured[..., None]
    ).double()
    assert float(inside.mean()) == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("step", [1, 2])
def test_of_several_coils_it_draws_the_posterior(step):
    """With a white prior, correlated noise, and coils that hardly unfold what is missing."""
    shape, tau, count = (6, 8), 0.8, 2000
    line = torch.zeros(8)
    line[::step] = 1
    maps = torch.from_numpy(smooth_maps(3, shape)).to(torch.complex64)
    mix = torch.eye(3) + 0.4 * normal(3, 3, seed=1).float()
    psi = 2 * 0.2**2 * mix @ mix.mT
    pixels = torch.eye(48, dtype=torch.complex64).reshape(48, *shape)
    matrix = SenseOperator(maps, line).forward(pixels).flatten(1).mT.to(torch.complex128)
    noise = torch.einsum(
        "ij,jyx->iyx", mix + 0j, torch.view_as_complex(normal(3, *shape, 2, seed=2).float())
    )
    kspace = SenseOperator(maps, line).forward(tau * torch.ones(shape) * (0.9 - 0.5j))
    kspace = (kspace + 0.2 * noise) * line
    inverse = torch.linalg.inv(psi / 2).double().contiguous()
    precision = torch.kron(inverse, torch.diag(line.repeat(6)).double())
    weighed = matrix.mH @ (precision + 0j)
    covariance = torch.linalg.inv(weighed @ matrix + torch.eye(48) / tau**2)
    mean = (covariance @ weighed @ kspace.reshape(-1).to(torch.complex128)).reshape(shape)
    std = covariance.diagonal().real.sqrt().reshape(shape)
    found = recon.split_gibbs(
        kspace, maps, line, lambda x, s: x * tau**2 / (tau**2 + s**2),
        noise_covariance=psi, samples=count, sweeps=20, steps=8,
    )  # fmt: skip
    # The mean of 2000 draws is known to 0.022 std per real component, the largest of 48 to 0.1.
    assert float(((found.mean - mean).abs() / std).max()) < 0.12
    assert float((found.std / std).mean()) == pytest.approx(1, abs=0.03)
    assert float((found.std / std - 1).abs().max()) < 0.09


def test_couplings_fall_from_three_times_the_image_and_stay_at_the_cleanest_noise():
    found = couplings_of(2.0, 0.1, 10)
    assert found[0] == 6
    assert found[7:] == pytest.approx([0.1, 0.1, 0.1])
    assert all(a > b for a, b in itertools.pairwise(found[:8]))
    assert couplings_of(0.01, 0.1, 10)[0] == 0.2  # all noise: still from above


def test_it_reconstructs_a_scan_in_its_unit():
    kspace, maps, line, psi = scan(3)
    found = recon.split_gibbs(kspace, maps, line, shrink, noise_covariance=psi, samples=4, sweeps=8)
    assert found.samples.shape == (4, 20, 24)
    assert np.abs(found.mean - disc((20, 24))).mean() < 0.1
    assert np.abs(found.samples - found.mean).max() > 0.1
    assert found.samples.dtype == np.complex64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sweeps": 1}, "sweeps is 1"),
        ({"steps": 1}, "steps 1"),
        ({"samples": 0}, "samples is 0"),
        ({"noise_covariance": None}, "noise_covariance is None"),
    ],
)
def test_what_cannot_be_used_is_refused(options, message):
    kspace, maps, line, psi = scan(3)
    with pytest.raises(ValueError, match=message):
        recon.split_gibbs(kspace, maps, line, shrink, **({"noise_covariance": psi} | options))


def test_levels_fall():
    assert falling_levels(4.0, 1.0, 3) == pytest.approx([4.0, 2.0, 1.0])
    for wrong in ((1.0, 2.0, 3), (1.0, 0.0, 3), (2.0, 1.0, 1)):
        with pytest.raises(ValueError, match="levels from"):
            falling_levels(*wrong)
