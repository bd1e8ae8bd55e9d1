import numpy as np
import pytest
from scipy.spatial import cKDTree

from kspace_denoise import sim

KINDS = ["radial", "golden-angle", "spiral", "rosette"]


def largest_gap(positions: np.ndarray, radius: float) -> float:
    """Return twice the largest distance of any point inside `radius` from a sample."""
    line = np.arange(-radius, radius, 0.25)
    points = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    points = points[np.hypot(*points.T) < radius]
    return 2 * float(cKDTree(positions.reshape(-1, 2)).query(points)[0].max())


def angles(positions: np.ndarray) -> np.ndarray:
    """Return the angle of the end of each readout, in degrees from kx."""
    return np.degrees(np.arctan2(positions[:, -1, 0], positions[:, -1, 1]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(64, 64), (65, 48), (31, 33)])
def test_it_fills_the_ellipse_and_stays_inside(kind, shape):
    positions = sim.trajectory(kind, shape)
    assert positions.dtype == np.float32
    sim.check_trajectory(positions, shape)
    radius = np.hypot(2 * positions[..., 0] / shape[0], 2 * positions[..., 1] / shape[1])
    assert radius.max() <= 1 + 1e-6
    assert radius.max() > 1 - 2 / max(shape)
    assert (positions[..., 0].min(), positions[..., 1].min()) < (-0.45 * shape[0], -0.45 * shape[1])


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("radial", {}),
        ("spiral", {}),
        ("spiral", {"density": 1.0}),
        ("spiral", {"density": 2.0}),
        ("spiral", {"turns": 2.0}),
        ("rosette", {}),
        ("rosette", {"width": 0.3}),
        ("rosette", {"width": 2.0}),
    ],
)
def test_full_sampling_leaves_gaps_of_one_cycle(kind, options):
    shape = (64, 64)
    positions = sim.trajectory(kind, shape, **options)
    full = len(positions)
    steps = np.linalg.norm(np.diff(positions, axis=1), axis=-1)
    assert steps.max() <= 0.5 + 1e-4
    assert sim.trajectory_acceleration(kind, shape, full, **options) == pytest.approx(1, abs=0.1)
    # Samples half a cycle apart on lines one cycle apart are at most this far from any point.
    nyquist = np.hypot(1, 0.5)
    assert 0.85 < largest_gap(positions, 31) < 1.1 * nyquist
    half = sim.trajectory(kind, shape, full // 2, **options)
    acceleration = sim.trajectory_acceleration(kind, shape, full // 2, **options)
    assert largest_gap(half, 31) == pytest.approx(acceleration, rel=0.2)


def test_the_benchmark_of_402_spokes():
    assert sim.trajectory("radial", (256, 256)).shape == (402, 512, 2)
    assert sim.trajectory_acceleration("radial", (256, 256), 100) == pytest.approx(4.02, abs=0.01)


@pytest.mark.parametrize(("spokes", "widest"), [(50, 13.85), (100, 5.29), (402, 1.25)])
def test_the_acceleration_of_golden_angles_is_their_mean_gap(spokes, widest):
    at = np.sort(angles(sim.trajectory("golden-angle", (256, 256), spokes)) % 180)
    gaps = np.radians(np.diff([*at, at[0] + 180])) * 128
    acceleration = sim.trajectory_acceleration("golden-angle", (256, 256), spokes)
    assert gaps.mean() == pytest.approx(acceleration, rel=1e-6)
    assert gaps.max() == pytest.approx(widest, abs=0.006)
    assert 1.1 < gaps.max() / acceleration < 1.9


@pytest.mark.parametrize("kind", ["radial", "spiral", "rosette"])
@pytest.mark.parametrize("size", [40, 56, 57, 72, 129, 256])
def test_full_sampling_leaves_no_gap_wider_than_one_cycle(kind, size):
    full = len(sim.trajectory(kind, (size, size // 2)))
    assert sim.trajectory_acceleration(kind, (size, size // 2), full) <= 1.001
    assert full == 1 or sim.trajectory_acceleration(kind, (size, size // 2), full - 1) > 1


@pytest.mark.parametrize("kind", ["radial", "golden-angle"])
@pytest.mark.parametrize("samples", [64, 65])
def test_spokes_pass_through_the_centre(kind, samples):
    positions = sim.trajectory(kind, (32, 32), 7, samples)
    assert np.all(positions[:, samples // 2] == 0)
    step = np.diff(positions, axis=1)
    np.testing.assert_allclose(np.linalg.norm(step, axis=-1), 32 / samples, rtol=1e-4)


def test_the_spoke_along_kx_holds_the_cartesian_samples():
    line = sim.trajectory("radial", (32, 32), 4, 32)[0]
    np.testing.assert_array_equal(line, np.stack([np.zeros(32), np.arange(32) - 16], -1))


def test_angles_are_equal_or_golden():
    def steps(*arguments, **options):
        return np.diff(angles(sim.trajectory(*arguments, **options))) % 360

    np.testing.assert_allclose(steps("radial", (32, 32), 12), 15, atol=1e-3)
    np.testing.assert_allclose(steps("golden-angle", (32, 32), 12), 111.246, atol=1e-3)
    np.testing.assert_allclose(steps("golden-angle", (32, 32), 12, tiny=7), 23.628, atol=1e-3)
    np.testing.assert_allclose(steps("spiral", (32, 32), 12), 30, atol=1e-3)


def test_any_golden_spokes_in_a_row_are_spread_evenly():
    for count in (13, 21, 34):
        turned = np.sort(np.degrees(np.arange(count) * np.radians(111.246)) % 180)
        found = np.sort(angles(sim.trajectory("golden-angle", (32, 32), 50)[9 : 9 + count]) % 180)
        gaps, expected = (np.diff([*a, a[0] + 180]) for a in (found, turned))
        assert len(set(gaps.round(1))) <= 3
        np.testing.assert_allclose(sorted(gaps), sorted(expected), atol=0.05)


def test_a_spiral_winds_outwards_at_an_equal_pitch():
    positions = sim.trajectory("spiral", (64, 64), 4, turns=8, density=1)[0]
    radius = np.hypot(*positions.T)
    turn = np.unwrap(np.arctan2(*positions.T)) / (2 * np.pi)
    np.testing.assert_allclose(radius, 4 * turn, atol=1e-3)
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=-1)
    np.testing.assert_allclose(steps[3:], steps.mean(), rtol=0.02)


def test_a_dense_spiral_spends_its_samples_in_the_centre():
    share = [
        np.mean(np.hypot(*sim.trajectory("spiral", (64, 64), density=density).T) < 8)
        for density in (1.0, 2.0)
    ]
    assert share[1] > 1.8 * share[0]


def test_a_petal_leaves_the_centre_and_returns():
    petal = sim.trajectory("rosette", (64, 64), 5)[0]
    np.testing.assert_array_equal(petal[0], 0)
    assert np.hypot(*petal[-1]) < 0.5
    circle = petal - np.array([16, 0])
    np.testing.assert_allclose(np.hypot(*circle.T), 16, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_turns_the_trajectory(kind):
    def draw(seed):
        return sim.trajectory(kind, (32, 32), 5, seed=seed)

    np.testing.assert_array_equal(draw(0), draw(0))
    np.testing.assert_array_equal(draw(0), draw(np.random.default_rng(0)))
    assert not np.allclose(draw(0), draw(1))
    np.testing.assert_allclose(np.hypot(*draw(1).T), np.hypot(*draw(None).T), atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "options", "match"),
    [
        (("zigzag", (32, 32)), {}, "unknown trajectory 'zigzag'; there are: radial, golden-angle"),
        (("radial", (32, 0)), {}, "expected two positive integers"),
        (("radial", (8.5, 8)), {}, r"image shape is \(8.5, 8\), expected two positive integers"),
        (("radial", ("8", 8)), {}, "expected two positive integers"),
        (("radial", (32, 32), 8, 1), {}, "samples is 1, .* at least 2; one would be the centre"),
        (("radial", (32, 32), float("inf")), {}, "readouts is inf"),
        (("radial", (32, 32), 10**9), {}, "of 64 samples are 6.4e.10 positions, more than 1.3e.08"),
        (("spiral", (32, 32)), {"turns": 1e9}, "turns is 1000000000.0, .* at most 1000"),
        (("radial", (32, 32), 0), {}, "readouts is 0, expected an integer of at least 1"),
        (("radial", (32, 32), 8, -1), {}, "samples is -1"),
        (("radial", (32, 32), 8.5), {}, "readouts is 8.5"),
        (("radial", (32, 32)), {"turns": 2}, "radial has no option 'turns'; its options: none"),
        (("spiral", (32, 32)), {"width": 2}, "its options: turns, density"),
        (("spiral", (32, 32)), {"turns": 0.0}, "turns is 0.0, expected above 0"),
        (("spiral", (32, 32)), {"density": 0.5}, "density is 0.5, expected at least 1"),
        (("rosette", (32, 32)), {"width": float("nan")}, "width is nan, expected at least 0"),
        (("golden-angle", (32, 32)), {"tiny": 1.5}, "tiny is 1.5, expected an integer"),
    ],
)
def test_bad_input_is_refused(arguments, options, match):
    with pytest.raises(ValueError, match=match):
        sim.trajectory(*arguments, **options)
    if len(arguments) == 2:
        with pytest.raises(ValueError, match=match):
            sim.trajectory_acceleration(*arguments, 4, **options)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"readouts": "a"}, "readouts is 'a', expected an integer of at least 1"),
        ({"samples": [8]}, r"samples is \[8\], expected an integer"),
        ({"turns": "8"}, "turns is '8', expected a number"),
    ],
)
def test_what_is_no_number_is_refused(given, match):
    with pytest.raises(TypeError, match=match):
        sim.trajectory("spiral", (32, 32), **given)


def test_the_acceleration_needs_a_number_of_readouts():
    with pytest.raises(TypeError, match="readouts is None, expected an integer of at least 1"):
        sim.trajectory_acceleration("radial", (32, 32), None)
