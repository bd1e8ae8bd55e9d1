import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.recon import rss
from tests.helpers import assert_same_kind, complex_array


def test_rss_is_the_norm_over_coils(rng, kind):
    images = complex_array(rng, (2, 3, 5, 6))
    given = kind(images)
    combined = rss(given)
    assert_same_kind(combined, given)
    np.testing.assert_allclose(to_numpy(combined), np.linalg.norm(images, axis=1), rtol=1e-6)
    assert to_numpy(combined).dtype == np.float32


def test_noise_floor_of_rss(rng):
    sigma, coils = 3.0, 8
    floor = rss(sigma * complex_array(rng, (coils, 128, 128)))
    # The sum of squares is sigma² chi-squared with 2 coils degrees of freedom.
    error = sigma**2 * np.sqrt(4 * coils) / 128
    assert np.mean(floor**2) == pytest.approx(2 * coils * sigma**2, abs=5 * error)


def test_one_coil_is_the_magnitude(rng):
    image = complex_array(rng, (1, 4, 4))
    np.testing.assert_allclose(rss(image), np.abs(image[0]), rtol=1e-6)


def test_real_images_are_refused():
    with pytest.raises(TypeError, match="coil_images is float64"):
        rss(np.ones((2, 4, 4)))
