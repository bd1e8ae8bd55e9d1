"""What the losses of a run say about it."""

import numpy as np
import pytest

from kspace_denoise.training.curve import ends, going_well, has_exploded, has_fallen, usual


def losses(values):
    return [(10 * number, float(value)) for number, value in enumerate(values, 1)]


def share_that_fell(count, depth, runs=500):
    """Return in how many runs a loss that falls by `depth` standard deviations is seen to fall."""
    rng = np.random.default_rng(count)
    fall = depth * np.exp(-np.arange(count) / (count / 8))
    return np.mean(
        [has_fallen(losses(20 + fall + rng.standard_normal(count))) for _ in range(runs)]
    )


@pytest.mark.parametrize("count", [2, 5, 8, 20, 200])
def test_a_loss_that_stays_has_not_fallen(count):
    """Three standard errors: 0.13 %, and more where few entries tell the scatter."""
    assert share_that_fell(count, 0) < 0.03


def test_a_loss_that_falls_has():
    assert share_that_fell(20, 8) > 0.97
    assert share_that_fell(200, 8) > 0.999
    assert not has_fallen([])
    assert not has_fallen(losses([2, 1]))  # two entries show no scatter


def test_a_network_that_died_on_the_way_has_learnt_nothing():
    rng = np.random.default_rng(0)
    values = np.concatenate([np.linspace(2, 1, 10), np.full(40, 2.0)])
    assert not has_fallen(losses(values + 0.1 * rng.standard_normal(50)))


def test_the_ends_are_means():
    assert ends(losses([3.0])) == (3, 3)
    assert ends(losses([3, 1, 1, 1, 1, 1, 1, 2])) == (2, 1.5)
    assert ends(losses(range(40))) == (2, 34.5)  # 5 of the first, 10 of the last


def test_going_well_is_no_larger_than_usual():
    assert usual([]) == np.inf
    assert usual(losses([5, 1, 2])) == 2
    assert going_well([])
    assert going_well(losses([1]))
    assert going_well(losses([3, 1, 2]))
    assert not going_well(losses([3, 1, 3.5]))


def test_a_loss_that_falls_below_zero_has_not_exploded():
    """Stein's estimate of the error is negative by chance, or where the error is small."""
    assert not has_exploded(-30.0, losses([-0.1, -0.2, -0.1]))
    assert not has_exploded(5.0, losses([-0.1, -0.2, -0.1]))
    assert has_exploded(30.0, losses([-0.1, -0.2, -0.1]))
    assert has_exploded(101.0, losses([1, 1, 1]))
    assert not has_exploded(1e9, losses([]))
