import pytest
import torch

from kspace_denoise.dmri.matching import match
from kspace_denoise.dmri.schedule import signal_left

LEFT = signal_left("rev_warmup70")


def scene(sigma, size=128, seed=0):
    generator = torch.Generator().manual_seed(seed)
    signal = 0.1**0.5 * torch.randn(1, size, size, generator=generator)
    return signal, signal + sigma * torch.randn(1, size, size, generator=generator)


@pytest.mark.parametrize(
    ("sigma", "step"),
    [(0.01, 2), (0.02, 8), (0.05, 50), (0.1, 201), (0.15, 330), (0.2, 357), (0.3, 403), (0.5, 494)],
)
def test_noise_is_matched_to_its_step(sigma, step):
    signal, noisy = scene(sigma)
    found = match(noisy, signal, LEFT)
    assert abs(int(found.step) - step) <= 5
    assert float(found.signal) == float(LEFT[found.step])


def test_the_mean_of_the_residual_does_not_change_the_step_and_is_returned():
    signal, noisy = scene(0.2)
    plain, shifted = match(noisy, signal, LEFT), match(noisy + 0.1, signal, LEFT)
    assert torch.equal(plain.step, shifted.step)
    level = (1 - plain.signal**2).sqrt()
    torch.testing.assert_close(level * (shifted.mean - plain.mean), torch.full_like(level, 0.1))


def test_it_is_what_looking_at_every_step_finds():
    signal, noisy = scene(0.3, size=33)
    residuals = noisy - LEFT[:, None, None] * signal
    apart = (residuals.std(dim=(-2, -1), correction=0) - (1 - LEFT**2).sqrt()).abs().tolist()
    first = next(t for t in range(1000) if apart[t + 1] > apart[t])
    assert int(match(noisy, signal, LEFT).step) == first


def test_noise_too_small_for_any_step_is_matched_to_the_first():
    signal, _ = scene(0.1)
    assert int(match(signal, signal, LEFT).step) == 1


def test_a_blank_image_has_no_step_and_blank_pixels_do_not_count():
    signal, noisy = scene(0.2, size=64)
    both = torch.cat([noisy, torch.zeros_like(noisy)])
    found = match(both, torch.cat([signal, signal]), LEFT)
    assert found.step.tolist()[1] == 0
    assert found.mean.tolist()[1] == 0
    wide = torch.zeros(1, 64, 192)
    wide[..., :64] = noisy
    padded = match(wide, torch.cat([signal, signal, signal], dim=-1), LEFT)
    assert int(padded.step) == int(found.step[0])
