import numpy as np

from kspace_denoise.fourier import fft2c
from kspace_denoise.sim.coils import grid
from kspace_denoise.sim.fields import ring_field, rough_fields, smooth_fields
from kspace_denoise.sim.shapes import discs, ellipse, smooth_minimum, tube


def test_smooth_fields_are_independent_of_unit_variance_and_of_the_grid(rng):
    y, x, _ = grid((44, 36))
    draws = np.array([smooth_fields(y, x, 60, rng) for _ in range(300)])
    variance = np.mean(draws**2, axis=(0, 2, 3))
    np.testing.assert_allclose(variance, 1, atol=0.1)
    assert abs(np.mean(draws[:, 0] * draws[:, 1])) < 0.1
    coarse = smooth_fields(y, x, 60, np.random.default_rng(0))[0]
    fine = smooth_fields(*grid((88, 72))[:2], 60, np.random.default_rng(0))[0]
    np.testing.assert_allclose(fine[::2, ::2], coarse, atol=1e-5)


def test_smooth_fields_bend_no_faster_than_their_wavelength(rng):
    y, x, pixel = grid((90, 72))
    fields = np.array([smooth_fields(y, x, 40, rng)[0] for _ in range(20)])
    steepest = np.sqrt(np.mean(np.gradient(fields, pixel, axis=1) ** 2))
    assert 0.3 * np.pi / 40 < steepest < 2 * np.pi / 40


def test_rough_fields_follow_their_power_law(rng):
    n, pixel = 128, 1.0
    power = np.mean(
        [np.abs(fft2c(rough_fields((n, n), pixel, 2.5, rng)[0])) ** 2 for _ in range(8)], 0
    )
    k = (np.arange(n) - n // 2) / n
    radius = np.hypot(k[:, None], k)
    band = (radius > 0.1) & (radius < 0.45)
    slope = np.polyfit(np.log(radius[band]), np.log(power[band]), 1)[0]
    assert abs(slope + 2.5) < 0.15
    assert 0.7 < np.sqrt(power.mean()) < 1.3


def test_ring_fields_are_periodic_and_of_unit_variance(rng):
    rings = np.array([ring_field(360, 8, rng, 0.5) for _ in range(400)])
    assert rings.dtype == np.float32
    np.testing.assert_allclose(np.mean(rings**2, axis=0), 1, atol=0.35)
    step = np.abs(rings[:, 0] - rings[:, -1]).mean() / np.abs(np.diff(rings)).mean()
    assert 0.7 < step < 1.3


def test_shapes_are_signed_distances():
    y, x, pixel = grid((225, 180))
    u, v = np.broadcast_arrays(np.float32(x), np.float32(-y))
    disc = ellipse(u, v, (10, -5), (20, 20))
    expected = 20 - np.hypot(u - 10, v + 5)
    np.testing.assert_allclose(disc, expected, atol=1e-4)
    np.testing.assert_allclose(
        tube(u, v, [(10, -25, 4), (10, 5, 4), (10, 25, 4)])[112], 4 - np.abs(u[112] - 10), atol=1e-4
    )
    spot = discs(u, v, pixel, np.array([[112, 100]]), np.array([3.0]))
    near = np.hypot(u - u[112, 100], v - v[112, 100])
    np.testing.assert_allclose(spot[near < 8], 3 - near[near < 8], atol=1e-4)
    assert np.all(spot[near > 12] < 0)
    turned = ellipse(u, v, (0, 0), (5, 40), 0.5)
    assert turned[np.hypot(u + 20 * np.sin(0.5), v - 20 * np.cos(0.5)) < 1].min() > 0


def test_smooth_minimum_only_rounds_the_crease():
    a, b = np.linspace(-5, 5, 101), np.zeros(101)
    rounded, sharp = smooth_minimum(a, b, 2.0), np.minimum(a, b)
    assert np.all(rounded <= sharp)
    np.testing.assert_array_equal(rounded[np.abs(a) > 2], sharp[np.abs(a) > 2])
    assert np.isclose(sharp[50] - rounded[50], 0.5)
