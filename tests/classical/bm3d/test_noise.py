import numpy as np
import pytest
import torch

from kspace_denoise.classical.bm3d.blocks import take_blocks
from kspace_denoise.classical.bm3d.metric import noise_metric
from kspace_denoise.classical.bm3d.noise import GroupNoise
from kspace_denoise.classical.bm3d.transforms import block_transform, group_transform
from kspace_denoise.fourier import fft2c, ifft2c

SHAPE, SIZE, RADIUS = (24, 21), 8, 6
REPEATS = 2000
PLACES = torch.tensor([[40, 41, 57, 40 + 6 * 14, 44, 38, 40 - 14, 71]])  # 14 blocks to a row


def spectrum(shape=SHAPE, width=1.2):
    """Return the power of noise that was blurred by a Gaussian, narrower along x."""
    ky, kx = (torch.arange(n, dtype=torch.float64) / n - (n // 2) / n for n in shape)
    power = torch.exp(-((2 * np.pi * width) ** 2) * (ky[:, None] ** 2 + 0.3 * kx**2))
    power = power + power.flip(0, 1).roll([1 - n % 2 for n in shape], (0, 1))
    return power / power.mean()


def noise(power, repeats, seed=0):
    """Draw real noise with this spectrum and sigma = 1."""
    generator = torch.Generator().manual_seed(seed)
    white = torch.randn((repeats, *power.shape), generator=generator, dtype=torch.float64)
    return ifft2c(power.sqrt() * fft2c(white.to(torch.complex128))).real


@pytest.mark.parametrize("name", ["dct", "bior1.5"])
@pytest.mark.parametrize("coloured", [True, False])
def test_variances_of_a_group_are_those_of_monte_carlo(name, coloured):
    power = spectrum() if coloured else torch.ones(SHAPE, dtype=torch.float64)
    transform = block_transform(name, SIZE, power)
    along = group_transform(8, torch.float64, power.device)
    images = noise(power, REPEATS)
    corners = [divmod(place, 14) for place in PLACES[0].tolist()]
    blocks = [images[:, y : y + SIZE, x : x + SIZE].flatten(1) for y, x in corners]
    coefficients = along @ (torch.stack(blocks, dim=1) @ transform.forward)
    measured = coefficients.square().mean(0)
    exact = GroupNoise(transform, power, SIZE, RADIUS).variance(along, PLACES)[0, :, 0]
    # A variance from n samples has the relative standard error sqrt(2 / n); 512 are tested.
    error = (measured / exact - 1).abs() / (2 / REPEATS) ** 0.5
    assert error.max() < 5
    # Blocks taken for independent would not pass: these overlap.
    alone = exact.new_tensor(1.0) if not coloured else exact.mean(0)
    assert ((measured / alone - 1).abs() / (2 / REPEATS) ** 0.5).max() > 20


def test_places_of_later_images_are_those_of_the_first():
    power = spectrum()
    transform = block_transform("dct", SIZE, power)
    along = group_transform(8, torch.float64, power.device)
    groups = GroupNoise(transform, power, SIZE, RADIUS)
    later = groups.variance(along, PLACES + 17 * 14)
    torch.testing.assert_close(later, groups.variance(along, PLACES))


def test_no_spectrum_is_variance_one():
    transform = block_transform("dct", SIZE, spectrum())
    groups = GroupNoise(transform, None, SIZE, RADIUS)
    along = group_transform(8, torch.float64, transform.forward.device)
    variance = groups.variance(along, PLACES)
    assert variance.shape == (1, 8, 1, SIZE**2)
    assert (variance == 1).all()


def test_distance_of_pure_noise_is_twice_its_power_at_every_displacement():
    power = spectrum()
    blocks = take_blocks(noise(power, REPEATS, seed=1)[:, None], SIZE)
    metric = noise_metric(blocks, power, RADIUS)
    reference = metric.features[:, 7, 6]
    for dy, dx in ((0, 1), (2, -1), (6, 6), (-5, 3)):
        distance = (metric.features[:, 7 + dy, 6 + dx] - reference).square().sum(-1)
        mean = distance.mean() + metric.penalty[RADIUS + dy, RADIUS + dx]
        assert abs(mean - 2 * metric.noise) < 5 * distance.std() / REPEATS**0.5
    assert metric.penalty[RADIUS, RADIUS + 1] > 0.3 * metric.noise  # and it matters


def test_white_noise_is_compared_by_pixels():
    blocks = take_blocks(noise(spectrum(), 2)[:, None], SIZE)
    metric = noise_metric(blocks, None, RADIUS)
    torch.testing.assert_close(metric.features, blocks.flatten(-2))
    assert metric.penalty is None
    assert metric.noise == SIZE**2
