"""Noise2Void: which pixels are hidden behind what, and the minimiser of its loss."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from kspace_denoise.objectives import Batch
from kspace_denoise.objectives.noise2void import Noise2Void
from tests.objectives.toys import Gain, Neighbours, best_gain, correlated_rows, gaussian

CPU = torch.device("cpu")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_blind_filter_finds_the_best_estimate_from_its_neighbours():
    """Unit-variance triple, correlation 0.9, sigma 0.5: gains .43689, error .21359 (+ sigma²)."""
    shape, sigma = (64, 256, 256), 0.5
    clean = correlated_rows(shape, 0.9, seed=1)
    batch = Batch(clean + sigma * gaussian(shape, 2), torch.full(shape[:1], sigma))
    objective = Noise2Void()
    k, floor = best_gain(objective, batch, Neighbours)
    hidden = clean.numel() / 64
    assert floor == pytest.approx(0.46359, rel=5 * (2 / hidden) ** 0.5)
    # Standard error of a least-squares gain: sqrt(floor / (hidden E[(left + right)²])).
    assert k == pytest.approx(0.43689, abs=5 * (0.46359 / (hidden * 4.12)) ** 0.5)
    blind = objective.denoise(Neighbours(0.43689), batch.image, batch.sigma)
    # Neighbours of one row are correlated: some ten pixels count as one.
    close = 5 * (2 * 10 / clean.numel()) ** 0.5
    assert float((blind - clean).square().mean()) == pytest.approx(0.21359, rel=close)


def test_a_complex_pixel_counts_both_components():
    shape, sigma = (32, 256, 256), 0.5
    clean = torch.complex(*(correlated_rows(shape, 0.9, seed) for seed in (1, 2)))
    noisy = clean + sigma * gaussian(shape, 3, torch.complex64)
    k, floor = best_gain(Noise2Void(), Batch(noisy, torch.full(shape[:1], sigma)), Neighbours)
    hidden = clean.numel() / 64
    assert floor == pytest.approx(2 * 0.46359, rel=5 / hidden**0.5)
    assert k == pytest.approx(0.43689, abs=5 * (0.46359 / (2 * hidden * 4.12)) ** 0.5)


@pytest.mark.parametrize(("percent", "box"), [(1.5, 8), (100, 1), (25, 2), (0.198, 22)])
def test_box_follows_from_the_percentage(percent, box):
    assert Noise2Void(percent=percent).box == box


@pytest.mark.parametrize("sides", [(64, 64), (37, 50), (5, 3)])
def test_every_pixel_is_hidden_equally_often_and_one_in_each_box(sides):
    draws = 5_000
    b, y, x = Noise2Void().choose(torch.Size((draws, *sides)), seeded(), CPU)
    counts = torch.zeros(sides).index_put((y, x), torch.ones(len(y)), accumulate=True)
    expected, error = draws / 64, (draws / 64 * (1 - 1 / 64)) ** 0.5
    assert float((counts - expected).abs().max()) < 5 * error
    boxes = torch.stack([b, y // 8, x // 8])
    assert len(torch.unique(boxes, dim=1).T) == len(b)
    if sides == (64, 64):
        assert len(b) == 64 * draws


@pytest.mark.parametrize("centre", [True, False])
def test_replacement_is_uniform_over_the_window(centre):
    objective, shape = Noise2Void(centre=centre), torch.Size((1, 40, 40))
    draws, options = 242_000, 121 if centre else 120
    at = tuple(torch.full((draws,), place) for place in (0, 20, 15))
    _, y, x = objective.neighbours(at, shape, seeded())
    counts = torch.zeros(40, 40).index_put((y, x), torch.ones(draws), accumulate=True)
    window = counts[15:26, 10:21]
    assert window.sum() == draws
    assert (float(window[5, 5]) > 0) == centre
    drawn = window[window > 0]
    assert len(drawn) == options
    expected = draws / options
    chi_squared = float(((drawn - expected) ** 2 / expected).sum())
    assert chi_squared < options + 5 * (2 * options) ** 0.5


@pytest.mark.parametrize("corner", [(0, 0), (0, 39), (39, 39), (2, 20)])
def test_at_the_border_the_window_moves_inwards(corner):
    at = tuple(torch.full((20_000,), place) for place in (0, *corner))
    _, y, x = Noise2Void().neighbours(at, torch.Size((1, 40, 40)), seeded())
    for place, drawn in zip(corner, (y, x), strict=True):
        start = min(max(place - 5, 0), 29)
        assert (int(drawn.min()), int(drawn.max())) == (start, start + 10)
    assert not bool(((y == corner[0]) & (x == corner[1])).any())


def test_the_hidden_pixel_itself_never_reaches_the_network():
    """A network that copies errs by the difference of two pixels."""
    image = gaussian((16, 64, 64), 1)
    copied = Noise2Void().loss(Gain(1.0), Batch(image, torch.ones(16)), seeded())
    hidden = 16 * 64
    assert float(copied) == pytest.approx(2.0, rel=5 * (2 / hidden) ** 0.5)
    at = Noise2Void().choose(image.shape, seeded(), CPU)
    seen = {}

    class Spy(nn.Module):
        def forward(self, x: Tensor, _level: Tensor, _condition: Tensor | None) -> Tensor:
            seen["x"] = x
            return x

    before = image.clone()
    Noise2Void().loss(Spy(), Batch(image, torch.ones(16)), seeded())
    assert torch.equal(image, before)
    changed = seen["x"] != image
    expected = torch.zeros_like(changed)
    expected[at] = True
    assert torch.equal(changed, expected)


def test_the_paper_rewards_copying_once_in_121():
    image = gaussian((256, 64, 64), 1)
    objective = Noise2Void.paper()
    assert dataclasses.asdict(objective) == {"percent": 1.5, "radius": 5, "centre": True}
    at = objective.choose(image.shape, seeded(), CPU)
    _, y, x = objective.neighbours(at, image.shape, seeded(1))
    share = float(((y == at[1]) & (x == at[2])).float().mean())
    assert share == pytest.approx(1 / 121, abs=5 * (1 / 121 / len(y)) ** 0.5)


def test_a_constant_image_and_a_small_one_are_no_trouble():
    constant = Batch(torch.ones(2, 3, 200), torch.ones(2))
    assert float(Noise2Void().loss(Gain(1.0), constant, seeded())) == 0
    lucky = Batch(torch.ones(1, 1, 2), torch.ones(1))
    assert float(Noise2Void().loss(Gain(1.0), lucky, seeded())) == 0  # most often nothing is hidden


def test_other_contrasts_stay_as_they_are():
    others, seen = torch.randn(2, 3, 16, 16), []

    class Spy(nn.Module):
        def forward(self, x: Tensor, _level: Tensor, condition: Tensor | None) -> Tensor:
            seen.append(condition)
            return x

    batch = Batch(torch.randn(2, 16, 16), torch.ones(2), condition=others)
    Noise2Void().loss(Spy(), batch, seeded())
    Noise2Void().denoise(Spy(), batch.image, batch.sigma, others)
    assert all(condition is others for condition in seen)
    assert len(seen) == 2


def test_bad_settings_say_what_is_expected():
    for percent in (0, -1, 101):
        with pytest.raises(ValueError, match="more than 0 and at most 100"):
            Noise2Void(percent=percent)
    with pytest.raises(ValueError, match="expected 1 pixel or more"):
        Noise2Void(radius=0)
    with pytest.raises(ValueError, match="single pixel has no neighbours"):
        Noise2Void(percent=100).loss(Gain(1.0), Batch(torch.ones(1, 1, 1), torch.ones(1)), seeded())
