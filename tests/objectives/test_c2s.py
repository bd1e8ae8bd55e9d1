"""Known answers of Corruption2Self: the minimiser of its loss, found through the code itself."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.objectives import Batch, make_objective
from kspace_denoise.objectives.c2s import C2S, reparameterise, total_level


@dataclasses.dataclass(frozen=True)
class FixedLevel(C2S):
    """C2S at one τ with unit weight, as the closed forms have it."""

    tau: float = 0.05

    def draw_levels(self, sigma: Tensor, _generator: torch.Generator) -> Tensor:
        return torch.full_like(sigma, self.tau)

    def weight(self, sigma: Tensor, _tau: Tensor) -> Tensor:
        return torch.ones_like(sigma)


class Gain(nn.Module):
    """h = k X_t."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, x: Tensor, _level: Tensor) -> Tensor:
        return self.gain * x


def noisy_batch(s: float, sigma: float, shape: tuple[int, ...], dtype=torch.float32) -> Batch:
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(shape, generator=generator, dtype=dtype)
    noise = torch.randn(shape, generator=generator, dtype=dtype)
    unit = 2**0.5 if dtype.is_complex else 1.0  # torch's complex normal has E|n|² = 1
    return Batch(unit * (s * image + sigma * noise), torch.full(shape[:1], sigma))


def best_gain(objective: C2S, batch: Batch) -> tuple[float, float]:
    """Return the minimiser of the loss, which is a parabola in k, and twice its minimum."""

    def loss(k: float) -> float:
        return 2 * float(objective.loss(Gain(k), batch, torch.Generator().manual_seed(2)))

    low, middle, high = loss(0.0), loss(0.5), loss(1.0)
    curvature = 2 * (low - 2 * middle + high)
    slope = high - low - curvature
    return -slope / (2 * curvature), low - slope**2 / (4 * curvature)


@pytest.mark.parametrize(
    ("tau", "gain", "minimum"), [(0.05, 0.94737, 0.002434), (0.5, 0.26277, 0.067518)]
)
def test_gaussian_signal_gives_the_wiener_gain_of_the_total_noise(tau, gain, minimum):
    k, floor = best_gain(FixedLevel(tau=tau), noisy_batch(0.3, 0.05, (4, 1000, 1000)))
    assert k == pytest.approx(gain, rel=0.01)
    assert floor == pytest.approx(minimum, rel=0.01)


def test_complex_images_count_both_components():
    batch = noisy_batch(0.3, 0.05, (4, 700, 700), torch.complex64)
    k, floor = best_gain(FixedLevel(tau=0.05), batch)
    assert k == pytest.approx(0.94737, rel=0.01)
    assert floor == pytest.approx(2 * 0.002434, rel=0.01)


@pytest.mark.parametrize("target", [0.5, 0.8])
def test_a_target_level_leaves_that_much_noise(target):
    s, sigma, tau = 0.3, 0.2, 0.2
    k, _ = best_gain(FixedLevel(tau=tau, target=target), noisy_batch(s, sigma, (4, 1000, 1000)))
    kept = (target * sigma) ** 2
    assert k == pytest.approx((s**2 + kept) / (s**2 + sigma**2 + tau**2), rel=0.01)


def test_target_at_the_data_level_is_denoising_score_matching():
    clean, noisier = torch.randn(2, 3, 5, 7).unbind(0)
    sigma, tau = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.3, 0.1, 0.2])
    assert torch.equal(reparameterise(clean, noisier, sigma, tau, target=1.0), clean)


def test_the_gains_of_output_and_skip_add_up_to_one():
    x = torch.randn(3, 5, 7)
    sigma, tau = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.3, 1e-3, 20.0])
    torch.testing.assert_close(reparameterise(x, x, sigma, tau), x)


def test_noisier2noise_correction_is_the_same_identity():
    """h = ((1 + α²) D - X_t) / α² with α = τ / σ_d, for any D."""
    h, noisier = torch.randn(2, 3, 5, 7, dtype=torch.float64).unbind(0)
    sigma = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    tau = torch.tensor([0.3, 0.1, 0.2], dtype=torch.float64)
    ratio = ((tau / sigma) ** 2)[:, None, None]
    d = reparameterise(h, noisier, sigma, tau)
    torch.testing.assert_close(((1 + ratio) * d - noisier) / ratio, h, rtol=1e-6, atol=1e-6)


def test_variance_preserving_form_is_this_one_rescaled():
    """The VP equations of the paper, written out: D_VP - X_d,VP = (D - X_d) / √(1 + σ²)."""
    generator = torch.Generator().manual_seed(0)
    noisy, z, h = torch.randn(3, 1, 40, 50, dtype=torch.float64, generator=generator).unbind(0)
    sigma, tau = torch.tensor([0.25], dtype=torch.float64), torch.tensor([0.7], dtype=torch.float64)
    total = total_level(sigma, tau)
    sg_d, sg_t = sigma / (1 + sigma**2).sqrt(), total / (1 + total**2).sqrt()
    x_d = noisy / (1 + sigma**2).sqrt()
    a = ((1 - sg_t**2) / (1 - sg_d**2)).sqrt()
    x_t = a * x_d + ((sg_t**2 - sg_d**2) / (1 - sg_d**2)).sqrt() * z
    h_gain = (sg_t**2 - sg_d**2) / (sg_t**2 * (1 - sg_d**2).sqrt())
    d_vp = h_gain * h + (sg_d**2 / sg_t**2) * a * x_t
    d = reparameterise(h, noisy + tau * z, sigma, tau)
    torch.testing.assert_close(d_vp - x_d, (d - noisy) / (1 + sigma**2).sqrt())


def test_variance_preserving_form_has_its_gain():
    s, sg_d, sg_t, count = 0.3, 0.2, 0.6, 4_000_000
    clean, n, z = torch.randn(3, count, generator=torch.Generator().manual_seed(0)).unbind(0)
    x_d = (1 - sg_d**2) ** 0.5 * s * clean + sg_d * n
    a = ((1 - sg_t**2) / (1 - sg_d**2)) ** 0.5
    x_t = a * x_d + ((sg_t**2 - sg_d**2) / (1 - sg_d**2)) ** 0.5 * z
    variance = (1 - sg_t**2) * s**2 + sg_t**2
    assert float(x_t.var()) == pytest.approx(variance, rel=5 * (2 / count) ** 0.5)
    # Through the code: in the units of the VE form, x = x_d / √(1 - σ_d²), and the VP gain is
    # the VE gain over √(1 - σ_t²).
    sigma, total = (v / (1 - v**2) ** 0.5 for v in (sg_d, sg_t))
    batch = Batch((x_d / (1 - sg_d**2) ** 0.5).reshape(4, 1000, 1000), torch.full((4,), sigma))
    k, _ = best_gain(FixedLevel(tau=(total**2 - sigma**2) ** 0.5), batch)
    assert k / (1 - sg_t**2) ** 0.5 == pytest.approx(0.17241, rel=0.01)


class Filter(nn.Module):
    """A gain for each spatial frequency."""

    def __init__(self, gain: Tensor) -> None:
        super().__init__()
        self.gain = nn.Parameter(gain)

    def forward(self, x: Tensor, _level: Tensor) -> Tensor:
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
        torch.randn(80_000, side, side, dtype=torch.complex64, generator=generator) * 2**0.5
        for _ in range(2)
    ]
    batch = Batch(ifft2c(power.sqrt() * draw[0]) + sigma * draw[1], torch.full((80_000,), sigma))
    levels = torch.tensor([0.4, 0.8])
    inverse = torch.stack([1 / best_filter(FixedLevel(tau=float(t)), batch) for t in levels])
    # 1/gain = (P + σ² + τ²)/P is a line in τ²: its value at 0 by least squares.
    design = torch.stack([torch.ones(2), levels**2], dim=1)
    at_zero = torch.linalg.lstsq(design, inverse.flatten(1)).solution[0].reshape(side, side)
    wiener = power / (power + sigma**2)
    assert ((1 / at_zero - wiener).abs() / wiener).max() < 0.03


def test_log_normal_levels_surround_sigma_and_equalise_the_regression_noise():
    objective, sigma = C2S(spread=0.7), torch.full((200_000,), 0.2)
    tau = objective.draw_levels(sigma, torch.Generator().manual_seed(0))
    logs = torch.log(tau / sigma)
    assert abs(float(logs.mean())) < 4 * 0.7 / 200_000**0.5
    assert float(logs.std()) == pytest.approx(0.7, abs=4 * 0.7 / 400_000**0.5)
    regression_noise = sigma**2 * (tau**2 + sigma**2) / tau**2
    # h enters D times λ_out, so the loss weighs the error of h by w λ_out².
    out = tau**2 / (tau**2 + sigma**2)
    weighted = objective.weight(sigma, tau) * out**2 * regression_noise
    torch.testing.assert_close(weighted, torch.ones_like(tau), rtol=1e-4, atol=0)


def test_paper_mode_draws_uniform_levels_that_are_never_zero():
    objective, sigma = C2S.paper(), torch.full((200_000,), 0.05)
    tau = objective.draw_levels(sigma, torch.Generator().manual_seed(0))
    assert 0 < float(tau.min()) < 0.01
    assert 9.99 < float(tau.max()) <= 10
    assert float(tau.mean()) == pytest.approx(5, abs=4 * 10 / (12 * 200_000) ** 0.5)
    assert torch.all(objective.weight(sigma, tau) == 1)


def test_inference_is_one_pass_at_the_data_level_without_skip():
    seen = {}

    class Spy(nn.Module):
        def forward(self, x: Tensor, noise_level: Tensor) -> Tensor:
            seen["level"] = noise_level
            return 0.25 * x

    x, sigma = torch.randn(2, 4, 5), torch.tensor([0.1, 0.2])
    assert torch.equal(C2S().denoise(Spy(), x, sigma), 0.25 * x)
    assert torch.equal(seen["level"], sigma)


def test_bad_settings_say_what_is_expected():
    with pytest.raises(ValueError, match="expected 'log-normal' or 'uniform'"):
        C2S(levels="gaussian")
    with pytest.raises(ValueError, match="expected positive numbers"):
        C2S(spread=0)
    with pytest.raises(ValueError, match="share of the noise, 0 to 1"):
        C2S(target=2)
    with pytest.raises(ValueError, match="there is: c2s"):
        make_objective("ddm2")
    with pytest.raises(ValueError, match="it has levels, spread"):
        make_objective("c2s", steps=3)
