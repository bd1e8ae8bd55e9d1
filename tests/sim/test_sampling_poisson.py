"""Poisson discs: distance, spectrum, probability, and an end for every seed."""

import numpy as np
import pytest

from kspace_denoise.fourier import fft2c
from kspace_denoise.sim import mask, mask_probability, poisson_probability
from kspace_denoise.sim.sampling.fixed_size import systematic
from kspace_denoise.sim.sampling.plan import Plan
from kspace_denoise.sim.sampling.poisson_disc import draw_poisson, least_distance


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


def test_standard_error_is_the_scatter_of_estimates():
    runs = [poisson_probability((48, 48), 4, 6, seed=s, draws=16) for s in range(16)]
    p = np.stack([run.probability for run in runs]).astype(float)
    error = np.stack([run.standard_error for run in runs]).astype(float)
    free = (p < 1).all(axis=0)
    assert abs(p.var(axis=0, ddof=1)[free].mean() / (error**2).mean(axis=0)[free].mean() - 1) < 0.3


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
