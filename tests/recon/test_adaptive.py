"""Walsh's combination against true maps, against SENSE, and its noise against samples."""

import numpy as np
import pytest
import torch

from kspace_denoise import sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c
from kspace_denoise.recon import adaptive, adaptive_combine, sense, walsh_maps
from tests.helpers import assert_same_kind, complex_array, random_covariance
from tests.recon.cases import disc, smooth_maps


def coil_images(rng, size=(64, 54), coils=6, snr=50.0, lead=()):
    """Coil images with sigma = 1 of an object of mean magnitude snr, true maps, its mask."""
    maps, image = smooth_maps(coils, size), disc(size)
    inside = np.abs(image) > 0.4
    image = image * (snr / np.abs(image[inside]).mean())
    return maps * image + complex_array(rng, (*lead, *maps.shape)), maps, inside


def likeness(a, b):
    return np.abs(np.sum(a.conj() * b, axis=-3)) / (
        np.linalg.norm(a, axis=-3) * np.linalg.norm(b, axis=-3)
    )


@pytest.mark.parametrize("size", [(64, 54), (63, 55)])
def test_maps_follow_the_true_ones_in_any_array_kind(rng, kind, size):
    images, truth, inside = coil_images(rng, size)
    given = kind(images)
    maps = walsh_maps(given)
    assert_same_kind(maps, given)
    np.testing.assert_array_equal(to_numpy(given), images)
    maps = to_numpy(maps)
    assert maps.dtype == np.complex64
    np.testing.assert_allclose(np.linalg.norm(maps, axis=0), 1, rtol=1e-5)
    assert np.median(likeness(maps, truth)[inside]) > 0.999
    combined = adaptive_combine(given)
    assert_same_kind(combined, given)
    assert to_numpy(combined).shape == size


def test_the_eigenvectors_are_those_of_the_block_covariances(rng):
    images = complex_array(rng, (4, 24, 21))
    maps = walsh_maps(images, block=5)
    for y, x in ((0, 0), (2, 20), (11, 9), (23, 7)):
        block = images[:, max(0, y - 2) : y + 3, max(0, x - 2) : x + 3].reshape(4, -1)
        values, vectors = np.linalg.eigh(block @ block.conj().T)
        # Noise has eigenvalues close to each other: judge by what the vector captures.
        captured = np.linalg.norm(block.conj().T @ maps[:, y, x]) ** 2
        assert captured == pytest.approx(values[-1], rel=1e-4)
        assert abs(np.vdot(vectors[:, -1], maps[:, y, x])) > 0.99


def test_the_image_is_that_of_sense_with_these_maps(rng):
    images, _, _ = coil_images(rng, coils=4)
    psi = random_covariance(rng, 4)
    maps = walsh_maps(images, psi)
    reference = sense(fft2c(images), maps, noise_covariance=psi)
    combined = adaptive_combine(images, psi)
    np.testing.assert_allclose(combined, reference.image, atol=1e-4 * np.abs(combined).max())


def test_images_keep_the_unit_of_the_data(rng):
    images, _, inside = coil_images(rng, snr=200)
    psi = sim.array_covariance(6, seed=0, correlation=0.5)
    combined = np.abs(adaptive_combine(images, psi))
    ratio = combined / np.linalg.norm(images, axis=0)
    assert np.median(ratio[inside]) == pytest.approx(1, abs=0.01)
    scaled = adaptive_combine(1e-12 * images, psi)
    np.testing.assert_allclose(np.abs(scaled), 1e-12 * combined, rtol=2e-3)


def test_the_phase_of_the_maps_is_smooth(rng):
    images, _, inside = coil_images(rng)
    steps = np.linalg.norm(np.diff(walsh_maps(images), axis=-1), axis=0)
    assert steps[inside[:, 1:] & inside[:, :-1]].max() < 0.15


def test_correlated_noise_is_taken_into_account(rng):
    truth, image = smooth_maps(4, (64, 54)), disc((64, 54))
    inside = np.abs(image) > 0.4
    mixing = np.linalg.cholesky(random_covariance(rng, 4) / 2)
    noise = np.einsum("ij,jyx->iyx", mixing, complex_array(rng, truth.shape))
    psi = 2 * mixing @ mixing.conj().T

    def gain(snr):
        images = (snr * truth * image + noise).astype(np.complex64)
        known, ignored = (1 - likeness(walsh_maps(images, p), truth)[inside] for p in (psi, None))
        return np.mean(ignored) / np.mean(known)

    assert gain(3) > 1.2
    images = (30 * truth * image + noise).astype(np.complex64)
    maps = walsh_maps(images, psi)
    _, sigma = sense(fft2c(images), maps, noise_covariance=psi)
    error = sense(fft2c(noise).astype(np.complex64), maps, noise_covariance=psi).image
    spread = np.sqrt(np.mean(np.abs(error[inside] / sigma[inside]) ** 2) / 2)
    # Maps from the same data collect a percent of noise.
    assert spread == pytest.approx(1, abs=0.02 + 5 / np.sqrt(4 * inside.sum()))


def test_noise_of_maps_from_the_same_data_is_as_the_docstring_says(rng):
    truth = np.ones((8, 96, 96), np.complex64) / np.sqrt(8)
    # Neighbours share their maps: some 96^2/49 blocks are independent.
    for snr, expected in ((0, 1.3), (1, 1.25), (2, 1.08), (3, 1.04), (5, 1.0), (30, 1.0)):
        noise = complex_array(rng, truth.shape)
        maps = walsh_maps(snr * truth + noise)
        spread = np.sqrt(np.mean(np.abs(np.sum(maps.conj() * noise, axis=0)) ** 2) / 2)
        assert spread == pytest.approx(expected, abs=0.03)


def test_one_coil_is_its_image(rng, kind):
    image = complex_array(rng, (2, 1, 9, 8))
    combined = to_numpy(adaptive_combine(kind(image), kind(np.array([[3.0 + 0j]]))))
    np.testing.assert_allclose(combined, image[:, 0], rtol=1e-6)


def test_batches_and_blocks_of_rows_change_nothing(rng, monkeypatch):
    images, _, _ = coil_images(rng, coils=3, lead=(2, 1))
    maps = walsh_maps(images)
    assert maps.shape == images.shape
    np.testing.assert_array_equal(maps[1, 0], walsh_maps(images[1, 0]))
    monkeypatch.setattr(adaptive, "_ENTRIES", 3 * 3 * 54 * 10)
    np.testing.assert_allclose(likeness(walsh_maps(images), maps), 1, atol=1e-3)


def test_double_precision_and_zeros(rng):
    images = coil_images(rng)[0].astype(np.complex128)
    assert adaptive_combine(images).dtype == np.complex128
    empty = np.zeros((3, 16, 16), np.complex64)
    np.testing.assert_array_equal(adaptive_combine(empty), 0)
    np.testing.assert_allclose(np.linalg.norm(walsh_maps(empty), axis=0), 1, rtol=1e-6)


@pytest.mark.parametrize("block", [0, 4, 17])
def test_bad_blocks_are_refused(rng, block):
    with pytest.raises(ValueError, match=rf"block is {block}, expected an odd number .* 1 to 15"):
        walsh_maps(complex_array(rng, (3, 16, 15)), block=block)


def test_bad_images_and_covariances_are_refused(rng):
    images = complex_array(rng, (3, 16, 15))
    with pytest.raises(TypeError, match="coil_images is float32"):
        adaptive_combine(images.real)
    with pytest.raises(ValueError, match=r"3 coils on axis -3, but the matrix .* has 2"):
        adaptive_combine(images, 2 * np.eye(2))
    with pytest.raises(ValueError, match="not positive definite"):
        walsh_maps(images, np.diag([1.0, 1.0, -1.0]))


@pytest.mark.cuda
def test_the_gpu_gives_the_same_image(rng):
    images, _, inside = coil_images(rng)
    combined = adaptive_combine(torch.from_numpy(images).cuda())
    assert combined.is_cuda
    expected = np.abs(adaptive_combine(images))
    np.testing.assert_allclose(np.abs(to_numpy(combined))[inside], expected[inside], rtol=1e-2)
