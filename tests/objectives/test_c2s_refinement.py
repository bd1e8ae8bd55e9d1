"""Corruption2Self: how much noise the detail refinement leaves in the image."""

import pytest
import torch
from torch import Tensor, nn

from kspace_denoise.networks import Doorway, UNet, UNetConfig
from kspace_denoise.objectives.c2s import C2S
from tests.objectives.c2s_cases import FixedLevel, noisy_batch
from tests.objectives.toys import best_gain


@pytest.mark.parametrize(
    ("ratio", "residual"), [(0.1, 0.9515), (0.3, 0.7806), (1, 0.4642), (3, 0.3523)]
)
def test_refinement_as_in_the_paper_leaves_a_mixture_of_levels(ratio, residual):
    """The variance that is left, in units of σ_d², if the network is not told which was meant."""
    s, sigma = 0.2, 0.2
    tau = ratio * sigma
    objective = FixedLevel(tau=tau, refinement="paper")
    k, _ = best_gain(objective, noisy_batch(s, sigma, (300_000, 2, 4)))
    left = (k * (s**2 + sigma**2 + tau**2) - s**2) / sigma**2
    assert left == pytest.approx(residual, abs=0.015)


class ToldGain(nn.Module):
    """h = (a + b σ_tg²) X_t."""

    def __init__(self) -> None:
        super().__init__()
        self.terms = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor, _level: Tensor, _condition: Tensor | None, target: Tensor):
        gain = self.terms[0] + self.terms[1] * target**2
        return gain[:, None, None] * x


def minimise(objective: C2S, network: ToldGain, batch) -> None:
    """Solve for the minimum of the loss, whose gradient is linear in the terms."""

    def gradient(*terms: float) -> Tensor:
        with torch.no_grad():
            network.terms.copy_(torch.tensor(terms))
        network.terms.grad = None
        objective.loss(network, batch, torch.Generator().manual_seed(5)).backward()
        return network.terms.grad

    start = gradient(0, 0)
    curvature = torch.stack([gradient(1, 0) - start, gradient(0, 1) - start])
    with torch.no_grad():
        network.terms.copy_(-torch.linalg.solve(curvature, start))


def test_a_network_that_is_told_the_target_finds_the_clean_image():
    s, sigma, tau = 0.4, 0.5, 0.5
    network = ToldGain()
    objective = FixedLevel(tau=tau, refinement="conditioned")
    minimise(objective, network, noisy_batch(s, sigma, (200_000, 4, 4)))
    total = s**2 + sigma**2 + tau**2
    clean, slope = network.terms.tolist()
    assert clean == pytest.approx(s**2 / total, rel=0.02)  # the Wiener gain, at target 0
    assert clean + slope * sigma**2 == pytest.approx((s**2 + sigma**2) / total, rel=0.02)


@pytest.mark.parametrize("target", [0.0, 0.5])
def test_inference_tells_the_network_the_target_where_it_was_trained_so(target):
    network, sigma = ToldGain(), torch.tensor([0.1, 0.2])
    with torch.no_grad():
        network.terms.copy_(torch.tensor([0.0, 1.0]))
    x = torch.randn(2, 4, 5)
    clean = C2S(refinement="conditioned", target=target).denoise(network, x, sigma)
    torch.testing.assert_close(clean, (target * sigma[:, None, None]) ** 2 * x)


def test_targets_are_drawn_up_to_the_noise_of_each_image():
    sigma = torch.tensor([0.1, 0.3]).repeat(100_000)
    for refinement in ("paper", "conditioned"):
        share = C2S(refinement=refinement).draw_target(sigma, torch.Generator()) / sigma
        assert 0 < float(share.min()) < 1e-3
        assert 0.999 < float(share.max()) <= 1
        assert float(share.mean()) == pytest.approx(0.5, abs=4 / (12 * 200_000) ** 0.5)
    fixed = C2S(refinement="fixed", target=0.3).draw_target(sigma, torch.Generator())
    torch.testing.assert_close(fixed, 0.3 * sigma)
    assert not C2S().draw_target(sigma, torch.Generator()).any()


@pytest.mark.parametrize("refinement", ["none", "paper", "conditioned", "fixed"])
def test_each_mode_trains_the_network_and_denoises_with_it(refinement):
    target = 0.4 if refinement == "fixed" else 0.0
    config = UNetConfig(base=8, multipliers=(1, 2), attention=(), target_level=True)
    network = Doorway(UNet(config), 2)
    objective = C2S(refinement=refinement, target=target)
    batch = noisy_batch(0.9, 0.4, (4, 16, 16), torch.complex64)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)

    def loss() -> Tensor:
        return objective.loss(network, batch, torch.Generator().manual_seed(0))

    before = float(loss().detach())
    for _ in range(8):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    assert float(loss().detach()) < before
    with torch.no_grad():
        clean = objective.denoise(network, batch.image, batch.sigma)
    assert clean.shape == batch.image.shape
    assert torch.isfinite(torch.view_as_real(clean)).all()


def test_a_network_without_an_input_for_the_target_says_so():
    network = Doorway(UNet(UNetConfig(channels=1, base=8, multipliers=(1,), attention=())), 1)
    batch = noisy_batch(1.0, 0.5, (2, 8, 8))
    with pytest.raises(ValueError, match=r"set target_level = true in \[network\]"):
        C2S(refinement="conditioned").loss(network, batch, torch.Generator())
    assert torch.isfinite(C2S(refinement="paper").loss(network, batch, torch.Generator()))
