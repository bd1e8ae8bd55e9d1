"""Recorrupted2Recorrupted, Noisier2Noise, SURE, Noise2Score: minimisers that theory gives.

Pixels of x ~ N(0, 1), noise of 0.5: the Wiener gain is 0.8, its error 0.2.
"""

import pytest
import torch
from torch import Tensor, nn

from kspace_denoise.objectives import (
    SURE,
    Batch,
    Noise2Score,
    Noisier2Noise,
    Recorrupted2Recorrupted,
)
from tests.objectives.toys import Gain, best_gain, gaussian

SIGMA, SHAPE = 0.5, (4, 1000, 1000)
CLOSE = 5 * (2 / 4e6) ** 0.5
"""Five standard errors of the mean square of so many numbers; `best_gain` draws from seed 2."""


def batch(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Batch]:
    clean = gaussian(SHAPE, 1, dtype)
    return clean, Batch(clean + SIGMA * gaussian(SHAPE, 12, dtype), torch.full(SHAPE[:1], SIGMA))


@pytest.mark.parametrize(
    ("alpha", "gain", "floor"), [(0.5, 0.76190, 1.4881), (1.0, 0.66667, 0.83333)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_recorrupted_pairs_have_the_known_minimiser(alpha, gain, floor, dtype):
    """methods.md 7: gain s² / (s² + σ² (1 + α²)), whatever the target's noise."""
    clean, given = batch(dtype)
    objective = Recorrupted2Recorrupted(alpha=alpha, draws=8)
    found, least = best_gain(objective, given)
    components = 2 if dtype.is_complex else 1
    assert found == pytest.approx(gain, rel=2 * CLOSE)  # the target's noise is up to 4 x 0.25
    assert least == pytest.approx(components * floor, rel=CLOSE)
    estimate = objective.denoise(Gain(gain), given.image, given.sigma)
    error = float((estimate - clean).abs().square().mean()) / components
    added = 1 + alpha**2 / objective.draws
    assert error == pytest.approx((1 - gain) ** 2 + gain**2 * SIGMA**2 * added, rel=CLOSE)


def test_one_draw_has_the_known_error():
    clean, given = batch()
    for alpha, gain, error in ((0.5, 0.76190, 0.23810), (1.0, 0.66667, 0.33333)):
        one = Recorrupted2Recorrupted(alpha=alpha, draws=1)
        estimate = one.denoise(Gain(gain), given.image, given.sigma)
        assert float((estimate - clean).square().mean()) == pytest.approx(error, rel=CLOSE)


@pytest.mark.parametrize(
    ("alpha", "gain", "error"), [(0.5, 0.76190, 0.23810), (1.0, 0.66667, 0.33333)]
)
def test_noisier2noise_corrected_is_the_same_estimate(alpha, gain, error):
    """Its network learns E[y | z]; the correction makes E[x | z] of it, as that of a pair is."""
    clean, given = batch()
    objective = Noisier2Noise(alpha=alpha, draws=1)
    halfway, _ = best_gain(objective, given)
    corrected = ((1 + alpha**2) * halfway - 1) / alpha**2
    assert corrected == pytest.approx(gain, rel=10 * CLOSE)  # errors grow by (1 + α²) / α²
    estimate = objective.denoise(Gain(halfway), given.image, given.sigma)
    assert float((estimate - clean).square().mean()) == pytest.approx(error, rel=10 * CLOSE)
    averaged = Noisier2Noise(alpha=alpha, draws=100).denoise(
        Gain(halfway), given.image[:1], given.sigma[:1]
    )
    limit = (1 - gain) ** 2 + gain**2 * SIGMA**2 * (1 + alpha**2 / 100)
    found = float((averaged - clean[:1]).square().mean())
    assert found == pytest.approx(limit, rel=10 * CLOSE)


def test_draws_repeat_with_the_seed_and_the_level_is_told():
    seen = []

    class Spy(nn.Module):
        def forward(self, x: Tensor, level: Tensor, condition: Tensor | None) -> Tensor:
            seen.append((level, condition))
            return x

    x, sigma, others = torch.randn(2, 5, 6), torch.tensor([0.3, 0.4]), torch.randn(2, 1, 5, 6)
    for kind in (Recorrupted2Recorrupted, Noisier2Noise):
        one, again, other = (kind(0.75, 2, seed).denoise(Spy(), x, sigma) for seed in (0, 0, 1))
        assert torch.equal(one, again)
        assert not torch.equal(one, other)
        kind(0.75).loss(Spy(), Batch(x, sigma, condition=others), torch.Generator())
        for level, _ in seen:
            torch.testing.assert_close(level, 1.25 * sigma)
        assert seen[-1][1] is others


class Soft(nn.Module):
    """Soft thresholding of magnitudes, whose divergence is known."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, x: Tensor, _level: Tensor, _condition: Tensor | None) -> Tensor:
        size = x.abs()
        return x * ((size - self.threshold).clamp(min=0) / size.clamp(min=1e-12))


def spikes(dtype: torch.dtype) -> tuple[Tensor, Batch]:
    """Return a tenth of pixels of standard deviation 3, the others 0, with noise."""
    shape = (1, 1000, 1000)
    where = torch.rand(shape, generator=torch.Generator().manual_seed(9)) < 0.1
    clean = 3 * gaussian(shape, 1, dtype) * where
    return clean, Batch(clean + SIGMA * gaussian(shape, 12, dtype), torch.full((1,), SIGMA))


@pytest.mark.parametrize(("threshold", "error"), [(0.5, 0.0753), (1.0, 0.0977), (1.5, 0.1742)])
@pytest.mark.parametrize("derivative", ["difference", "exact"])
def test_sure_is_the_error_of_soft_thresholding(threshold, error, derivative):
    """methods.md 7, check 4."""
    clean, given = spikes(torch.float32)
    network = Soft(threshold)
    true = float((network(given.image, given.sigma, None) - clean).square().mean())
    found = float(SURE(derivative).loss(network, given, torch.Generator().manual_seed(3)).detach())
    assert true == pytest.approx(error, rel=0.01)
    assert found == pytest.approx(true, rel=0.015)


def test_sure_counts_both_components_of_a_complex_pixel():
    """Half the constant, or the trace of one component, would miss by 0.2 or more."""
    clean, given = spikes(torch.complex64)
    network = Soft(1.0)
    true = float((network(given.image, given.sigma, None) - clean).abs().square().mean())
    found = float(SURE().loss(network, given, torch.Generator().manual_seed(3)))
    assert found == pytest.approx(true, rel=0.01)


def test_the_minimiser_of_sure_is_the_wiener_gain():
    gain, floor = best_gain(SURE(), batch()[1])
    assert gain == pytest.approx(0.8, rel=CLOSE)
    assert floor == pytest.approx(0.2, rel=10 * CLOSE)  # the difference of two larger means


@pytest.mark.parametrize(
    ("width", "dtype"),
    [(0.1, torch.float32), (1.0, torch.float32), (1.0, torch.complex64)],
)
def test_noise2score_is_the_denoiser_of_a_little_more_noise(width, dtype):
    """With a = σ w |n|, the gain is 1 - σ² / (s² + σ² + 3 w² σ²); Wiener's for w = 0."""
    images = 4000
    shape = (images, 30, 30)
    noisy = gaussian(shape, 1, dtype) + SIGMA * gaussian(shape, 12, dtype)
    objective = Noise2Score(smallest=width, largest=width)
    gain, _ = best_gain(objective, Batch(noisy, torch.full(shape[:1], SIGMA)))
    expected = 1 - SIGMA**2 / (1 + SIGMA**2 + 3 * width**2 * SIGMA**2)
    # Shrinkage 1 - gain is a mean over images of a² over one of a⁴: relative errors of about 2.
    assert 1 - gain == pytest.approx(1 - expected, rel=5 * 3 / images**0.5)


def test_widths_of_noise2score_fall_evenly_in_their_logarithm():
    objective = Noise2Score(smallest=0.1, largest=1.0)
    widths = [objective.at(share).largest for share in (0.0, 0.5, 1.0)]
    assert widths == pytest.approx([1.0, 0.1**0.5, 0.1])
    drawn = objective.at(0.5).draw(torch.full((200_000,), 2.0), torch.Generator().manual_seed(0))
    assert float(drawn.square().mean()) == pytest.approx(4 * 0.1, rel=5 * (2 / 200_000) ** 0.5)


def test_what_the_papers_chose():
    assert Recorrupted2Recorrupted.paper() == Recorrupted2Recorrupted(alpha=0.5, draws=50)
    assert Noisier2Noise.paper().draws == 1
    assert SURE.paper() == SURE()
    paper = Noise2Score.paper()
    assert paper.largest / paper.smallest == pytest.approx(100)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Recorrupted2Recorrupted(alpha=0), "alpha is 0, expected a positive number"),
        (lambda: Recorrupted2Recorrupted(draws=0), "draws is 0, expected 1 or more"),
        (lambda: Noisier2Noise(alpha=-1), "alpha is -1, expected a positive number"),
        (lambda: Noisier2Noise(alpha=float("inf")), "alpha is inf, expected a positive number"),
        (lambda: Noisier2Noise(draws=0), "draws is 0, expected 1 or more"),
        (lambda: SURE(derivative="none"), "derivative is 'none', expected 'difference'"),
        (lambda: Noise2Score(smallest=0), "smallest is 0 and largest"),
        (lambda: Noise2Score(smallest=2, largest=1), "smallest is 2 and largest 1"),
    ],
)
def test_bad_settings_say_what_is_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_blanked_pixels_hold_no_noise_and_earn_nothing():
    """SURE of pixels that are exactly 0 is |f|², whatever the network does with them."""
    _, given = batch(torch.complex64)
    half = torch.arange(SHAPE[1]) % 2 == 0
    image = torch.where(half[:, None], given.image, 0)
    blank = Batch(image, given.sigma)
    noise = blank.noise(torch.Generator().manual_seed(0))
    assert not noise[:, ~half].any()
    assert float(noise[:, half].abs().square().mean()) == pytest.approx(2, rel=CLOSE)
    seeded = (torch.Generator().manual_seed(4) for _ in range(2))
    whole, part = (
        SURE().loss(Gain(-3.0), x, g) for x, g in zip((given, blank), seeded, strict=True)
    )
    assert float(part) == pytest.approx(float(whole) / 2, rel=0.02)
