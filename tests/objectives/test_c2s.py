"""Known answers of Corruption2Self: the minimiser of its loss, found through the code itself."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor, nn

from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.objectives import Batch
from kspace_denoise.objectives.c2s import C2S
from kspace_denoise.objectives.c2s_forms import variance_exploding, variance_preserving
from tests.objectives.c2s_cases import FixedLevel, noisy_batch
from tests.objectives.toys import Gain, best_gain

LEVELS = [(0.1, 0.3), (0.2, 0.1), (0.3, 20.0), (0.3, 1e-3)]
"""σ_d and τ of a few images."""


@pytest.mark.parametrize(
    ("tau", "gain", "minimum"), [(0.05, 0.94737, 0.002434), (0.5, 0.26277, 0.067518)]
)
def test_gaussian_signal_gives_the_wiener_gain_of_the_total_noise(tau, gain, minimum):
    k, floor = best_gain(FixedLevel(tau=tau), noisy_batch(0.3, 0.05, (4, 1000, 1000)))
    assert k == pytest.approx(gain, rel=0.01)
    assert 2 * floor == pytest.approx(minimum, rel=0.01)


def test_complex_images_count_both_components():
    batch = noisy_batch(0.3, 0.05, (4, 700, 700), torch.complex64)
    k, floor = best_gain(FixedLevel(tau=0.05), batch)
    assert k == pytest.approx(0.94737, rel=0.01)
    assert floor == pytest.approx(0.002434, rel=0.01)


@pytest.mark.parametrize("target", [0.5, 0.8])
def test_a_target_level_leaves_that_much_noise(target):
    s, sigma, tau = 0.3, 0.2, 0.2
    objective = FixedLevel(tau=tau, refinement="fixed", target=target)
    k, _ = best_gain(objective, noisy_batch(s, sigma, (4, 1000, 1000)))
    kept = (target * sigma) ** 2
    assert k == pytest.approx((s**2 + kept) / (s**2 + sigma**2 + tau**2), rel=0.01)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_wrong_sigma_takes_away_too_little_or_too_much(factor):
    """h = X̂ + ε (X̂ - X_t), with ε = (σ'² - σ²) / (τ² + σ²): the page of results has the formula."""
    s, sigma, tau = 0.3, 0.2, 0.2
    batch = noisy_batch(s, sigma, (4, 1000, 1000))
    k, _ = best_gain(FixedLevel(tau=tau), dataclasses.replace(batch, sigma=factor * batch.sigma))
    right = s**2 / (s**2 + sigma**2 + tau**2)
    excess = (factor**2 - 1) * sigma**2 / (sigma**2 + tau**2)
    assert k == pytest.approx(right + excess * (right - 1), rel=0.01)


def test_a_level_told_wrong_leaves_the_equation_as_it_is():
    """Only what the network is told is jittered: its best gain remains that of the true level."""
    objective = FixedLevel(tau=0.05, level_jitter=0.5)
    k, floor = best_gain(objective, noisy_batch(0.3, 0.05, (4, 1000, 1000)))
    assert k == pytest.approx(0.94737, rel=0.01)
    assert 2 * floor == pytest.approx(0.002434, rel=0.01)


def test_the_level_that_is_told_scatters_as_it_should():
    """Standard error of the standard deviation of N normal numbers: 1 / √(2 N) of it."""
    told, count, jitter = Told(), 20_000, 0.3
    batch = Batch(torch.zeros(count, 1, 1), torch.full((count,), 0.2))
    FixedLevel(tau=0.3, level_jitter=jitter).loss(told, batch, torch.Generator().manual_seed(0))
    factors = (told.level / math.hypot(0.2, 0.3)).log()
    assert float(factors.mean()) == pytest.approx(0, abs=4 * jitter / count**0.5)
    assert float(factors.std()) == pytest.approx(jitter, rel=4 / (2 * count) ** 0.5)
    FixedLevel(tau=0.3, level_jitter=0.0).loss(told, batch, torch.Generator().manual_seed(0))
    torch.testing.assert_close(told.level, torch.full((count,), math.hypot(0.2, 0.3)))


class Told(nn.Module):
    """Estimates nothing, and keeps the level that it was told."""

    def forward(self, x: Tensor, level: Tensor, _condition: Tensor | None = None) -> Tensor:
        self.level = level
        return torch.zeros_like(x)


def levels() -> tuple[Tensor, Tensor]:
    sigma, tau = torch.tensor(LEVELS, dtype=torch.float64).unbind(1)
    return sigma, tau


def test_target_at_the_data_level_is_denoising_score_matching():
    sigma, tau = levels()
    form = variance_exploding(sigma, tau, target=sigma)
    assert torch.equal(form.out, torch.ones_like(sigma))
    assert torch.equal(form.skip, torch.zeros_like(sigma))
    batch = noisy_batch(0.3, 0.2, (3, 8, 8))
    loss = FixedLevel(refinement="fixed", target=1.0).loss(Gain(0), batch, torch.Generator())
    torch.testing.assert_close(loss, 0.5 * batch.image.square().mean())


def test_the_gains_of_output_and_skip_add_up_to_one():
    for share in (0.0, 0.5, 1.0):
        sigma, tau = levels()
        form = variance_exploding(sigma, tau, share * sigma)
        torch.testing.assert_close(form.out + form.skip, torch.ones_like(sigma))


def test_noisier2noise_correction_is_the_same_identity():
    """h = ((1 + α²) D - X_t) / α² with α = τ / σ_d, for any D."""
    sigma, tau = levels()
    h, noisier = torch.randn(2, 4, dtype=torch.float64).unbind(0)
    form = variance_exploding(sigma, tau, torch.zeros_like(sigma))
    d, ratio = form.out * h + form.skip * noisier, (tau / sigma) ** 2
    torch.testing.assert_close(((1 + ratio) * d - noisier) / ratio, h, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_any_target_level_leads_to_the_same_prediction(share):
    """E[X_tg | X_t] = (1 - r²) E[x | X_t] + r² X_t, r = σ_tg / σ_t: D does not depend on σ_tg."""
    sigma, tau = levels()
    clean, noisier = torch.randn(2, 4, dtype=torch.float64).unbind(0)
    plain = variance_exploding(sigma, tau, torch.zeros_like(sigma))
    form = variance_exploding(sigma, tau, share * sigma)
    r2 = (share * sigma) ** 2 / (sigma**2 + tau**2)
    h = (1 - r2) * clean + r2 * noisier
    torch.testing.assert_close(
        form.out * h + form.skip * noisier, plain.out * clean + plain.skip * noisier
    )


def test_variance_preserving_coefficients_are_those_of_the_paper():
    sigma, tau = levels()
    form = variance_preserving(sigma, tau, torch.zeros_like(sigma))
    d, t = (v / (1 + v) for v in (sigma**2, sigma**2 + tau**2))  # σ_d², σ_t² of the paper
    a = ((1 - t) / (1 - d)).sqrt()
    torch.testing.assert_close(form.data, (1 - d).sqrt())
    torch.testing.assert_close(form.keep, a)
    torch.testing.assert_close(form.noise, ((t - d) / (1 - d)).sqrt())
    torch.testing.assert_close(form.out, (t - d) / (t * (1 - d).sqrt()))
    torch.testing.assert_close(form.skip, d / t * a)
    torch.testing.assert_close(form.level, t.sqrt())
    torch.testing.assert_close(form.scale, (1 - t).sqrt())
    assert not torch.allclose(form.out + form.skip, torch.ones_like(sigma))


@pytest.mark.parametrize("refinement", ["none", "paper"])
def test_variance_preserving_form_is_the_exploding_one_with_other_weights(refinement):
    """|D - X_d|² is that of the VE form divided by 1 + σ_d², image by image."""
    network, generator = Gain(0.7), torch.Generator()
    settings = {"refinement": refinement, "spread": 0.5}
    for index, sigma in enumerate((0.1, 0.5, 2.0)):
        batch = Batch(torch.randn(1, 20, 20, dtype=torch.complex64), torch.tensor([sigma]))
        ve, vp = (
            C2S(form=form, weights="power", **settings).loss(
                network, batch, generator.manual_seed(index)
            )
            for form in ("ve", "vp")
        )
        torch.testing.assert_close(vp, ve / (1 + sigma**2))
        ve, vp = (
            C2S(form=form, **settings).loss(network, batch, generator.manual_seed(index))
            for form in ("ve", "vp")
        )
        torch.testing.assert_close(vp, ve)  # equalised is equalised


def test_both_forms_show_the_network_the_same_image_at_the_same_level():
    seen = []

    class Spy(nn.Module):
        def forward(self, x: Tensor, level: Tensor, _condition: Tensor | None) -> Tensor:
            seen.append((x, level))
            return x

    batch = noisy_batch(0.3, 0.2, (3, 9, 8), torch.complex64)
    for form in ("ve", "vp"):
        C2S(form=form).loss(Spy(), batch, torch.Generator().manual_seed(0))
    for ve, vp in zip(*seen, strict=True):
        torch.testing.assert_close(ve, vp)


def test_variance_preserving_form_has_its_gain():
    s, sg_d, sg_t = 0.3, 0.2, 0.6
    variance = (1 - sg_t**2) * s**2 + sg_t**2
    # σ = v / √(1 + v²) backwards; the network sees X_t / √(1 - σ_t²), so its gain is √(1 - σ_t²)
    # times that on X_t.
    sigma, total = (v / (1 - v**2) ** 0.5 for v in (sg_d, sg_t))
    batch = noisy_batch(s, sigma, (4, 1000, 1000))
    k, _ = best_gain(FixedLevel(form="vp", tau=(total**2 - sigma**2) ** 0.5), batch)
    assert k / (1 - sg_t**2) ** 0.5 == pytest.approx(0.17241, rel=0.01)
    assert (1 - sg_t**2) ** 0.5 * s**2 / variance == pytest.approx(0.17241, rel=1e-4)


class Filter(nn.Module):
    """A gain for each spatial frequency."""

    def __init__(self, gain: Tensor) -> None:
        super().__init__()
        self.gain = nn.Parameter(gain)

    def forward(self, x: Tensor, _level: Tensor, _condition: Tensor | None) -> Tensor:
        return ifft2c(self.gain * fft2c(x))


def best_filter(objective: C2S, batch: Batch) -> Tensor:
    """Return the minimiser over all linear filters: the gradient is linear in each gain."""
    gradients = []
    for value in (0.0, 1.0):
        network = Filter(torch.full(batch.image.shape[-2:], value))
        objective.loss(network, batch, torch.Generator().manual_seed(3)).backward()
        gradients.append(network.gain.grad)
    return gradients[0] / (gradients[0] - gradients[1])


def test_correlated_signal_gives_the_wiener_filter_as_tau_falls():
    side, sigma = 8, 0.4
    f = torch.arange(side) - side // 2
    power = 2.0 / (1 + 0.1 * (f[:, None] ** 2 + f[None, :] ** 2))
    generator = torch.Generator().manual_seed(4)
    draw = [
        torch.randn(40_000, side, side, dtype=torch.complex64, generator=generator) * 2**0.5
        for _ in range(2)
    ]
    batch = Batch(ifft2c(power.sqrt() * draw[0]) + sigma * draw[1], torch.full((40_000,), sigma))
    levels = torch.tensor([0.4, 0.8])
    inverse = torch.stack([1 / best_filter(FixedLevel(tau=float(t)), batch) for t in levels])
    # 1/gain = (P + σ² + τ²)/P is a line in τ²: its value at 0 by least squares.
    design = torch.stack([torch.ones(2), levels**2], dim=1)
    at_zero = torch.linalg.lstsq(design, inverse.flatten(1)).solution[0].reshape(side, side)
    wiener = power / (power + sigma**2)
    assert ((1 / at_zero - wiener).abs() / wiener).max() < 0.03


def test_inference_is_one_pass_at_the_data_level_without_skip():
    seen = {}

    class Spy(nn.Module):
        def forward(self, x: Tensor, noise_level: Tensor, _condition: Tensor | None) -> Tensor:
            seen["level"] = noise_level
            return 0.25 * x

    x, sigma = torch.randn(2, 4, 5), torch.tensor([0.1, 0.2])
    assert torch.equal(C2S().denoise(Spy(), x, sigma), 0.25 * x)
    assert torch.equal(seen["level"], sigma)
