"""Noise2Self, Noise2Same, Neighbor2Neighbor: what stands in for a pixel, and the minimisers."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kspace_denoise.objectives import Batch, BlindSpot, Neighbor2Neighbor, Noise2Same, Noise2Self
from kspace_denoise.objectives.blind import from_around
from kspace_denoise.objectives.neighbor2neighbor import drawn
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.trainer import Trainer
from tests.objectives.toys import Gain, Neighbours, best_gain, correlated_rows, gaussian


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_mean_around_a_pixel_is_blind_to_it_and_keeps_ramps():
    y, x = torch.meshgrid(torch.arange(7.0), torch.arange(9.0), indexing="ij")
    ramp = (2 * y - x + 1)[None]
    found = from_around(ramp)
    torch.testing.assert_close(found[:, 1:-1, 1:-1], ramp[:, 1:-1, 1:-1])
    torch.testing.assert_close(from_around(torch.ones(1, 2, 5)), torch.ones(1, 2, 5))
    one = torch.zeros(1, 5, 5)
    one[0, 2, 2] = 6
    expected = torch.tensor([[0.5, 1, 0.5], [1, 0, 1], [0.5, 1, 0.5]])
    torch.testing.assert_close(from_around(one)[0, 1:4, 1:4], expected)
    both = torch.complex(ramp, one.new_zeros(1, 7, 9) + 3)
    torch.testing.assert_close(from_around(both).real, found)
    with pytest.raises(ValueError, match="expected 2 pixels or more each way"):
        from_around(torch.ones(1, 1, 5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_a_blind_network_is_taught_the_best_estimate_from_the_neighbours(dtype):
    """methods.md 7, check 1, of all pixels at once."""
    shape, sigma = (8, 256, 256), 0.5
    clean = correlated_rows(shape, 0.9, seed=1)
    if dtype.is_complex:
        clean = torch.complex(clean, correlated_rows(shape, 0.9, seed=5))
    given = Batch(clean + sigma * gaussian(shape, 2, dtype), torch.full(shape[:1], sigma))
    components = 2 if dtype.is_complex else 1
    gain, floor = best_gain(BlindSpot(), given, Neighbours)
    values = components * clean.numel() / 4  # neighbours share what they are told from
    assert floor == pytest.approx(components * 0.46359, rel=5 * (2 / values) ** 0.5)
    assert gain == pytest.approx(0.43689, abs=5 * (0.46359 / (values * 4.12)) ** 0.5)


def test_the_papers_blind_networks_are_taught_the_median():
    """Of noise that is 0 or 1, E|f - y| is least at 0 while most pixels are, E(f - y)² at 0.3."""
    noise = (torch.rand(8, 64, 64, generator=seeded()) < 0.3).float()
    given = Batch(noise, torch.ones(8))

    class Constant(nn.Module):
        def __init__(self, value: float) -> None:
            super().__init__()
            self.value = value

        def forward(self, x: Tensor, _level: Tensor, _condition: Tensor | None) -> Tensor:
            return torch.full_like(x, self.value)

    def least(objective: BlindSpot) -> float:
        values = torch.linspace(0, 1, 21).tolist()
        return min(values, key=lambda v: float(objective.loss(Constant(v), given, seeded())))

    assert least(BlindSpot.paper()) == 0
    assert least(BlindSpot()) == pytest.approx(0.3, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_noise2self_finds_the_best_estimate_from_the_neighbours(dtype):
    """methods.md 7, check 1: gains .43689, error .21359, and σ² above it."""
    shape, sigma = (16, 256, 256), 0.5
    clean = correlated_rows(shape, 0.9, seed=1)
    if dtype.is_complex:
        clean = torch.complex(clean, correlated_rows(shape, 0.9, seed=5))
    given = Batch(clean + sigma * gaussian(shape, 2, dtype), torch.full(shape[:1], sigma))
    components = 2 if dtype.is_complex else 1
    gain, floor = best_gain(Noise2Self(), given, Neighbours)
    hidden = components * clean.numel() / 16
    assert floor == pytest.approx(components * 0.46359, rel=5 * (2 / hidden) ** 0.5)
    assert gain == pytest.approx(0.43689, abs=5 * (0.46359 / (hidden * 4.12)) ** 0.5)


@pytest.mark.parametrize("sides", [(8, 8), (7, 10), (3, 5)])
def test_the_grids_share_all_pixels_between_them(sides):
    objective, image = Noise2Self(), torch.zeros(1, *sides)
    counts = sum(objective.grid(number, image).int() for number in range(16))
    assert bool((counts == 1).all())


@pytest.mark.parametrize("inference", ["sweep", "plain"])
def test_no_pixel_sees_itself_in_a_sweep(inference):
    """By the Jacobian of a network that is anything but blind."""
    torch.manual_seed(0)  # noqa: TID251
    conv = nn.Conv2d(1, 1, 5, padding=2).double()

    class Network(nn.Module):
        def forward(self, x: Tensor, _level: Tensor, _condition: Tensor | None) -> Tensor:
            return conv(x[:, None]).tanh()[:, 0]

    x = torch.randn(1, 9, 11, dtype=torch.float64)
    objective = Noise2Self(inference=inference)
    jacobian = torch.autograd.functional.jacobian(
        lambda image: objective.denoise(Network(), image, torch.ones(1)), x, create_graph=False
    ).reshape(99, 99)
    diagonal = float(jacobian.diagonal().abs().max() / jacobian.abs().max())
    assert (diagonal < 1e-10) == (inference == "sweep")


def test_noise2same_bounds_the_error():
    """Theorem 1: error + σ² is at most the loss, for any network, blind or not."""
    shape, sigma = (16, 256, 256), 0.5
    clean = correlated_rows(shape, 0.9, seed=1)
    given = Batch(clean + sigma * gaussian(shape, 2), torch.full(shape[:1], sigma))
    objective = Noise2Same(share=0.05)
    for network in (Neighbours(0.43689), Neighbours(0.3), Gain(0.8), Gain(0.2), Gain(1.0)):
        estimate = network(given.image, given.sigma, None)
        error = float((estimate - clean).square().mean()) + sigma**2
        assert float(objective.loss(network, given, seeded())) > 0.995 * error


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_the_loss_of_noise2same_is_what_it_says(dtype):
    """White pixels of variance v: (1 - k)² v + 2 σ k √(v 41/36), as a gain of k changes by k v."""
    shape, sigma, k = (8, 512, 512), 0.5, 0.6
    noisy = gaussian(shape, 1, dtype) + sigma * gaussian(shape, 2, dtype)
    given = Batch(noisy, torch.full(shape[:1], sigma))
    v, components = 1.25, 2 if dtype.is_complex else 1
    expected = (1 - k) ** 2 * v + 2 * sigma * k * (v * 41 / 36) ** 0.5
    hidden = 0.005 * noisy.numel()
    found = float(Noise2Same().loss(Gain(k), given, seeded()))
    assert found == pytest.approx(components * expected, rel=5 / hidden**0.5)
    twice = float(Noise2Same(weight=4 * sigma).loss(Gain(k), given, seeded()))
    more = 2 * sigma * k * (v * 41 / 36) ** 0.5
    assert twice - found == pytest.approx(components * more, rel=5 / hidden**0.5)


def test_a_network_that_answers_zero_has_a_gradient():
    network = Gain(torch.zeros((), requires_grad=True))
    loss = Noise2Same().loss(network, Batch(torch.randn(2, 64, 64), torch.ones(2)), seeded())
    loss.backward()
    assert bool(network.gain.grad.isfinite())


def cells(rho: float, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Draw pixels of unit variance whose correlation within each cell of 2 x 2 is rho."""
    half = (shape[0], shape[1] // 2, shape[2] // 2)
    common = gaussian(half, 1, dtype).repeat_interleave(2, 1).repeat_interleave(2, 2)
    return rho**0.5 * common + (1 - rho) ** 0.5 * gaussian(shape, 3, dtype)


@pytest.mark.parametrize(
    ("rho", "weight", "gain"),
    [
        (1.0, 0.0, 0.8000), (1.0, 1.0, 0.8889), (1.0, 2.0, 0.9231),
        (0.9, 0.0, 0.7200), (0.9, 1.0, 0.8372), (0.9, 2.0, 0.8852),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_neighbours_have_the_known_minimiser(rho, weight, gain, dtype):
    """methods.md 7, check 2: where the gradient is 0; without the stop it is .9333 for 1, 2."""
    shape, sigma = (4, 1000, 1000), 0.5
    noisy = cells(rho, shape, dtype) + sigma * gaussian(shape, 2, dtype)
    given = Batch(noisy, torch.full(shape[:1], sigma))
    objective = Neighbor2Neighbor(weight=weight)

    def slope(k: float) -> float:
        network = Gain(torch.tensor(k, requires_grad=True))
        objective.loss(network, given, seeded(7)).backward()
        return float(network.gain.grad)

    low, high = slope(0.0), slope(1.0)
    assert -low / (high - low) == pytest.approx(gain, abs=5 * (2 / 1e6) ** 0.5)


def test_pairs_are_neighbours_and_all_pairs_come_up():
    numbers = torch.arange(4).reshape(1, 2, 2).repeat(20_000, 3, 4).float()
    first, second = Neighbor2Neighbor().choose(numbers.shape, seeded(), torch.device("cpu"))
    a, b = drawn(numbers, first), drawn(numbers, second)
    assert torch.equal(a, first.float())
    assert torch.equal(b, second.float())
    counts = torch.bincount((4 * a + b).long().flatten(), minlength=16).reshape(4, 4)
    expected = torch.tensor([[0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0]])
    draws = 20_000 * 12
    error = (draws / 8 * 7 / 8) ** 0.5
    assert float((counts - draws / 8 * expected).abs().max()) < 5 * error


def test_odd_images_and_contrasts_are_drawn_alike():
    seen = []

    class Spy(nn.Module):
        def forward(self, x: Tensor, _level: Tensor, condition: Tensor | None) -> Tensor:
            seen.append((x, condition))
            return x

    x = torch.randn(2, 5, 7)
    both = Batch(x, torch.ones(2), condition=torch.stack([x, 2 * x], dim=1))
    assert float(Neighbor2Neighbor().loss(Spy(), both, seeded())) > 0
    (small, others), (full, all_others) = seen
    assert small.shape == (2, 2, 3)
    torch.testing.assert_close(others, torch.stack([small, 2 * small], dim=1))
    assert full is x
    assert all_others is both.condition


def test_the_weight_grows_in_the_course_of_training():
    objective = Neighbor2Neighbor.paper()
    assert objective.at(0.0).weight == 0
    assert objective.at(0.25) == dataclasses.replace(objective, weight=0.5)
    data = NoisyImages.from_arrays([np.ones((4, 4), np.complex64)])
    trainer = Trainer(nn.Linear(1, 1), objective, data, TrainConfig())
    assert trainer._objective(0).weight == 0  # of minutes, whose steps are not known yet
    trainer.progress.steps = 8
    assert trainer._objective(6).weight == 1.5
    constant = Neighbor2Neighbor(ramp=False)
    assert constant.at(0.25) is constant


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Noise2Self(width=1), "width is 1, expected 2 pixels or more"),
        (lambda: Noise2Self(inference="both"), "inference is 'both', expected 'sweep', 'plain'"),
        (lambda: Noise2Same(share=0), "share is 0, expected more than 0"),
        (lambda: Noise2Same(weight=-1), "weight is -1, expected 0 or more"),
        (lambda: Neighbor2Neighbor(weight=-1), "weight is -1, expected 0 or more"),
    ],
)
def test_bad_settings_say_what_is_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_image_without_cells_is_refused():
    with pytest.raises(ValueError, match="expected cells of 2 x 2 pixels"):
        Neighbor2Neighbor().loss(Gain(1.0), Batch(torch.ones(1, 1, 9), torch.ones(1)), seeded())


def test_noise2same_bounds_the_error_of_images_of_different_noise_together():
    shape, sigma = (16, 256, 256), torch.tensor([0.05, 1.0]).repeat(8)
    clean = correlated_rows(shape, 0.9, seed=1)
    given = Batch(clean + sigma[:, None, None] * gaussian(shape, 2), sigma)
    for gain in (1.0, 0.8, 0.2):
        error = float((gain * given.image - clean).square().mean() + sigma.square().mean())
        assert float(Noise2Same(share=0.05).loss(Gain(gain), given, seeded())) > 0.995 * error
