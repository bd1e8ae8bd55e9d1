"""The sampler of DiffDenoise and its controls, by the known answers of methods.md 6.4 and 6.5."""

import pytest
import torch
from torch import Tensor, nn

from kspace_denoise.diffdenoise.sampler import sampled, starts
from kspace_denoise.objectives.conditional_diffusion import ConditionalDiffusion

IMAGE = ConditionalDiffusion(variable="image")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Shrinkage(nn.Module):
    """The best denoiser of pixels that are N(mean, spread²), whatever the condition."""

    def __init__(self, mean: float, spread: float) -> None:
        super().__init__()
        self.mean, self.spread = mean, spread

    def forward(self, x: Tensor, level: Tensor, _condition: Tensor) -> Tensor:
        power = level[:, None, None] ** 2
        return self.mean + (x - self.mean) * self.spread**2 / (self.spread**2 + power)


@pytest.mark.parametrize(
    ("steps", "half_spread", "mean"),
    [(10, 0.315, 0.49995), (20, 0.43, 0.49993), (50, 0.65, 0.49990), (100, 0.79, 0.49987),
     (1000, 0.96, 0.49985)],
)  # fmt: skip
def test_few_steps_shrink_a_single_run_and_not_the_pair(steps, half_spread, mean):
    """Of N(.5, .05²) both means are the answer; a sample's own noise depends on the steps."""
    denoiser, condition = Shrinkage(0.5, 0.05), torch.zeros(1, 1, 1, dtype=torch.float64)
    noise = torch.ones_like(condition)[None]
    up, down = (sampled(denoiser, IMAGE, condition, s * noise, steps).item() for s in (1, -1))
    assert (up - down) / 2 / 0.05 == pytest.approx(half_spread, abs=0.006)
    assert (up + down) / 2 == pytest.approx(mean, abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("steps", [1, 2, 7, 50])
@pytest.mark.parametrize("variable", ["image", "residual"])
def test_a_pair_is_no_noise_at_all_for_linear_denoisers(variable, steps, dtype):
    """Check 1: in half the time."""
    model = ConditionalDiffusion(variable=variable, scale=0.3)
    condition = torch.randn(3, 5, 4, dtype=dtype, generator=seeded())
    pair = starts("symmetric", 2, condition, seeded(1))
    none = starts("zero", 1, condition, seeded())
    found = [sampled(Shrinkage(0.2, 0.7), model, condition, x, steps) for x in (pair, none)]
    torch.testing.assert_close(*found, atol=1e-6, rtol=0)
    one = sampled(Shrinkage(0.2, 0.7), model, condition, pair[:1], steps)
    assert steps == 1 or float((one - found[0]).abs().max()) > 1e-3


class Circle(nn.Module):
    """Pixels on a circle, correlated by .9 to the distance, and what a blind estimate tells.

    Called, it is the exact mean of noisy images given the blind estimate and a noisier image.
    """

    SIGMA, COUNT = 0.3, 64

    def __init__(self) -> None:
        super().__init__()
        place = torch.arange(self.COUNT)
        apart = (place[:, None] - place).abs()
        self.signal = 0.9 ** torch.minimum(apart, self.COUNT - apart).double()
        self.noisy = self.signal + self.SIGMA**2 * torch.eye(self.COUNT)
        self.blind = torch.zeros(self.COUNT, self.COUNT, dtype=torch.float64)
        for pixel in range(self.COUNT):
            others = [p for p in range(self.COUNT) if p != pixel]
            within, towards = self.noisy[others][:, others], self.signal[others, pixel]
            self.blind[pixel, others] = torch.linalg.solve(within, towards)

    def drawn(self, count: int) -> tuple[Tensor, Tensor]:
        root = torch.linalg.cholesky(self.signal)
        white = torch.randn(2, count, self.COUNT, generator=seeded(), dtype=torch.float64)
        clean = white[0] @ root.T
        return clean, clean + self.SIGMA * white[1]

    def forward(self, x: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        eye = torch.eye(self.COUNT, dtype=torch.float64)
        seen = torch.cat([self.blind, eye])
        power = torch.cat([torch.full((self.COUNT,), 1e-10), level[0] ** 2 * torch.ones(64)])
        gain = self.noisy @ seen.T @ torch.linalg.inv(seen @ self.noisy @ seen.T + power.diag())
        return torch.cat([condition[:, 0, 0], x[:, 0]], dim=1)[:, None] @ gain.T


@pytest.mark.parametrize("steps", [3, 20])
def test_the_ideal_sampler_brings_all_noise_back(steps):
    """Check 2: an estimate that is blind pixel by pixel tells the noisy image all the same."""
    circle = Circle()
    assert float(torch.linalg.svdvals(circle.blind).min()) == pytest.approx(0.058, abs=0.001)
    clean, noisy = circle.drawn(4000)
    told = noisy @ circle.blind.T
    error = {name: float((x - clean).square().mean()) for name, x in (("n", noisy), ("b", told))}
    assert error["n"] == pytest.approx(0.0900, rel=0.02)
    assert error["b"] == pytest.approx(0.1384, rel=0.02)
    condition = told[:, None]
    pair = starts("symmetric", 2, condition, seeded(3))
    found = sampled(circle, IMAGE, condition, pair, steps)[:, 0]
    assert float((found - clean).square().mean()) == pytest.approx(0.0900, rel=0.02)
    torch.testing.assert_close(found, noisy, atol=1e-3, rtol=0)


def test_starts_are_what_they_are_called():
    like = torch.zeros(2, 60, 50)
    pair = starts("symmetric", 4, like, seeded())
    assert pair.shape == (4, 2, 60, 50)
    assert torch.equal(pair[:2], -pair[2:])
    drawn = starts("independent", 3, like, seeded())
    assert float(drawn.var()) == pytest.approx(1, abs=4 * (2 / drawn.numel()) ** 0.5)
    between = float((drawn[0] * drawn[1]).mean())
    assert abs(between) < 4 / like.numel() ** 0.5
    assert not starts("zero", 1, like, seeded()).any()


@pytest.mark.parametrize(
    ("kind", "runs", "said"),
    [
        ("symmetric", 3, "an even number"),
        ("zero", 2, "expected 1 "),
        ("independent", 0, "1 or more"),
        ("nothing", 1, "start is 'nothing'"),
    ],
)
def test_runs_that_do_not_fit_are_refused(kind, runs, said):
    with pytest.raises(ValueError, match=said):
        starts(kind, runs, torch.zeros(1, 2, 2), seeded())
