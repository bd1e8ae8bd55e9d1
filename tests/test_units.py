"""The unit of denoisers: there and back, and the mean over the noise."""

import numpy as np
import pytest

from kspace_denoise.units import expected_unit, from_unit, to_unit
from tests.helpers import complex_array


@pytest.mark.parametrize("vst", [False, True])
def test_the_mean_comes_back_as_the_clean_image(vst):
    sigma = np.array([[0.5], [3.0]], np.float32)
    clean = sigma * np.r_[0, np.geomspace(0.05, 60, 200)].astype(np.float32)
    before = clean.copy()
    back = from_unit(expected_unit(clean, sigma, vst), sigma, vst)
    np.testing.assert_allclose(back / sigma, clean / sigma, atol=0.01)
    assert back.dtype == np.float32
    assert np.array_equal(clean, before)


@pytest.mark.parametrize("amplitude", [0.0, 0.7, 2.0, 5.0, 30.0])
def test_the_expected_value_is_the_mean_over_the_noise(rng, amplitude):
    count = 40_000
    noisy = np.abs(2 * (amplitude + complex_array(rng, (count, 1))))
    z = to_unit(noisy, 2.0, vst=True)
    expected = expected_unit(np.array([[2 * amplitude]], np.float32), 2.0, vst=True)
    assert z.std() == pytest.approx(1, abs=0.02 + 5 / np.sqrt(2 * count))
    assert z.mean() == pytest.approx(expected.item(), abs=5 / np.sqrt(count))


def test_where_sigma_is_0_there_is_nothing():
    sigma = np.array([1.0, 0.0], np.float32)
    image = np.full((3, 2), 5, np.float32)
    for vst in (False, True):
        assert not from_unit(to_unit(image, sigma, vst), sigma, vst)[:, 1].any()
        assert not from_unit(expected_unit(image, sigma, vst), sigma, vst)[:, 1].any()


def test_complex_images_are_not_stabilised(rng):
    image = complex_array(rng, (4, 4))
    with pytest.raises(ValueError, match="these are complex: their noise is Gaussian"):
        to_unit(image, 1.0, vst=True)
    with pytest.raises(ValueError, match="the clean image is complex"):
        expected_unit(image, 1.0, vst=True)
    np.testing.assert_allclose(expected_unit(image, 2.0), image / 2)
