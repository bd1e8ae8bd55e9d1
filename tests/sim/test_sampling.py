import numpy as np
import pytest

from kspace_denoise.sim import mask, mask_probability


def lines_of(sampled, axis):
    """Return the one-dimensional pattern, checked to be the same along the other axis."""
    sampled = np.moveaxis(sampled, axis, -1)
    assert np.all(sampled == sampled[:1])
    return sampled[0]


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize(
    ("n", "acceleration", "calibration"), [(64, 4, 8), (65, 3.7, 9), (63, 2, 0), (30, 1.5, 20)]
)
def test_random_keeps_an_exact_number_of_lines(n, acceleration, calibration, axis):
    shape = (n, 17) if axis == -2 else (17, n)
    for seed in range(20):
        sampled = mask("random", shape, acceleration, calibration, seed, axis=axis)
        assert sampled.shape == shape
        assert sampled.dtype == bool
        assert lines_of(sampled, axis).sum() == round(n / acceleration)


@pytest.mark.parametrize("kind", ["random", "equispaced"])
@pytest.mark.parametrize(("n", "calibration"), [(64, 8), (64, 7), (65, 8), (65, 7)])
def test_calibration_block_is_centred_on_dc(kind, n, calibration):
    first = n // 2 - calibration // 2
    for seed in range(5):
        lines = mask(kind, (4, n), 4, calibration, seed)[0]
        assert lines[first : first + calibration].all()
    probability = mask_probability(kind, (4, n), 4, calibration)[0]
    np.testing.assert_array_equal(np.flatnonzero(probability == 1) - first, range(calibration))


@pytest.mark.parametrize("n", [64, 65])
def test_equispaced_lines_are_equally_spaced_from_any_offset(n):
    offsets = set()
    for seed in range(40):
        lines = np.flatnonzero(mask("equispaced", (4, n), 4, 0, seed)[0])
        assert np.all(np.diff(lines) == 4)
        assert lines[-1] >= n - 4
        offsets.add(int(lines[0]))
    assert offsets == {0, 1, 2, 3}


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize("kind", ["random", "equispaced"])
@pytest.mark.parametrize(("n", "acceleration", "calibration"), [(40, 4, 6), (41, 3, 5), (20, 2, 0)])
def test_probability_is_the_mean_of_the_masks(kind, n, acceleration, calibration, axis):
    shape = (n, 2) if axis == -2 else (2, n)
    expected = mask_probability(kind, shape, acceleration, calibration, axis=axis)
    assert expected.shape == shape
    assert expected.dtype == np.float32
    draws = 4000
    generator = np.random.default_rng(7)
    masks = (mask(kind, shape, acceleration, calibration, generator, axis) for _ in range(draws))
    mean = np.mean(list(masks), axis=0)
    error = np.sqrt(expected * (1 - expected) / draws)
    assert np.all(np.abs(mean - expected) <= 5 * error + 1e-6)


def test_expected_count_is_the_count():
    assert np.isclose(mask_probability("random", (1, 320), 4, 30).sum(), 80)
    assert np.isclose(mask_probability("random", (1, 320), 4, 30).min(), 50 / 290)


@pytest.mark.parametrize("kind", ["random", "equispaced"])
def test_acceleration_one_keeps_everything(kind):
    assert mask(kind, (5, 12), 1, 4, seed=0).all()
    assert mask(kind, (5, 12), 1, 12, seed=0).all()
    assert np.all(mask_probability(kind, (5, 12), 1.0, 4) == 1)


def test_same_seed_same_mask():
    a, b = (mask("random", (8, 64), 4, 8, seed=0) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, mask("random", (8, 64), 4, 8, seed=1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("spiral", (8, 64), 4, 8), "unknown mask kind 'spiral'; there are: random, equispaced"),
        (("random", (8, 64), 0.5, 8), "acceleration is 0.5, expected a finite number"),
        (("random", (8, 64), np.inf, 8), "acceleration is inf"),
        (("random", (8, 64), np.nan, 8), "acceleration is nan"),
        (("random", (8, 64), 200, 0), "leaves none of the 64 lines"),
        (("random", (8, 320), 12, 30), "calibration=30 exceeds the 27 lines in all"),
        (("random", (8, 64), 4, 65), "calibration=65 lines, expected 0 to the 64"),
        (("random", (8, 64), 4, -1), "calibration=-1 lines"),
        (("equispaced", (8, 64), 2.5, 8), "acceleration=2.5 is not an integer"),
        (("equispaced", (8, 64), 65, 8), "leaves none of the 64 lines"),
        (("random", (8, 0), 4, 0), r"shape is \(8, 0\), expected two positive"),
        (("random", (2, 8, 64), 4, 0), r"shape is \(2, 8, 64\), expected two positive"),
    ],
)
def test_rejects_impossible_masks(arguments, message):
    with pytest.raises(ValueError, match=message):
        mask(*arguments, seed=0)
    with pytest.raises(ValueError, match=message):
        mask_probability(*arguments)


def test_rejects_another_axis():
    with pytest.raises(ValueError, match="axis is 1, expected -1"):
        mask("random", (8, 64), 4, 8, seed=0, axis=1)
