import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from tests.helpers import assert_same_kind, check_adjoint, complex_array

SIZES = [(8, 6), (7, 9), (1, 5)]


@pytest.mark.parametrize("size", SIZES)
def test_the_transform_is_centred_and_unitary(kind, rng, size):
    impulse = np.zeros(size, np.complex64)
    impulse[size[0] // 2, size[1] // 2] = 1
    np.testing.assert_allclose(to_numpy(fft2c(kind(impulse))), 1 / np.sqrt(impulse.size), rtol=1e-5)
    image, kspace = kind(complex_array(rng, (2, *size))), kind(complex_array(rng, (2, *size)))
    assert_same_kind(fft2c(image), image)
    check_adjoint(fft2c, ifft2c, image, kspace)
    np.testing.assert_allclose(to_numpy(ifft2c(fft2c(image))), to_numpy(image), atol=1e-5)


def test_without_scale_the_pair_multiplies_by_the_number_of_pixels(kind, rng):
    image = complex_array(rng, (5, 6))
    options = {"centred": False, "scaled": False}
    there = fft2c(kind(image), **options)
    back = ifft2c(there, **options)
    np.testing.assert_allclose(to_numpy(there)[0, 0], image.sum(), rtol=1e-4)
    np.testing.assert_allclose(to_numpy(back), 30 * image, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transform", [fft2c, ifft2c])
def test_without_centring_only_the_shifts_are_left_out(kind, rng, size, transform):
    image = complex_array(rng, size)
    half = (size[0] // 2, size[1] // 2)
    shifted = np.roll(image, (-half[0], -half[1]), (0, 1))
    plain = to_numpy(transform(kind(shifted), centred=False))
    np.testing.assert_allclose(
        np.roll(plain, half, (0, 1)), to_numpy(transform(kind(image))), atol=1e-6
    )
