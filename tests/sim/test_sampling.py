import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kspace_denoise.sim import MASKS, achieved_acceleration, mask, mask_probability

KINDS = "random equispaced equispaced-fraction gaussian gaussian-2d poisson partial-fourier caipi"
PUBLISHED = "gsure jalal fastmri"
EXACT = ("random", "equispaced-fraction", "gaussian", "gaussian-2d", "poisson")
POINTS = ("gaussian-2d", "poisson", "caipi")


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


def test_the_kinds_are_those_that_were_promised():
    assert list(MASKS) == (KINDS + " " + PUBLISHED).split()
    assert all(line and "\n" not in line for line in MASKS.values())


@pytest.mark.parametrize("kind", sorted({*MASKS} - {"partial-fourier", "jalal"}))
@pytest.mark.parametrize(("n", "calibration"), [(64, 8), (64, 7), (65, 8), (65, 7)])
def test_calibration_block_is_centred_on_dc(kind, n, calibration):
    first = n // 2 - calibration // 2
    rows = slice(first, first + calibration) if kind in POINTS else slice(None)
    certain = np.zeros((n, n), bool)
    certain[rows, first : first + calibration] = True
    for seed in range(5):
        assert mask(kind, (n, n), 4, calibration, seed)[certain].all()
    probability = mask_probability(kind, (n, n), 4, calibration, draws=8)
    if kind == "poisson":  # around the block every point is wanted
        assert np.all(probability[certain] == 1)
    else:
        np.testing.assert_array_equal(probability == 1, certain)


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(EXACT),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    acceleration=st.floats(1, 12),
    axis=st.sampled_from([-1, -2]),
    seed=st.integers(0, 2**32),
)
def test_count_is_the_nearest_to_what_was_asked(kind, shape, acceleration, axis, seed):
    lines = shape[0] * shape[1] if kind in POINTS else shape[axis]
    if round(lines / acceleration) == 0:
        with pytest.raises(ValueError, match="leaves none of the"):
            mask(kind, shape, acceleration, None, seed, axis)
        return
    sampled = mask(kind, shape, acceleration, None, seed, axis)
    assert sampled.shape == shape
    assert sampled.sum() * lines == round(lines / acceleration) * sampled.size


@pytest.mark.parametrize("kind", [k for k in MASKS if k not in ("partial-fourier", "fastmri")])
@pytest.mark.parametrize("acceleration", [4, 8])
@pytest.mark.parametrize("shape", [(64, 320), (65, 368)])
def test_acceleration_is_that_promised(kind, acceleration, shape):
    on_top = kind in ("equispaced", "caipi")
    calibration = 0 if on_top else None
    for seed in range(10):
        real = achieved_acceleration(mask(kind, shape, acceleration, calibration, seed))
        assert abs(real / acceleration - 1) < 0.02


def test_calibration_on_top_lowers_the_acceleration():
    sampled = mask("equispaced", (8, 320), 4, 24, seed=0)
    assert achieved_acceleration(sampled) == 320 / (80 + 24 - 6)
    probability = mask_probability("equispaced", (8, 320), 4, 24)
    assert np.isclose(1 / probability.mean(), 320 / (80 + 24 - 6))


@pytest.mark.parametrize(
    ("kind", "shape", "acceleration", "calibration"),
    [
        ("random", (8, 320), 4, 26),
        ("random", (8, 320), 8, 13),
        ("random", (8, 320), 40, 4),
        ("random", (320, 8), 8, 0),
        ("gaussian-2d", (320, 200), 8, 8),
        ("gsure", (8, 320), 4, 30),
        ("jalal", (8, 320), 6, 25),
        ("jalal", (8, 320), 6.1, 12),
        ("fastmri", (8, 368), 8, 15),
        ("partial-fourier", (8, 64), 1.5, 0),
    ],
)
def test_default_calibration(kind, shape, acceleration, calibration):
    expected = mask(kind, shape, acceleration, calibration, seed=3)
    np.testing.assert_array_equal(mask(kind, shape, acceleration, None, seed=3), expected)


def test_masks_of_earlier_versions_come_back():
    random = mask("random", (2, 24), 3, 4, seed=0)[0]
    equispaced = mask("equispaced", (2, 24), 4, 4, seed=5)[0]
    np.testing.assert_array_equal(np.flatnonzero(random), [5, 9, 10, 11, 12, 13, 15, 18])
    np.testing.assert_array_equal(np.flatnonzero(equispaced), [2, 6, 10, 11, 12, 13, 14, 18, 22])


@pytest.mark.parametrize("n", [64, 65])
def test_equispaced_lines_are_equally_spaced_from_any_offset(n):
    offsets = set()
    for seed in range(40):
        lines = np.flatnonzero(mask("equispaced", (4, n), 4, 0, seed)[0])
        assert np.all(np.diff(lines) == 4)
        assert lines[-1] >= n - 4
        offsets.add(int(lines[0]))
    assert offsets == {0, 1, 2, 3}


@pytest.mark.parametrize("kind", [k for k in MASKS if k != "poisson"])
@pytest.mark.parametrize(("n", "acceleration"), [(40, 4), (41, 3), (20, 2)])
def test_probability_is_the_mean_of_the_masks(kind, n, acceleration):
    shape = (9 if kind in POINTS else 2, n)
    calibration = {"jalal": None, "partial-fourier": 1}.get(kind, 5)
    acceleration = 1.4 if kind == "partial-fourier" else acceleration
    expected = mask_probability(kind, shape, acceleration, calibration)
    assert expected.shape == shape
    assert expected.dtype == np.float32
    draws, generator = 1000, np.random.default_rng(7)
    masks = (mask(kind, shape, acceleration, calibration, generator) for _ in range(draws))
    mean = sum(sampled.astype(int) for sampled in masks) / draws
    error = np.sqrt(expected * (1 - expected) / draws)
    assert np.all(np.abs(mean - expected) <= 5 * error + 1e-6)


def test_expected_count_is_the_count():
    assert np.isclose(mask_probability("random", (1, 320), 4, 30).sum(), 80)
    assert np.isclose(mask_probability("random", (1, 320), 4, 30).min(), 50 / 290)


@pytest.mark.parametrize("kind", [k for k in MASKS if k != "jalal"])
def test_acceleration_one_keeps_everything(kind):
    for calibration in (0, 4, 5):
        assert mask(kind, (5, 12), 1, calibration, seed=0).all()
        assert np.all(mask_probability(kind, (5, 12), 1.0, calibration) == 1)
    assert mask("jalal", (5, 12), 1, None, seed=0).all()


@pytest.mark.parametrize("kind", MASKS)
def test_same_seed_same_mask(kind):
    acceleration = 1.3 if kind == "partial-fourier" else 2
    draws = [mask(kind, (48, 64), acceleration, None, seed) for seed in (0, 0, 1, 2, 3, 4, 5)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert any(not np.array_equal(draws[0], other) for other in draws[2:])
    generator = np.random.default_rng(0)
    np.testing.assert_array_equal(mask(kind, (48, 64), acceleration, None, generator), draws[0])


@pytest.mark.parametrize("kind", MASKS)
def test_the_other_axis_is_the_transpose(kind):
    acceleration = 1.3 if kind == "partial-fourier" else 2
    one = mask(kind, (48, 64), acceleration, None, seed=0)
    other = mask(kind, (64, 48), acceleration, None, seed=0, axis=-2)
    np.testing.assert_array_equal(other, one.T)
    probability = mask_probability(kind, (48, 64), acceleration, draws=4)
    turned = mask_probability(kind, (64, 48), acceleration, axis=-2, draws=4)
    if kind == "poisson":  # other draws: points have no axis
        assert turned.shape == (64, 48)
    else:
        np.testing.assert_array_equal(turned, probability.T)


def test_achieved_acceleration_takes_any_array(kind):
    sampled = kind(np.arange(12) % 4 == 0)
    assert achieved_acceleration(sampled) == 4
    with pytest.raises(ValueError, match=r"shape \(3,\) that acquires nothing"):
        achieved_acceleration(kind(np.zeros(3)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("spiral", (8, 64), 4, 8), "unknown mask kind 'spiral'; there are: random, equispaced"),
        (("poison", (8, 64), 4, 8), r"'poison' \(did you mean 'poisson'\?\); there are: random"),
        (("Gaussian2d", (8, 64), 4, 8), r"did you mean 'gaussian-2d'\?"),
        ((None, (8, 64), 4, 8), "unknown mask kind None"),
        (("random", (8, 64), 0.5, 8), "acceleration is 0.5, expected a finite number"),
        (("random", (8, 64), np.inf, 8), "acceleration is inf"),
        (("random", (8, 64), np.nan, 8), "acceleration is nan"),
        (("random", (8, 64), 200, 0), "leaves none of the 64 lines"),
        (("random", (8, 320), 12, 30), "calibration=30 exceeds the 27 lines in all"),
        (("gsure", (8, 320), 12, None), "calibration=30 exceeds the 26 lines in all"),
        (("fastmri", (8, 320), 12, 30), "calibration=30 exceeds the 26.6667 lines in all"),
        (("jalal", (8, 320), 4, 24), "kind jalal have 25 of 320 lines .* pass calibration=None"),
        (("poisson", (64, 64), 8, 23), "a block of 529 samples and exceeds the 512 samples"),
        (("gaussian-2d", (8, 320), 4, 9), "calibration=9 lines, expected 0 to the 8"),
        (("gaussian-2d", (4, 4), 40, 0), "leaves none of the 16 samples"),
        (("partial-fourier", (8, 64), 2, None), "reach 0 lines over the centre.* at least 33"),
        (("partial-fourier", (8, 64), 1.6, 20), "reach 16 lines over the centre.* at least 42"),
        (("caipi", (64, 64), 4.5, 8), "acceleration=4.5 is not an integer"),
        (("caipi", (4, 4), 5, 0), r"acceleration=5 has no lattice that fits into \(4, 4\)"),
        (("caipi", (4, 4), 17, 0), "leaves none of the 16 samples"),
        (("caipi", (64, 64), 65, 0), "acceleration=65 is more than 64"),
        (("random", (8, 64), 4, 8.5), r"calibration=8\.5, expected a whole number of lines"),
        (("random", (8, 64), 4, 8.0), r"calibration=8\.0, expected a whole number of lines"),
        (("random", (8, 64.5), 4, 8), "expected two positive integers"),
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


@pytest.mark.parametrize("shape", [64, None])
def test_rejects_a_shape_that_is_no_pair(shape):
    with pytest.raises(TypeError, match=r"mask shape is .*, expected two positive integers"):
        mask("random", shape, 4, 8, seed=0)


def test_probability_is_zero_where_no_seed_acquires():
    probability = mask_probability("random", (2, 64), 8, 8)
    np.testing.assert_array_equal(probability[:, 28:36], 1)
    assert probability.sum() == 2 * 8


def test_rejects_another_axis():
    with pytest.raises(ValueError, match="axis is 1, expected -1"):
        mask("random", (8, 64), 4, 8, seed=0, axis=1)


@pytest.mark.parametrize("acceleration", ["4", None, True, [4]])
def test_rejects_an_acceleration_that_is_no_number(acceleration):
    with pytest.raises(TypeError, match=r"acceleration is .*, expected a number"):
        mask("random", (8, 64), acceleration, 8, seed=0)
