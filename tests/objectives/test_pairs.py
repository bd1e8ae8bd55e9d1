"""Supervised and Noise2Noise: the minimisers and the smallest losses that theory gives."""

import pytest
import torch
from torch import Tensor, nn

from kspace_denoise.objectives import Batch
from kspace_denoise.objectives.noise2noise import Noise2Noise
from kspace_denoise.objectives.supervised import Supervised
from tests.objectives.toys import best_gain, gaussian

S, SIGMA, SHAPE = 1.0, 0.5, (4, 1000, 1000)
WIENER = S**2 / (S**2 + SIGMA**2)
MMSE = S**2 * SIGMA**2 / (S**2 + SIGMA**2)
CLOSE = 5 * (2 / 4e6) ** 0.5
"""Five standard errors of the mean square of so many numbers."""


def pair(dtype: torch.dtype = torch.float32, target_sigma: float = 0.0, scale: float = 1.0):
    clean = S * gaussian(SHAPE, 1, dtype)
    noisy = clean + SIGMA * gaussian(SHAPE, 2, dtype)
    target = scale * (clean + target_sigma * gaussian(SHAPE, 3, dtype))
    return Batch(noisy, torch.full(SHAPE[:1], SIGMA), pair=target)


def test_supervised_finds_the_wiener_gain():
    k, floor = best_gain(Supervised(), pair())
    assert k == pytest.approx(WIENER, rel=CLOSE)
    assert floor == pytest.approx(MMSE, rel=CLOSE)


def test_noise2noise_finds_the_same_gain_above_a_floor_of_the_noise():
    k, floor = best_gain(Noise2Noise(), pair(target_sigma=SIGMA))
    assert k == pytest.approx(WIENER, rel=CLOSE)
    assert floor == pytest.approx(MMSE + SIGMA**2, rel=CLOSE)


@pytest.mark.parametrize("objective", [Supervised(), Noise2Noise()])
def test_a_complex_pixel_counts_both_components(objective):
    k, floor = best_gain(objective, pair(torch.complex64, SIGMA))
    assert k == pytest.approx(WIENER, rel=CLOSE)
    assert floor == pytest.approx(2 * (MMSE + SIGMA**2), rel=CLOSE)


def test_a_repetition_of_another_scale_scales_the_result():
    scale = 1.3
    k, _ = best_gain(Noise2Noise(), pair(target_sigma=SIGMA, scale=scale))
    assert k == pytest.approx(scale * WIENER, rel=CLOSE)


@pytest.mark.parametrize("objective", [Supervised, Noise2Noise])
def test_the_network_is_told_level_and_contrasts_in_training_and_use(objective):
    seen = []

    class Spy(nn.Module):
        def forward(self, x: Tensor, level: Tensor, condition: Tensor | None) -> Tensor:
            seen.append((level, condition))
            return 0.25 * x

    x, sigma, others = torch.randn(2, 4, 5), torch.tensor([0.1, 0.2]), torch.randn(2, 3, 4, 5)
    method = objective.paper()
    method.loss(Spy(), Batch(x, sigma, pair=x, condition=others), torch.Generator())
    assert torch.equal(method.denoise(Spy(), x, sigma, others), 0.25 * x)
    assert all(level is sigma and condition is others for level, condition in seen)
    assert len(seen) == 2


@pytest.mark.parametrize("objective", [Supervised(), Noise2Noise()])
def test_a_batch_without_a_second_image_is_refused(objective):
    with pytest.raises(ValueError, match="learns from pairs of images"):
        objective.loss(nn.Identity(), Batch(torch.ones(1, 2, 2), torch.ones(1)), torch.Generator())


def test_what_the_methods_are_taught_with():
    assert (Supervised.pair, Noise2Noise.pair) == ("clean", "repetition")
