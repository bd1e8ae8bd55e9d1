"""Koay's correction: from the mean and standard deviation of magnitudes to signal and noise."""

import math

import numpy as np
import pytest
from scipy.special import ive

from kspace_denoise import recon
from kspace_denoise.arrays import to_numpy
from tests.helpers import assert_same_kind

NU = np.r_[0, 0.05, np.arange(0.1, 30, 0.171), np.geomspace(30, 1e4, 30)]


def xi(nu):
    """The variance of the Rice distribution at sigma = 1, in the form of Koay and Basser."""
    bessel = (2 + nu**2) * ive(0, nu**2 / 4) + nu**2 * ive(1, nu**2 / 4)
    return 2 + nu**2 - math.pi / 8 * bessel**2


def test_the_correction_factor():
    assert xi(0.0) == pytest.approx(0.4292, abs=5e-5)
    assert xi(100.0) == pytest.approx(1, abs=1e-4)
    nu = NU[NU < 100]
    assert recon.MagnitudeNoise(1.0).variance(nu) == pytest.approx(xi(nu), abs=1e-9)


def test_moments_of_rician_noise_lead_back():
    nu = NU[NU < 100]
    mean = 3 * np.sqrt(2 + nu**2 - xi(nu))
    found = recon.koay(mean, 3 * np.sqrt(xi(nu)))
    assert found.amplitude[1:] == pytest.approx(3 * nu[1:], rel=1e-5)
    assert found.amplitude[0] < 3e-3  # the fourth root of what double precision leaves
    assert found.sigma == pytest.approx(3, rel=1e-6)


@pytest.mark.parametrize("coils", [1, 2.5, 8, 32, 64])
def test_moments_of_any_number_of_coils_lead_back(coils):
    noise = recon.MagnitudeNoise(0.2, coils)
    amplitude = 0.2 * NU
    found = recon.koay(noise.mean(amplitude), np.sqrt(noise.variance(amplitude)), coils)
    assert found.amplitude[1:] == pytest.approx(amplitude[1:], rel=1e-5)
    assert found.amplitude[0] < 2e-3
    assert found.sigma == pytest.approx(0.2, rel=2e-6)


@pytest.mark.parametrize("coils", [1, 4])
@pytest.mark.parametrize("nu", [1.5, 3.0, 10.0])
def test_measured_moments_lead_back(rng, coils, nu):
    samples = 2 * np.sqrt(rng.noncentral_chisquare(2 * coils, nu**2, (20, 30000)))
    found = recon.koay(samples.mean(axis=1), samples.std(axis=1), coils)
    for values, truth in ((found.amplitude, 2 * nu), (found.sigma, 2.0)):
        error = values.std(ddof=1) / math.sqrt(values.size)
        assert values.mean() == pytest.approx(truth, abs=5 * error)
        assert error < 0.02 * truth


def test_below_the_floor_there_is_no_signal():
    floor = math.sqrt(2 / xi(0.0) - 1)
    assert floor == pytest.approx(1.913, abs=5e-4)
    mean = np.array([floor - 1e-3, 1.0, 0.0])
    found = recon.koay(mean, np.ones(3))
    assert np.all(found.amplitude == 0)
    assert found.sigma == pytest.approx(np.sqrt((mean**2 + 1) / 2))


def test_every_array_kind(rng, kind):
    mean = rng.uniform(0, 20, (3, 5, 7)).astype(np.float32)
    std = np.ones_like(mean)
    std[0, 0] = 0  # masked voxels, and noise-free ones
    mean[0, 0, :3] = 0
    before = mean.copy(), std.copy()
    given = kind(mean), kind(std)
    found = recon.koay(*given, 2)
    for values in found:
        assert_same_kind(values, given[0])
        assert str(values.dtype).endswith("float32")
        assert tuple(values.shape) == mean.shape
    assert np.array_equal(to_numpy(found.amplitude)[0, 0], mean[0, 0])
    assert np.all(to_numpy(found.sigma)[0, 0] == 0)
    exact = recon.koay(mean.astype(float), std.astype(float), 2)
    surely = exact.amplitude > 0.5  # close to the floor single precision is not enough
    assert to_numpy(found.amplitude)[surely] == pytest.approx(exact.amplitude[surely], rel=1e-3)
    assert np.array_equal(to_numpy(given[0]), before[0])
    assert np.array_equal(to_numpy(given[1]), before[1])


def test_numbers_for_numbers():
    found = recon.koay(3, 1.0, 2)
    expected = recon.koay(np.array([3.0]), np.array([1.0]), 2)
    assert (type(found.amplitude), type(found.sigma)) == (float, float)
    assert found == (expected.amplitude[0], expected.sigma[0])


def test_the_largest_numbers_of_single_precision_stay_finite(kind):
    mean = np.array([1e20, 3e38, 3e38, 1e30, 3.0], np.float32)
    std = np.array([1.0, 1e-30, 1e38, 1e30, 1e-3], np.float32)
    found = recon.koay(kind(mean), kind(std))
    exact = recon.koay(mean.astype(float), std.astype(float))
    assert to_numpy(found.amplitude) == pytest.approx(exact.amplitude, rel=1e-5)
    assert to_numpy(found.sigma) == pytest.approx(exact.sigma, rel=1e-5)
    assert exact.sigma[2] == pytest.approx(1e38 * recon.koay(3.0, 1.0).sigma, rel=1e-6)


def test_certain_means_join_the_others():
    mean = np.array([1e6 * (1 - 1e-9), 1e6 * (1 + 1e-9)])
    found = recon.koay(mean, np.ones(2), 64)
    assert found.amplitude == pytest.approx(mean, rel=2e-10)
    assert found.sigma == pytest.approx(1, rel=2e-10)


ONES = np.ones((4, 5))


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((ONES * 1j, ONES), TypeError, "mean is complex128: take the magnitude"),
        ((ONES, ONES.astype(int)), TypeError, "std is int64, expected float32 or float64"),
        ((-ONES, ONES), ValueError, "mean holds negative values"),
        ((ONES, ONES * np.nan), ValueError, "std holds 20 values that are NaN"),
        ((ONES, 1.0), TypeError, "std is float, expected an array of float32 or float64"),
        (("a", 1.0), TypeError, "mean is str, expected an array"),
        ((-3.0, 1.0), ValueError, "mean holds negative values"),
        ((ONES, ONES[0]), ValueError, r"shape \(4, 5\) and std \(5,\)"),
        ((ONES, ONES, 0.9), ValueError, "coils is 0.9"),
        ((ONES, ONES, "8"), TypeError, "coils is str, expected one number"),
    ],
)
def test_bad_input_is_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        recon.koay(*arguments)
