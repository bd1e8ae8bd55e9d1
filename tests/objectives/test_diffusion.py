"""Supervised diffusion training: known answers, and levels."""

import pytest
import torch

from kspace_denoise.objectives import Batch, make_objective
from kspace_denoise.objectives.diffusion import Diffusion
from kspace_denoise.objectives.diffusion_levels import ddpm_table


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def white(count: int, side: int = 8) -> Batch:
    """Return images of white Gaussian pixels, 1 per real component."""
    pixels = torch.randn(count, side, side, 2, generator=generator(1))
    return Batch(torch.view_as_complex(pixels), torch.full((count,), 1e-3))


class Gain(torch.nn.Module):
    """Shrink by g(d) = a / (1 + d²): right for a = 1."""

    def __init__(self) -> None:
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, x, level, condition=None):
        del condition
        return self.a * x / (1 + level[:, None, None] ** 2)


def test_its_minimiser_is_the_wiener_filter_at_every_level():
    network, batch = Gain(), white(4000)
    optimiser = torch.optim.LBFGS([network.a], max_iter=20, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = Diffusion().loss(network, batch, generator())
        loss.backward()
        return loss

    optimiser.step(closure)
    assert network.a.item() == pytest.approx(1, abs=0.01)


def test_equalised_weights_make_the_loss_that_of_white_images():
    """The error of the Wiener filter, 2 d² / (1 + d²) a pixel, times its weight is 2 throughout."""
    network = Gain()
    network.a.data.fill_(1.0)
    loss = Diffusion().loss(network, white(4000), generator())
    assert loss.item() == pytest.approx(2, rel=0.02)


def test_the_paper_has_the_schedule_of_ddpm():
    objective = make_objective("diffusion", paper=True)
    levels = objective.draw_levels(5000, torch.device("cpu"), generator())
    table = ddpm_table(0.01)
    assert float(levels.min()) >= 0.01 * (1 - 1e-6)
    assert float(levels.median()) == pytest.approx(float(table[500]), rel=0.15)
    assert float(table[-1]) == pytest.approx(157.4, rel=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule": "cosine"}, "schedule is 'cosine'"),
        ({"weighting": "snr"}, "weighting is 'snr'"),
        ({"smallest": 0.0}, "smallest is 0.0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_objective("diffusion", **settings)
