import numpy as np
import pytest

from kspace_denoise.sim import array_covariance, coil_maps
from kspace_denoise.sim.coils import FIELD_OF_VIEW, Loop, grid, receive_field


def biot_savart(loop, points, segments=4096):
    """Return the field of a circular current (μ0·I = 1) at points (n, 3), by summing its arc."""
    centre, normal = np.asarray(loop.centre), np.asarray(loop.normal)
    first = np.cross(normal, [0.3, 0.2, 0.9])
    first /= np.linalg.norm(first)
    second = np.cross(normal, first)
    t = 2 * np.pi * np.arange(segments)[:, None] / segments
    wire = centre + loop.radius * (np.cos(t) * first + np.sin(t) * second)
    step = 2 * np.pi * loop.radius / segments * (np.cos(t) * second - np.sin(t) * first)
    apart = points[:, None] - wire
    cube = np.linalg.norm(apart, axis=-1, keepdims=True) ** 3
    return np.sum(np.cross(step, apart) / cube, axis=1) / (4 * np.pi)


@pytest.mark.parametrize("tilt", [0.0, 0.3, 1.2])
def test_loop_field_is_that_of_biot_and_savart(rng, tilt):
    normal = np.array([np.cos(0.7) * np.cos(tilt), np.sin(0.7) * np.cos(tilt), np.sin(tilt)])
    loop = Loop((60.0, 45.0, 12.0), tuple(normal), 40.0)
    x, y = rng.uniform(-100, 100, (2, 300))
    wire_distance = np.abs(np.linalg.norm(np.stack([x - 60, y - 45, x * 0 - 12]), axis=0) - 40)
    x, y = x[wire_distance > 12], y[wire_distance > 12]
    assert x.size > 150
    field = biot_savart(loop, np.stack([x, y, np.zeros_like(x)], axis=-1))
    expected = field[:, 0] - 1j * field[:, 1]
    np.testing.assert_allclose(receive_field(loop, x, y), expected, rtol=1e-9, atol=1e-14)


def test_field_on_the_axis_is_the_textbook_formula():
    distance = np.linspace(0, 200, 21)
    loop = Loop((-30.0, 10.0, 0.0), (1.0, 0.0, 0.0), 50.0)
    field = receive_field(loop, distance - 30, np.full_like(distance, 10.0))
    expected = 50.0**2 / (2 * (50.0**2 + distance**2) ** 1.5)
    np.testing.assert_allclose(field, expected, rtol=1e-10)


def test_field_is_continuous_where_the_formula_of_the_axis_takes_over():
    loop = Loop((0.0, 0.0, 20.0), (0.0, 0.0, 1.0), 50.0)
    x = np.geomspace(1e-8, 1e-2, 61)
    gradient = receive_field(loop, x, np.zeros_like(x)) / x
    np.testing.assert_allclose(gradient, gradient[-1], rtol=1e-5)


@pytest.mark.parametrize("coils", [1, 2, 8, 16])
@pytest.mark.parametrize("shape", [(64, 64), (65, 48), (40, 61)])
def test_maps_have_mean_one_and_reach_everywhere(shape, coils):
    maps = coil_maps(shape, coils, seed=2)
    assert maps.shape == (coils, *shape)
    assert maps.dtype == np.complex64
    combined = np.sqrt(np.sum(np.abs(maps) ** 2, axis=0))
    assert abs(combined.mean() - 1) < 1e-4
    y, x, _ = grid(shape)
    head = (y / 95) ** 2 + (x / 75) ** 2 < 1
    assert combined[head].min() > 0.1


def test_each_coil_sees_its_own_side():
    y, x, _ = grid((64, 64))
    maps = np.abs(coil_maps((64, 64), 8, seed=0)) * ((y / 95) ** 2 + (x / 75) ** 2 < 1)
    peaks = [np.unravel_index(np.argmax(coil), coil.shape) for coil in maps]
    angles = np.sort([np.arctan2(y[i, 0], x[0, j]) for i, j in peaks])
    assert np.diff(angles).min() > 0.2
    assert np.ptp(angles) > 1.5 * np.pi


def test_one_coil_is_nearly_uniform_over_the_head():
    y, x, _ = grid((64, 64))
    head = (y / 90) ** 2 + (x / 70) ** 2 < 1
    coil = coil_maps((64, 64), 1, seed=0)[0][head]
    assert np.abs(coil).max() < 2 * np.abs(coil).min()
    assert np.abs(np.angle(coil * np.conj(coil.sum()))).max() < 0.6


def test_maps_do_not_depend_on_the_grid():
    coarse, fine = coil_maps((48, 40), 4, seed=5), coil_maps((96, 80), 4, seed=5)[:, ::2, ::2]
    ratio = fine / coarse
    np.testing.assert_allclose(ratio, np.mean(ratio), rtol=1e-4)


def test_maps_are_random_per_seed():
    np.testing.assert_array_equal(coil_maps((16, 16), 4, 0), coil_maps((16, 16), 4, 0))
    assert not np.allclose(coil_maps((16, 16), 4, 0), coil_maps((16, 16), 4, 1), rtol=0.01)


@pytest.mark.parametrize("shape", [(225, 180), (100, 100), (64, 200), (200, 64)])
def test_grid_shows_a_head_with_square_pixels(shape):
    y, x, pixel = grid(shape)
    assert y[shape[0] // 2, 0] == 0
    assert x[0, shape[1] // 2] == 0
    for positions, side in ((y[:, 0], FIELD_OF_VIEW[0]), (x[0], FIELD_OF_VIEW[1])):
        np.testing.assert_allclose(np.diff(positions), pixel)
        assert positions.size * pixel >= side - 1e-9
    assert min(n * pixel / side for n, side in zip(shape, FIELD_OF_VIEW, strict=True)) < 1.0001


def test_rejects_impossible_arrays():
    with pytest.raises(ValueError, match="coils is 0, expected at least 1"):
        coil_maps((8, 8), 0, seed=0)
    with pytest.raises(ValueError, match=r"shape is \(8,\), expected two positive"):
        coil_maps((8,), 2, seed=0)
    with pytest.raises(ValueError, match=r"shape is \(8, 0\)"):
        coil_maps((8, 0), 2, seed=0)
    with pytest.raises(ValueError, match="coils is 0"):
        array_covariance(0, seed=0)
    with pytest.raises(ValueError, match="correlation is 1, expected 0 or more"):
        array_covariance(4, seed=0, correlation=1)


@pytest.mark.parametrize("coils", [1, 2, 8, 32])
def test_array_covariance_is_like_that_of_a_real_array(coils):
    for seed in range(5):
        psi = array_covariance(coils, seed)
        np.testing.assert_array_equal(psi, psi.conj().T)
        assert np.linalg.eigvalsh(psi)[0] > 0
        assert abs(np.trace(psi).real - 2 * coils) < 1e-9
        level = np.sqrt(np.diag(psi).real)
        assert level.max() / level.min() < 1.31
        neighbour = (psi / np.outer(level, level))[np.arange(coils) - 1, np.arange(coils)]
        if coils > 1:
            assert np.all((np.abs(neighbour) > 0.1) & (np.abs(neighbour) < 0.5))
            assert np.abs(neighbour.imag).max() > 0.01


def test_uncorrelated_array():
    psi = array_covariance(4, seed=0, correlation=0)
    np.testing.assert_array_equal(psi, np.diag(np.diag(psi)))
