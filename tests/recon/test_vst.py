"""Variance stabilisation against quadrature of the distributions themselves and Monte Carlo."""

import math

import numpy as np
import pytest
import torch
from scipy.special import ive
from scipy.stats import ncx2

from kspace_denoise import recon
from kspace_denoise.arrays import to_numpy
from kspace_denoise.recon.vst_forms import stabiliser
from kspace_denoise.recon.vst_optimised import SLOPES
from tests.helpers import assert_same_kind

COILS = [1, 1.5, 2, 4, 8, 16, 32, 64]
FORMS = ["optimised", "asymptotic", "identity"]


def moments(form, nu, coils=1):
    """Mean, standard deviation and skewness of f at one amplitude, by a rule of our own."""
    centre = math.sqrt(nu**2 + 2 * coils - 0.5)
    kink = math.sqrt(coils - 0.5) if form == "asymptotic" else 0.0
    start, stop = max(centre - 9, kink), centre + 9
    grid = np.linspace(0, 1, 1201)  # denser at the start, where f may have a root
    m = start + (stop - start) * grid**2
    density = 2 * m * ncx2.pdf(m**2, 2 * coils, nu**2)
    if coils == 1:  # ncx2 is inaccurate for large nu
        density = m * np.exp(-((m - nu) ** 2) / 2) * ive(0, m * nu)
    weights = density * (stop - start) * 2 * grid * grid[1]
    f = recon.vst(m, 1.0, coils, form)
    mean = np.sum(weights * f)
    below = 1 - weights.sum()  # the asymptotic form is 0 there
    variance = np.sum(weights * (f - mean) ** 2) + below * mean**2
    third = np.sum(weights * (f - mean) ** 3) - below * mean**3
    return mean, math.sqrt(variance), third / variance**1.5


def test_the_asymptotic_form_has_the_known_spread():
    known = {0: 0.778, 0.5: 0.816, 1: 0.895, 1.5: 0.962, 2: 0.997, 3: 1.006, 5: 1.0006}
    for nu, std in known.items():
        assert moments("asymptotic", nu)[1] == pytest.approx(std, abs=6e-4)
    raw = {0: 0.655, 0.5: 0.693, 1: 0.776, 1.5: 0.857, 2: 0.915, 3: 0.967, 5: 0.990}
    for nu, std in raw.items():
        assert moments("identity", nu)[1] == pytest.approx(std, abs=6e-4)


@pytest.mark.parametrize("coils", COILS)
def test_the_asymptotic_form_is_stable_from_an_snr_on(coils):
    for nu in np.arange(1.5, 8.01, 0.25) * math.sqrt(coils):
        assert moments("asymptotic", nu, coils)[1] == pytest.approx(1, abs=0.05)


def test_the_asymptotic_form_is_less_stable_for_many_coils_of_little_signal():
    spread = [moments("asymptotic", 1.5, coils)[1] for coils in COILS]
    assert 1.05 < max(spread) < 1.061  # of 8 coils
    assert spread[-1] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("coils", [*COILS, 128])
def test_the_optimised_form_is_stable_everywhere(coils):
    near = np.arange(0, math.sqrt(2 * coils) + 9, 0.31)
    for nu in np.r_[near, 30, 100, 300]:
        _, std, skewness = moments("optimised", nu, coils)
        assert std == pytest.approx(1, abs=0.02 if coils < 4 else 0.01)
        assert -0.6 < skewness < 0.05


@pytest.mark.parametrize("coils", COILS)
def test_the_optimised_form_is_smooth_and_increasing(coils):
    m = np.arange(0, 40, 1e-3)
    slope = np.gradient(recon.vst(m, 1.0, coils), 1e-3)[1:-1]
    assert slope.min() > SLOPES[0] - 1e-6
    assert slope.max() < SLOPES[1] + 1e-6
    assert np.abs(np.diff(slope)).max() < 1e-3 * 8  # no step in the slope, at the join neither
    end = stabiliser("optimised", float(coils)).table.stop
    far = np.array([end * (1 - 1e-9), end, end + 1, 1e3, 1e6])
    assert recon.vst(far, 1.0, coils) == pytest.approx(np.sqrt(far**2 - coils + 0.5), rel=1e-8)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("coils", [1, 1.5, 2, 8, 32, 64])
def test_the_inverse_returns_the_amplitude_of_the_mean(coils, form):
    nus = np.r_[0, np.geomspace(0.01, 0.3, 6), np.arange(0.5, 30, 1.33), 60, 200]
    means = np.array([moments(form, nu, coils)[0] for nu in nus])
    assert recon.inverse_vst(means, 1.0, coils, form) == pytest.approx(nus, abs=1e-3)
    assert 0.1 * recon.inverse_vst(means, 1.0, coils, form) == pytest.approx(
        recon.inverse_vst(means, 0.1, coils, form), rel=1e-12
    )
    between = recon.inverse_vst(np.linspace(means[0], 60, 20001), 1.0, coils, form)
    assert np.all(np.diff(between) > 0)


@pytest.mark.parametrize("coils", [1, 2.5, 8])
@pytest.mark.parametrize("nu", [0.0, 1.0, 2.5, 12.0])
def test_averages_of_noise_lead_to_the_amplitude(rng, coils, nu):
    samples = 0.3 * np.sqrt(rng.noncentral_chisquare(2 * coils, nu**2, 100000))
    z = recon.vst(samples, 0.3, coils)
    error = 1 / math.sqrt(z.size)
    assert z.std() == pytest.approx(1, abs=0.02 + 5 * error)
    low, high = recon.inverse_vst(
        np.array([z.mean() - 5 * error, z.mean() + 5 * error]), 0.3, coils
    )
    assert low <= 0.3 * nu <= high


@pytest.mark.parametrize("form", FORMS)
def test_the_inverse_of_the_function_keeps_the_bias(form):
    m = np.r_[np.arange(0.75, 20, 0.01), 1e3]
    z = recon.vst(m, 1.0, form=form)
    assert recon.inverse_vst(z, 1.0, form=form, unbiased=False) == pytest.approx(m, abs=1e-5)
    mean = np.array(moments(form, 0.0)[0])
    assert recon.inverse_vst(mean, 1.0, form=form, unbiased=False) > 1
    assert recon.inverse_vst(mean, 1.0, form=form) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("coils", [1, 8])
def test_less_than_the_mean_of_no_signal_is_no_signal(coils, form):
    mean = moments(form, 0.0, coils)[0]
    z = np.array([mean - 1e-3, 0.0, -5.0, -1e6])
    assert np.all(recon.inverse_vst(z, 1.0, coils, form) == 0)
    assert np.all(recon.inverse_vst(z, 1.0, coils, form, unbiased=False) >= 0)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
def test_every_array_kind_with_a_map_of_sigma(rng, kind, form, precision):
    sigma = rng.uniform(0.5, 2, (5, 7)).astype(precision)
    magnitude = (sigma * rng.uniform(0, 20, (3, 5, 7))).astype(precision)
    before = magnitude.copy(), sigma.copy()
    given = kind(magnitude), kind(sigma)
    z = recon.vst(*given, 2.5, form)
    x = recon.inverse_vst(z, given[1], 2.5, form)
    for result in (z, x):
        assert_same_kind(result, given[0])
        assert str(result.dtype).endswith(precision)
        assert tuple(result.shape) == magnitude.shape
    exact = recon.vst(magnitude.astype(float) / sigma, 1.0, 2.5, form)
    assert to_numpy(z) == pytest.approx(exact, abs=1e-5)
    back = sigma * recon.inverse_vst(to_numpy(z).astype(float), 1.0, 2.5, form)
    assert to_numpy(x) == pytest.approx(back, abs=2e-3)
    assert to_numpy(given[0]) == pytest.approx(before[0], abs=0)
    assert to_numpy(given[1]) == pytest.approx(before[1], abs=0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("coils", [1, 8, 64])
def test_the_largest_numbers_of_a_precision_stay_finite(kind, form, coils):
    large = np.array([1e10, 1e19, 1e20, 1e30, 3e38], np.float32)
    z = recon.vst(kind(large), 1.0, coils, form)
    assert to_numpy(z) == pytest.approx(large, rel=1e-6)
    for unbiased in (True, False):
        back = recon.inverse_vst(z, 1.0, coils, form, unbiased=unbiased)
        assert to_numpy(back) == pytest.approx(large, rel=1e-6)


@pytest.mark.cuda
def test_data_on_the_gpu_stay_there(rng):
    magnitude = rng.uniform(0, 20, (3, 5, 7)).astype(np.float32)
    z = recon.vst(torch.from_numpy(magnitude).cuda(), 1.0)
    x = recon.inverse_vst(z, torch.ones(5, 7, device="cuda"))
    assert z.is_cuda
    assert x.is_cuda
    assert to_numpy(z) == pytest.approx(recon.vst(magnitude, 1.0), abs=1e-5)


ONES = np.ones((4, 5), np.float32)


@pytest.mark.parametrize(
    ("function", "arguments", "error", "match"),
    [
        (recon.vst, (ONES.astype(np.complex64), 1.0), TypeError, "take the magnitude"),
        (recon.vst, (ONES.astype(np.int16), 1.0), TypeError, "int16, expected float32 or float64"),
        (recon.vst, (ONES * np.nan, 1.0), ValueError, "magnitude holds 20 values that are NaN"),
        (recon.vst, (-ONES, 1.0), ValueError, "negative"),
        (recon.vst, (1.0, 1.0), TypeError, "magnitude is float, expected an array of float32"),
        (recon.vst, (ONES, "a"), TypeError, "sigma is 'a', expected a positive number, or an arr"),
        (recon.vst, (ONES, None), TypeError, "sigma is None, expected a positive number"),
        (recon.vst, (ONES * 1e30, 1e-9), ValueError, "1e.30 over a sigma of 1e-09 is beyond float"),
        (recon.vst, (ONES * 1e30, ONES * 1e-9), ValueError, "beyond float32: give both in the sa"),
        (recon.vst, (ONES, 0.0), ValueError, "sigma is 0.0, expected a positive"),
        (recon.vst, (ONES, np.nan), ValueError, "sigma is nan, expected a positive"),
        (recon.vst, (ONES, ONES * 0), ValueError, "not positive and finite"),
        (recon.vst, (ONES, np.ones(4)), ValueError, r"shape \(4,\), which does not broadcast"),
        (recon.vst, (ONES, np.ones((2, 4, 5))), ValueError, "does not broadcast"),
        (recon.vst, (ONES, 1.0, 0.5), ValueError, "coils is 0.5, expected a number from 1 to 128"),
        (recon.vst, (ONES, 1.0, 500), ValueError, "coils is 500, expected"),
        (recon.vst, (ONES, 1.0, np.ones(3)), TypeError, "coils is ndarray, expected one number"),
        (recon.vst, (ONES, 1.0, 1, "foi"), ValueError, "'foi', expected one of optimised"),
        (recon.inverse_vst, (ONES * 1j, 1.0), TypeError, "z is complex64"),
        (recon.inverse_vst, (ONES * np.inf, 1.0), ValueError, "z holds 20 values"),
        (recon.inverse_vst, (ONES, "1"), TypeError, "sigma is '1', expected a positive number"),
        (recon.inverse_vst, (ONES, -1.0), ValueError, "sigma is -1.0"),
        (recon.inverse_vst, (ONES, 1.0, 0), ValueError, "coils is 0"),
        (recon.inverse_vst, (ONES, 1.0, 1, ""), ValueError, "'', expected one of"),
    ],
)
def test_bad_input_is_refused(function, arguments, error, match):
    with pytest.raises(error, match=match):
        function(*arguments)
