"""DiffDenoise's diffusion model: its variable, its loss, and what minimises it."""

import pytest
import torch
from torch import Tensor, nn

from kspace_denoise.objectives import Batch
from kspace_denoise.objectives.conditional_diffusion import ConditionalDiffusion

S, SIGMA, SCALE = 0.8, 0.5, 0.4


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(dtype: torch.dtype, count: int = 16) -> Batch:
    """White signal and noise, and a condition that holds half the signal."""
    shape = (count, 64, 64)
    parts = [torch.randn(shape, generator=seeded(k), dtype=dtype) for k in range(2)]
    return Batch(S * parts[0] + SIGMA * parts[1], torch.full((count,), SIGMA), S / 2 * parts[0])


class Gain(nn.Module):
    """The best gain of each level times `more`, to the condition; or the noise."""

    def __init__(self, power: float, towards: float, more: float = 1.0, of_noise: bool = False):
        super().__init__()
        self.power, self.towards, self.more, self.of_noise = power, towards, more, of_noise

    def forward(self, x: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        steps = level[:, None, None]
        k = self.more * self.power / (self.power + steps**2)
        mean = self.towards * condition[:, 0]
        clean = mean + k * (x - mean)
        return (x - clean) / steps if self.of_noise else clean


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
@pytest.mark.parametrize("of_noise", [False, True])
@pytest.mark.parametrize("variable", ["image", "residual"])
def test_the_best_gain_has_the_least_loss(variable, of_noise, dtype):
    """Given the condition, x' is N(2 c, σ²) and r = x' - c is N(c, σ²) / scale."""
    model = ConditionalDiffusion(variable=variable, scale=SCALE, of_noise=of_noise)
    unit = SCALE if variable == "residual" else 1.0
    power = (SIGMA / unit) ** 2 / (2 if dtype.is_complex else 1)  # torch's complex normal: both 1/2
    towards = (1 if variable == "residual" else 2) / unit

    def loss(more: float) -> float:
        network = Gain(power, towards, more, of_noise)
        return float(model.loss(network, batch(dtype), seeded(5)))

    assert loss(1.0) < min(loss(0.9), loss(1.1))


def test_the_noise_of_a_perfect_estimate_costs_nothing():
    """Squared or absolute, told as an image or as noise."""
    given = batch(torch.float32)

    class Perfect(nn.Module):
        def __init__(self, of_noise: bool) -> None:
            super().__init__()
            self.of_noise = of_noise

        def forward(self, x: Tensor, level: Tensor, _condition: Tensor) -> Tensor:
            return (x - given.image) / level[:, None, None] if self.of_noise else given.image

    for settings in ({"error": "squared"}, {"error": "absolute"}, {"of_noise": True}):
        model = ConditionalDiffusion(variable="image", **settings)
        assert float(model.loss(Perfect(model.of_noise), given, seeded())) < 1e-4


def test_the_paper_takes_the_absolute_error_of_the_noise():
    """A network that says 0 is wrong by E|N(0, 1)| = √(2/π); the squared error would be 1."""
    given = batch(torch.float32)

    class Nothing(nn.Module):
        def forward(self, x: Tensor, _level: Tensor, _condition: Tensor) -> Tensor:
            return torch.zeros_like(x)

    found = float(ConditionalDiffusion.paper().loss(Nothing(), given, seeded()))
    spread = (1 - 2 / torch.pi) ** 0.5 / given.image.numel() ** 0.5
    assert abs(found - (2 / torch.pi) ** 0.5) < 4 * spread


@pytest.mark.parametrize("variable", ["image", "residual"])
def test_images_come_back_from_their_variable(variable):
    model, given = ConditionalDiffusion(variable=variable, scale=SCALE), batch(torch.complex64)
    inside = model.encoded(given.image, given.pair)
    torch.testing.assert_close(model.decoded(inside, given.pair), given.image)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"variable": "noise"}, "variable is 'noise'"), ({"error": "cubed"}, "error is 'cubed'"),
     ({"scale": 0.0}, "scale is 0.0"), ({"schedule": "none"}, "schedule is 'none'")],
)  # fmt: skip
def test_what_it_does_not_know_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        ConditionalDiffusion(**settings)
