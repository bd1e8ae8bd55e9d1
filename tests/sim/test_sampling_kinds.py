"""What makes each kind of mask what it is; Poisson discs have a file of their own."""

import itertools

import numpy as np
import pytest

from kspace_denoise.sim import (
    MASKS,
    achieved_acceleration,
    calibration_size,
    mask,
    mask_probability,
)
from kspace_denoise.sim.sampling.caipi import best_lattice
from kspace_denoise.sim.sampling.fixed_size import inclusion, systematic


@pytest.mark.parametrize(("n", "acceleration"), [(320, 4), (368, 3.7), (63, 5), (40, 1.3)])
def test_equispaced_fraction_is_even_outside_the_block(n, acceleration):
    total, block = round(n / acceleration), 6
    outside = np.r_[: n // 2 - 3, n // 2 + 3 : n]
    spacing = (n - block) / (total - block)
    patterns = set()
    for seed in range(30):
        lines = mask("equispaced-fraction", (1, n), acceleration, block, seed)[0]
        gaps = np.diff(np.flatnonzero(lines[outside]))
        assert set(gaps.tolist()) <= {int(spacing), int(np.ceil(spacing))}
        patterns.add(lines.tobytes())
    assert len(patterns) > 5


def test_gaussian_lines_are_denser_in_the_centre():
    density = mask_probability("gaussian", (1, 320), 4, 0)[0]
    assert np.isclose(density.sum(), 80)
    np.testing.assert_allclose(density[0] / density[160], np.exp(-2), rtol=1e-5)
    np.testing.assert_allclose(density[80] / density[160], np.exp(-0.5), rtol=1e-5)
    crowded = mask_probability("gaussian", (1, 320), 1.5, 0)[0]
    assert np.isclose(crowded.sum(), round(320 / 1.5))
    assert crowded.max() == 1


def test_gaussian_points_follow_an_elliptic_density():
    density = mask_probability("gaussian-2d", (64, 128), 8, 0)
    assert np.isclose(density.sum(), 64 * 128 / 8, rtol=1e-6)
    np.testing.assert_allclose(density[16, 64], density[32, 32], rtol=1e-5)
    np.testing.assert_allclose(density[0, 0] / density[32, 64], np.exp(-4), rtol=1e-5)


def test_inclusion_probabilities_add_up():
    weights = np.array([0.01, 5, 1, 1, 0.5, 100])
    probability = inclusion(weights, 3)
    np.testing.assert_allclose(probability.sum(), 3)
    assert np.all(probability <= 1)
    free = probability < 1
    assert np.ptp(probability[free] / weights[free]) < 1e-12


def test_pairs_are_nearly_independent():
    """In a fixed order, systematic sampling never takes some pairs; in a random one it does."""
    generator = np.random.default_rng(0)
    probability = inclusion(np.linspace(1, 3, 20), 6)
    draws = 8000
    drawn = np.array([systematic(probability, generator) for _ in range(draws)], dtype=float)
    assert np.all(drawn.sum(axis=1) == 6)
    pairs = drawn.T @ drawn / draws
    product = np.outer(probability, probability)
    off = ~np.eye(20, dtype=bool)
    # Hájek's approximation for draws of fixed size and high entropy (Ann. Math. Stat. 35:1491).
    free = 1 - probability
    hajek = (1 - np.outer(free, free) / np.sum(probability * free))[off]
    noise = np.sqrt(hajek / product[off] / draws)
    assert np.all(np.abs(pairs[off] / product[off] - hajek) < 0.03 + 5 * noise)


def test_partial_fourier_keeps_one_side_and_the_centre():
    sides = set()
    for seed, n in itertools.product(range(12), (64, 65)):
        lines = np.flatnonzero(mask("partial-fourier", (2, n), 4 / 3, 8, seed)[0])
        assert len(lines) == round(n * 3 / 4)
        assert np.all(np.diff(lines) == 1)
        assert lines[0] == 0 or lines[-1] == n - 1
        assert lines[0] <= n // 2 - 4
        assert lines[-1] >= n // 2 + 3
        sides.add(lines[0] == 0)
    assert sides == {True, False}
    probability = mask_probability("partial-fourier", (1, 64), 4 / 3)[0]
    np.testing.assert_array_equal(probability, np.r_[[0.5] * 16, [1] * 32, [0.5] * 16])


@pytest.mark.parametrize("acceleration", [1, 2, 3, 4, 5, 6, 8, 9, 12])
def test_caipi_is_a_lattice_of_that_index(acceleration):
    """The pattern repeats under every difference of two of its points, on a torus that it fits."""
    n = 2 * acceleration
    sampled = mask("caipi", (n, n), acceleration, 0, seed=1)
    assert achieved_acceleration(sampled) == acceleration
    points = np.argwhere(sampled)
    for y, x in points - points[0]:
        np.testing.assert_array_equal(np.roll(sampled, (y, x), (0, 1)), sampled)


def test_caipi_shears_so_that_aliases_are_far_apart():
    board = np.indices((6, 6)).sum(axis=0) % 2 == 0
    sampled = mask("caipi", (6, 6), 2, 0, seed=0)
    assert np.array_equal(sampled, board) or np.array_equal(sampled, ~board)
    assert best_lattice(3, (96, 96)).shift in (1, 2)
    assert best_lattice(4, (96, 96)).shift > 0  # 2 x 2 without shear has three near aliases
    assert best_lattice(4, (1, 96))[:2] == (1, 4)
    assert best_lattice(4, (96, 1))[:2] == (4, 1)


def test_caipi_offsets_are_all_there():
    starts = {np.argmax(mask("caipi", (12, 12), 6, 0, seed)[0]) for seed in range(60)}
    assert len(starts) == best_lattice(6, (12, 12)).step_x


@pytest.mark.parametrize(
    ("n", "acceleration", "calibration", "chance"),
    [(320, 4, 26, 0.1837), (368, 4, 29, 0.1858), (368, 8, 15, 0.0878)],
)
def test_fastmri_tosses_a_coin_for_each_line(n, acceleration, calibration, chance):
    probability = mask_probability("fastmri", (1, n), acceleration, calibration)[0]
    np.testing.assert_allclose(probability.min(), chance, atol=5e-5)
    np.testing.assert_allclose(probability.sum(), n / acceleration, rtol=1e-6)
    counts = [mask("fastmri", (1, n), acceleration, None, seed).sum() for seed in range(2000)]
    spread = np.sqrt((n - calibration) * chance * (1 - chance))
    assert abs(np.mean(counts) - n / acceleration) < 5 * spread / np.sqrt(2000)
    assert abs(np.std(counts) / spread - 1) < 5 / np.sqrt(2 * 2000)


def test_fastmri_masks_may_be_empty_as_published():
    """Two lines at R = 2 are both left out every fourth time; E[P] stays that of the coin."""
    empty = sum(not mask("fastmri", (1, 2), 2, 0, seed).any() for seed in range(400))
    assert abs(empty - 100) < 5 * np.sqrt(400 * 3 / 16)
    assert "may be empty" in MASKS["fastmri"]


@pytest.mark.parametrize(
    ("kind", "acceleration", "total", "block"),
    [("gsure", 4, 80, 30), ("gsure", 6, 53, 30), ("jalal", 4, 80, 25), ("jalal", 12, 26, 12)],
)
def test_published_counts(kind, acceleration, total, block):
    centre = slice(160 - block // 2, 160 - block // 2 + block)
    for seed in range(10):
        lines = mask(kind, (2, 320), acceleration, None, seed)[0]
        assert lines.sum() == total
        assert lines[centre].all()
    probability = mask_probability(kind, (1, 320), acceleration)[0]
    np.testing.assert_allclose(probability.min(), (total - block) / (320 - block), rtol=1e-6)
    assert (probability == 1).sum() == block


@pytest.mark.parametrize(
    ("kind", "shape", "acceleration", "expected"),
    [("random", (64, 100), 4, 8), ("random", (64, 100), 8, 4), ("gsure", (320, 320), 4, 30)],
)
def test_the_calibration_of_a_kind_can_be_told(kind, shape, acceleration, expected):
    assert calibration_size(kind, shape, acceleration) == expected
    assert calibration_size("random", shape, acceleration, 12) == 12
