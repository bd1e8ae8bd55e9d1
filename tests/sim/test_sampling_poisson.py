"""Poisson discs: distance, spectrum, probability, and an end for every seed."""

import numpy as np
import pytest

from kspace_denoise.fourier import fft2c
from kspace_denoise.sim import mask, mask_probability, poisson_probability
from kspace_denoise.sim.sampling import poisson_estimate
from kspace_denoise.sim.sampling.fixed_size import systematic
from kspace_denoise.sim.sampling.plan import Plan
from kspace_denoise.sim.sampling.poisson_disc import draw_poisson, least_distance, planned_density


def nearest_offence(plan, drawn):
    """Return the least distance of two samples over the smaller of their radii."""
    radius, worst = least_distance(plan), np.inf
    sampled = drawn.copy()
    sampled[plan.block] = False
    reach = int(radius.max())
    for y in range(-reach, reach + 1):
        for x in range(-reach, reach + 1):
            if (y, x) != (0, 0):
                pair = sampled & np.roll(sampled, (y, x), (0, 1))
                allowed = np.minimum(radius, np.roll(radius, (y, x), (0, 1)))[pair]
                worst = min(worst, np.min(np.hypot(y, x) / allowed, initial=np.inf))
    return worst


@pytest.mark.parametrize("acceleration", [2, 4, 8, 20])
@pytest.mark.parametrize("size", [(96, 96), (65, 130)])
def test_samples_keep_their_distance(acceleration, size):
    """Across the edges too, where k-space is periodic."""
    plan = Plan(size, acceleration, 8)
    for seed in range(3):
        drawn = draw_poisson(plan, np.random.default_rng(seed))
        assert nearest_offence(plan, drawn) >= 1 - 1e-12
    spread = systematic(np.full(plan.samples, plan.total / plan.samples), np.random.default_rng(0))
    assert nearest_offence(plan, spread.reshape(size)) < 0.8  # what the check finds by chance


def test_radius_grows_from_the_centre_and_shrinks_under_a_point():
    """Adjacent points jam at a density of 0.364, R = 2.75: below, the radius is one point."""
    radius = least_distance(Plan((128, 128), 8, 0))
    assert radius[64, 64] == 1
    assert np.all(np.diff(radius[64, 64:]) >= 0)
    assert radius[0, 0] > radius[64, 0] >= 2
    assert np.all(least_distance(Plan((128, 128), 1.1, 0)) == 1)
    adjacent = [np.mean(least_distance(Plan((128, 128), r, 0)) == 1) for r in (2, 2.75, 4, 8)]
    assert np.all(np.diff(adjacent) < 0)


def test_no_clusters():
    """The spectrum of what the draw adds to its mean is low around 0, unlike that of noise."""
    plan = Plan((128, 128), 6, 0)
    expected = mask_probability("poisson", plan.size, 6, 0)
    y, x = np.indices(plan.size) - 64
    low = (np.hypot(y, x) < 8) & (np.hypot(y, x) > 0)
    powers = []
    for seed in range(4):
        generator = np.random.default_rng(seed)
        disc = draw_poisson(plan, generator) - expected
        weights = expected.ravel().astype(float)
        plain = systematic(weights * (plan.total / weights.sum()), generator)
        plain = plain.reshape(plan.size) - expected
        powers.append([np.mean(np.abs(fft2c(d + 0j))[low] ** 2) for d in (disc, plain)])
    disc, plain = np.mean(powers, axis=0)
    np.testing.assert_allclose(plain, np.mean(expected * (1 - expected)), rtol=0.25)
    assert disc < 0.35 * plain


@pytest.mark.parametrize(("size", "acceleration"), [((64, 64), 4), ((48, 75), 2.5)])
def test_probability_is_the_mean_of_the_masks(size, acceleration):
    found = poisson_probability(size, acceleration, 6, seed=0)
    assert found.probability.dtype == found.standard_error.dtype == np.float32
    np.testing.assert_allclose(found.probability.mean(), 1 / acceleration, rtol=1e-3)
    draws, generator = 300, np.random.default_rng(1)
    total = sum(mask("poisson", size, acceleration, 6, generator).astype(int) for _ in range(draws))
    p = found.probability.astype(float)
    assert np.all(total[p == 1] == draws)
    free = p < 1
    variance = (p * (1 - p) / draws + found.standard_error.astype(float) ** 2)[free]
    square = (total / draws - p)[free] ** 2 / variance
    # Chi-square of that many points has a spread of sqrt(2 / n); 3 % are left for the rings.
    assert abs(np.mean(square) - 1) < 0.03 + 5 * np.sqrt(2 / free.sum())
    assert square.max() < 6**2


def test_standard_error_is_the_scatter_of_estimates(monkeypatch):
    """Of 500 estimates, from independent points of the planned density, which are fast to draw."""
    density = planned_density(Plan((24, 24), 4, 2)).reshape(24, 24)
    monkeypatch.setattr(
        poisson_estimate, "draw_poisson", lambda plan, rng: rng.random(plan.size) < density
    )
    runs = [poisson_probability((24, 24), 4, 2, seed=s, draws=16) for s in range(500)]
    p = np.stack([run.probability.ravel() for run in runs]).astype(float)
    variance = np.stack([run.standard_error.ravel() for run in runs]).astype(float) ** 2
    first = np.unique((variance.mean(axis=0) / density.ravel() ** 2).round(9), return_index=True)[1]
    first = first[variance.mean(axis=0)[first] > 0]  # one point of each group
    assert len(first) >= 8
    ratio = variance.mean(axis=0)[first] / p.var(axis=0, ddof=1)[first]
    # A variance of 500 has a spread of sqrt(2 / 499), 500 means of 15 one of sqrt(2 / 7500).
    bound = 4.5 * np.sqrt((2 / 499 + 2 / 7500) / len(first))
    assert abs(ratio.mean() - 1) < bound < 0.12


@pytest.mark.parametrize(("size", "block", "draws"), [((64, 64), 6, 160), ((20, 41), 2, 300)])
def test_probability_holds_around_the_block(size, block, draws):
    """The calibration takes no part in the discs: next to it the density is as planned."""
    found = poisson_probability(size, 8, block, seed=0, draws=draws)
    generator = np.random.default_rng(1)
    total = sum(mask("poisson", size, 8, block, generator).astype(int) for _ in range(draws))
    p, error = (values.astype(float) for values in found)
    y, x = (np.arange(n) - n // 2 + block // 2 for n in size)
    away = np.maximum(
        *np.broadcast_arrays(*(np.maximum(-a, a - block + 1) for a in (y[:, None], x)))
    )
    for ring in (1, 2, 3):
        here = away == ring
        # Two means of as many draws; samples repel each other, so binomial counts vary more.
        chance = np.sqrt(2 * np.sum((p * (1 - p))[here]) / draws)
        assert abs(np.sum((total / draws - p)[here])) < 4 * chance
        off = (total / draws - p)[here] / np.sqrt(p * (1 - p) / draws + error**2)[here]
        assert np.abs(off).max() < 4.5  # the worst of 50 points


def test_calibration_does_not_thin_out_what_is_around_it():
    plan = Plan((64, 64), 8, 6)
    generator = np.random.default_rng(0)
    mean = sum(draw_poisson(plan, generator).astype(int) for _ in range(300)) / 300
    ring = np.zeros(plan.size, bool)
    ring[28:36, 28:36] = True
    ring[plan.block] = False
    assert mean[ring].sum() > 0.8 * planned_density(plan).reshape(plan.size)[ring].sum()


def test_probability_is_that_of_the_seed():
    one, same, other = (
        mask_probability("poisson", (32, 32), 4, seed=s, draws=4) for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_nothing_outside_the_block_is_left_out_with_certainty():
    found = poisson_probability((32, 32), 32 * 32 / 64, 8)
    assert found.probability.sum() == 64
    assert not found.standard_error.any()


@pytest.mark.parametrize("draws", [1, 0, 2.5, True])
def test_rejects_too_few_draws(draws):
    with pytest.raises(ValueError, match=r"draws is .*, expected an integer of at least 2"):
        poisson_probability((32, 32), 4, draws=draws)


def test_rejects_a_probability_that_no_draw_has_seen():
    with pytest.raises(ValueError, match="2 draws never took some of the samples"):
        mask_probability("poisson", (64, 64), 1000, 0, draws=2)


def test_every_seed_comes_to_an_end_with_the_count():
    """Radii larger than the grid, one row, a full grid, next to nothing wanted."""
    for size, acceleration, calibration in [
        ((2, 3), 2, 0),
        ((1, 200), 5, 1),
        ((200, 1), 9, 0),
        ((40, 40), 800, 1),
        ((5, 5), 1.05, 2),
        ((24, 24), 576, 1),
        ((30, 30), 3, 17),
    ]:
        for seed in range(25):
            drawn = mask("poisson", size, acceleration, calibration, seed)
            assert drawn.sum() == round(size[0] * size[1] / acceleration)
