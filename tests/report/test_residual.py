import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kspace_denoise.report.residual import autocorrelation, residual_power
from tests.helpers import complex_array


def test_white_residuals_have_power_one_and_no_correlation(rng):
    residual, mask = complex_array(rng, (101, 90)), np.ones((101, 90), bool)
    mask[:20] = mask[40:60, 30:50] = False
    count = mask.sum()
    assert residual_power(residual, mask) == pytest.approx(1, abs=4 / np.sqrt(count))
    correlation = autocorrelation(residual, mask)
    assert correlation.shape == (15, 15)
    assert correlation[7, 7] == 0
    assert np.abs(correlation).max() < 5 / np.sqrt(2 * count / 1.5)


def test_smooth_residuals_are_correlated_as_their_filter_says(rng):
    white = complex_array(rng, (400, 400))
    smooth = gaussian_filter(white.real, 1.0) + 1j * gaussian_filter(white.imag, 1.0)
    correlation = autocorrelation(smooth, np.ones(white.shape, bool))
    for lag in (1, 2, 3):
        assert correlation[7, 7 + lag] == pytest.approx(np.exp(-(lag**2) / 4), abs=0.02)
        assert correlation[7 + lag, 7] == pytest.approx(np.exp(-(lag**2) / 4), abs=0.02)


def test_the_borders_of_a_mask_do_not_count_as_correlation():
    residual = np.ones((30, 30), complex)
    mask = np.zeros((30, 30), bool)
    mask[5:25, 5:25] = True
    correlation = autocorrelation(residual, mask)
    correlation[7, 7] = 1
    np.testing.assert_allclose(correlation, 1, atol=1e-9)
