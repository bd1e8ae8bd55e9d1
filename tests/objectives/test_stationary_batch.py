"""Batches whose noise is correlated: what is drawn, and what Corruption2Self learns from it."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kspace_denoise import sim
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.objectives import C2S, Batch
from kspace_denoise.objectives.stationary_batch import StationaryBatch
from kspace_denoise.recon import correlation_spectrum
from kspace_denoise.symmetry import turn
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.stationary import StationaryImages

REACH = 6


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blurred(blur: float = 1.2) -> Tensor:
    law, away = sim.BlurredNoise(1.0, blur), range(-REACH, REACH + 1)
    return torch.tensor([[law.autocorrelation(dy, dx) for dx in away] for dy in away])


def along_rows() -> Tensor:
    """Neighbours in a row share half."""
    found = torch.zeros(2 * REACH + 1, 2 * REACH + 1)
    found[REACH, REACH - 1 : REACH + 2] = torch.tensor([0.5, 1.0, 0.5])
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_noise_is_drawn_as_it_is_correlated(dtype):
    images = torch.ones(64, 40, 33, dtype=dtype)
    batch = StationaryBatch(images, torch.ones(64), correlation=blurred(), numbers=(0,) * 64)
    noise = batch.noise(seeded())
    components = 2 if dtype.is_complex else 1
    power = float(noise.abs().square().mean()) / components
    independent = noise.numel() / 8  # of noise that is correlated over some pixels
    assert power == pytest.approx(1, abs=4 * (2 / independent) ** 0.5)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (0, 3)):
        one, other = noise[:, dy:, dx:], noise[:, : 40 - dy, : 33 - dx]
        found = float((one * other.conj()).real.mean()) / components
        true = float(blurred()[REACH + dy, REACH + dx])
        assert found == pytest.approx(true, abs=4 / independent**0.5)


def test_complex_noise_turns_from_pixel_to_pixel_as_it_should():
    """As that of partial Fourier: more noise at k than at -k; by (y, x) and then its neighbour."""
    correlation = torch.zeros(3, 3, dtype=torch.complex64)
    correlation[:, 1] = torch.tensor([0.4j, 1, -0.4j])
    images = torch.ones(64, 40, 33, dtype=torch.complex64)
    batch = StationaryBatch(images, torch.ones(64), correlation=correlation, numbers=(0,) * 64)
    noise = batch.noise(seeded())
    below = (noise[:, 1:] * noise[:, :-1].conj()).mean() / 2
    right = (noise[..., 1:] * noise[..., :-1].conj()).mean() / 2
    within = 4 / (noise.numel() / 4) ** 0.5
    assert abs(complex(below) + 0.4j) < within
    assert abs(complex(right)) < within


def test_noise_is_turned_with_its_image():
    images = torch.ones(8, 36, 36)
    batch = StationaryBatch(
        images, torch.ones(8), correlation=along_rows(), numbers=tuple(range(8))
    )
    one, two = (float(x) for x in shares(torch.cat([batch.noise(seeded(s)) for s in range(40)])))
    assert one == pytest.approx(0.25, abs=0.03)  # half of the turns lay rows down as columns
    assert two == pytest.approx(0.25, abs=0.03)
    quarter = StationaryBatch(images, torch.ones(8), correlation=along_rows(), numbers=(1,) * 8)
    drawn = torch.cat([quarter.noise(seeded(s)) for s in range(40)])
    along, across = (float(x) for x in shares(drawn))
    assert (along, across) == pytest.approx((0, 0.5), abs=0.03)
    assert torch.equal(turn(turn(images[:1], 1), 3), images[:1])


def shares(noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return the correlation of neighbours in a row, and in a column."""
    return (noise[..., 1:] * noise[..., :-1]).mean(), (noise[:, 1:] * noise[:, :-1]).mean()


def test_blank_pixels_get_no_noise_and_parts_keep_their_turns():
    images = torch.ones(5, 16, 16)
    images[:, :4] = 0
    batch = StationaryBatch(images, torch.ones(5), correlation=blurred(), numbers=(0, 1, 2, 3, 4))
    assert not batch.noise(seeded())[:, :4].any()
    parts = batch.split(2)
    assert [part.numbers for part in parts] == [(0, 1, 2), (3, 4)]
    assert batch.to("cpu").numbers == batch.numbers


def test_what_is_no_correlation_is_clipped_and_keeps_its_power():
    impossible = along_rows()
    impossible[REACH, REACH + 1] = impossible[REACH, REACH - 1] = 0.9
    spectrum = correlation_spectrum(impossible, (40, 40))
    assert float(spectrum.mean()) == pytest.approx(1, abs=1e-5)
    assert float(spectrum.min()) == 0


class Filter(nn.Module):
    """One gain for rough and one for smooth along rows, by the Fourier components of a row."""

    def __init__(self, gains: Tensor) -> None:
        super().__init__()
        self.gains = gains

    def forward(self, x: Tensor, _level: Tensor, _condition: Tensor | None) -> Tensor:
        found: Tensor = ifft2c(self.gains * fft2c(x)).real
        return found


def test_corruption2self_learns_the_wiener_filter_of_coloured_noise():
    """White signal: the gain is s² / (s² + σ² P(k)), less where noise is strong. In one level."""
    s, sigma, tau, size = 1.0, 0.6, 0.6, 64
    k = (torch.arange(size) - size // 2) / size
    power = 1 + torch.cos(2 * torch.pi * k)  # of noise whose neighbours in a row share half
    white = torch.randn(2, 256, size, size, generator=seeded(1))
    noise = ifft2c(power.sqrt() * fft2c(white[1])).real
    noisy = s * white[0] + sigma * noise
    batch = StationaryBatch(
        noisy, torch.full((256,), sigma), correlation=along_rows(), numbers=(0,) * 256
    )
    plain = Batch(noisy, batch.sigma)
    c2s = C2S(spread=1e-6, level_jitter=0.0)
    total = sigma**2 + tau**2
    right = s**2 / (s**2 + total * power)
    taken_for_white = s**2 / (s**2 + sigma**2 * power + tau**2)

    def loss(gains: Tensor, given: Batch) -> float:
        return float(c2s.loss(Filter(gains), given, seeded(2)))

    for wrong in (taken_for_white, 0.9 * right, 1.1 * right):
        assert loss(right, batch) < loss(wrong, batch)
    assert loss(right, plain) > loss(taken_for_white, plain)


def test_the_correlation_is_measured_on_the_images_themselves():
    heads = [np.abs(sim.phantom((96, 80), seed=s).image) for s in range(8)]
    noisy = [sim.BlurredNoise(1.0, 1.2).sample(20 * x / x.max(), i) for i, x in enumerate(heads)]
    data = StationaryImages.measured(NoisyImages.from_arrays(noisy))
    middle = len(data.correlation) // 2
    assert float(data.correlation[middle, middle + 1]) == pytest.approx(0.421, abs=0.04)
    batch = data.draw(4, 32, seeded())
    assert isinstance(batch, StationaryBatch)
    assert len(batch.numbers) == 4
    other = StationaryImages(data.images, blurred())
    assert other.identity() != data.identity()
