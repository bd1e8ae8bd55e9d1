"""The way back from a noisy state."""

import pytest
import torch
from torch import Tensor

from kspace_denoise.dmri.chain import even_levels, schedule_levels
from kspace_denoise.dmri.schedule import signal_left
from kspace_denoise.reverse_chain import reverse_chain

S = 0.7


def wiener(x: Tensor, level: Tensor) -> Tensor:
    return x * S**2 / (S**2 + level[:, None, None] ** 2)


def test_one_level_asks_once() -> None:
    calls: list[Tensor] = []

    def estimate(x: Tensor, level: Tensor) -> Tensor:
        calls.append(level)
        return wiener(x, level)

    image, first = torch.ones(2, 3, 3), torch.tensor([0.5, 1.0])
    clean = reverse_chain(estimate, image, even_levels(first, 1, 0.1))
    torch.testing.assert_close(clean, wiener(image, first))
    assert len(calls) == 1


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_perfect_denoiser_of_many_steps_leaves_the_spread_of_the_signal(eta: float) -> None:
    """Backwards through exact steps, noisy images end up distributed as clean ones."""
    generator = torch.Generator().manual_seed(0)
    count, level = 200_000, 1.0
    start = (S**2 + level**2) ** 0.5 * torch.randn(count, 1, 1, generator=generator)
    levels = even_levels(torch.full((count,), level), 200, 0.01)
    clean = reverse_chain(wiener, start, levels, eta, generator)
    spread = float(clean.std())
    discretisation = 0.01
    assert abs(spread / S - 1) < 4 / (2 * count) ** 0.5 + discretisation


def test_with_eta_one_a_step_is_that_of_the_posterior() -> None:
    """q(x' | x, x0) of noise that falls from l to l', two Gaussians multiplied."""
    count, level, after, truth, seen = 400_000, 0.8, 0.5, 0.3, 1.1
    visited: list[Tensor] = []

    def estimate(x: Tensor, _: Tensor) -> Tensor:
        visited.append(x)
        return torch.full_like(x, truth)

    levels = torch.tensor([[level, after]]).expand(count, 2)
    start = torch.full((count, 1, 1), seen)
    reverse_chain(estimate, start, levels, 1.0, torch.Generator().manual_seed(2))
    between, found = level**2 - after**2, visited[1].double()
    mean = (truth * between + seen * after**2) / level**2
    variance = between * after**2 / level**2
    assert abs(float(found.mean()) - mean) < 4 * (variance / count) ** 0.5
    assert abs(float(found.var()) / variance - 1) < 4 * (2 / count) ** 0.5


def test_steps_between_equal_levels_change_nothing() -> None:
    image = torch.full((1, 2, 2), 3.0)
    levels = torch.tensor([[0.5, 0.5, 0.5, 0.2]])
    for eta in (0.0, 1.0):
        found = reverse_chain(wiener, image, levels, eta, torch.Generator().manual_seed(1))
        once = reverse_chain(wiener, image, levels[:, 2:], eta, torch.Generator().manual_seed(1))
        if eta == 0:
            torch.testing.assert_close(found, once)
        assert torch.isfinite(found).all()


def test_estimates_are_kept_within_a_limit() -> None:
    image = torch.full((1, 2, 2), 3.0)
    found = reverse_chain(lambda x, _: x, image, torch.tensor([[0.5]]), limit=1.0)
    assert (found == 1).all()


def test_even_levels_fall_in_even_ratios() -> None:
    levels = even_levels(torch.tensor([1.0, 2.0]), 3, 0.01)
    torch.testing.assert_close(levels, torch.tensor([[1, 0.1, 0.01], [2, 0.2, 0.02]]))


def test_levels_of_a_schedule_begin_at_the_nearest_step_and_end_at_the_first() -> None:
    a = signal_left("rev_warmup70")
    of_steps = ((1 - a**2).sqrt() / a)[1:]
    first = torch.tensor([float(of_steps[200]) * 1.0001, float(of_steps[3])])
    levels = schedule_levels(first, a)
    assert levels.shape == (2, 201)
    torch.testing.assert_close(levels[:, 0], first, rtol=1e-3, atol=0)
    torch.testing.assert_close(levels[:, -1], of_steps[0].float().expand(2))
    assert (levels[1, :198] == levels[1, 0]).all()
    assert (levels.diff(dim=1) <= 0).all()


def test_no_level_is_no_chain() -> None:
    with pytest.raises(ValueError, match="at least one"):
        reverse_chain(wiener, torch.ones(1, 2, 2), torch.empty(1, 0))
