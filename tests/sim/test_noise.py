import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import ifft2c
from kspace_denoise.sim import add_noise, noise_like
from kspace_denoise.sim.noise import covariance_root
from tests.helpers import assert_same_kind, complex_array, random_covariance


def samples_of(noise):
    """Return noise (..., coils, ky, kx) as (coils, samples)."""
    return np.moveaxis(to_numpy(noise), -3, 0).reshape(noise.shape[-3], -1)


def check_covariance(noise, psi):
    """Check Ψ and that the noise is circular, at five standard errors per entry."""
    n = samples_of(noise).astype(np.complex128)
    level = np.sqrt(np.diag(psi).real)
    bound = 5 * np.outer(level, level) / np.sqrt(n.shape[1])
    assert np.all(np.abs(n @ n.conj().T / n.shape[1] - psi) < bound + 1e-12)
    assert np.all(np.abs(n @ n.T / n.shape[1]) < np.sqrt(2) * bound + 1e-12)


def test_added_noise_has_the_covariance(kind, rng):
    psi = random_covariance(rng, 5)
    clean = complex_array(rng, (3, 5, 63, 90))
    noisy = add_noise(kind(clean), kind(psi), seed=0)
    assert_same_kind(noisy, kind(clean))
    assert to_numpy(noisy).dtype == np.complex64
    check_covariance(to_numpy(noisy) - clean, psi)


def test_sigma_is_the_deviation_of_each_real_component():
    sigma, n = 0.7, 200 * 200
    noise = noise_like(np.zeros((1, 200, 200), np.complex64), np.array([[2 * sigma**2]]), seed=3)
    for part in (noise.real, noise.imag):
        assert abs(part.std() / sigma - 1) < 5 / np.sqrt(2 * n)
    assert abs(np.mean(np.abs(noise) ** 2) / (2 * sigma**2) - 1) < 5 / np.sqrt(n)


def test_samples_are_independent_of_each_other(rng):
    noise = noise_like(np.zeros((4, 2, 64, 65), np.complex64), random_covariance(rng, 2), seed=1)
    for axis in (0, -2, -1):
        a, b = np.delete(noise, -1, axis), np.delete(noise, 0, axis)
        level = np.mean(np.abs(noise) ** 2, axis=(0, 2, 3))
        correlation = np.mean(a * b.conj(), axis=(0, 2, 3)) / level
        assert np.all(np.abs(correlation) < 5 / np.sqrt(a[:, 0].size))


def test_singular_covariance_leaves_its_null_space_silent(rng):
    direction = complex_array(rng, (4, 1))
    psi = (direction @ direction.conj().T).astype(np.complex64)
    noise = noise_like(np.zeros((4, 40, 50), np.complex64), psi, seed=0)
    check_covariance(noise, psi)
    null = np.linalg.svd(direction.conj().T)[2][1:]
    assert np.abs(null @ samples_of(noise)).max() < 1e-3 * np.abs(noise).max()


def test_no_noise_for_a_zero_covariance(rng):
    clean = complex_array(rng, (2, 8, 8))
    np.testing.assert_array_equal(add_noise(clean, np.zeros((2, 2)), seed=0), clean)


def test_every_kind_gets_the_same_noise(kind, rng):
    psi, clean = random_covariance(rng, 3), complex_array(rng, (3, 9, 8))
    expected = add_noise(clean, psi, seed=5)
    np.testing.assert_allclose(to_numpy(add_noise(kind(clean), psi, seed=5)), expected, rtol=1e-4)


def test_seed_zero_is_a_seed_and_a_generator_moves_on(rng):
    clean, psi = np.zeros((2, 8, 8), np.complex64), random_covariance(rng, 2)
    np.testing.assert_array_equal(add_noise(clean, psi, 0), add_noise(clean, psi, 0))
    assert not np.array_equal(add_noise(clean, psi, 0), add_noise(clean, psi, 1))
    generator = np.random.default_rng(0)
    assert not np.array_equal(add_noise(clean, psi, generator), add_noise(clean, psi, generator))


def test_double_precision_stays_double_and_inputs_stay_unmodified(kind, rng):
    clean = complex_array(rng, (2, 8, 9)).astype(np.complex128)
    psi = random_covariance(rng, 2)
    given, covariance = kind(clean), kind(psi)
    mask = kind(rng.random((8, 9)) < 0.5)
    kept = to_numpy(mask).copy()
    noisy = add_noise(given, covariance, seed=0, mask=mask)
    assert to_numpy(noisy).dtype == np.complex128
    np.testing.assert_array_equal(to_numpy(given), clean)
    np.testing.assert_array_equal(to_numpy(covariance), psi)
    np.testing.assert_array_equal(to_numpy(mask), kept)


@pytest.mark.parametrize("shape", [(), (9,), (8, 1), (8, 9), (2, 1, 9), (2, 8, 9), (1, 8, 9)])
def test_only_acquired_samples_receive_noise(kind, rng, shape):
    clean = complex_array(rng, (2, 3, 8, 9))
    mask = np.asarray(rng.random(shape) < 0.5)
    noisy = to_numpy(add_noise(kind(clean), random_covariance(rng, 3), seed=0, mask=kind(mask)))
    kept = np.broadcast_to(np.broadcast_to(mask, (2, 8, 9))[:, None], clean.shape)
    np.testing.assert_array_equal(noisy == clean, ~kept)


def test_root_is_hermitian_and_squares_to_the_covariance(rng):
    psi = random_covariance(rng, 6).astype(np.complex128)
    root = covariance_root(psi, 6)
    np.testing.assert_allclose(root @ root, psi, atol=1e-6)
    np.testing.assert_allclose(root, root.conj().T, atol=1e-12)


def test_rejects_kspace_that_is_not_complex_or_lacks_coils():
    with pytest.raises(TypeError, match="dtype float32, expected complex64"):
        add_noise(np.zeros((1, 8, 8), np.float32), np.eye(1), 0)
    with pytest.raises(ValueError, match=r"shape \(8, 8\), expected \(\.\.\., coils"):
        add_noise(np.zeros((8, 8), np.complex64), np.eye(1), 0)


@pytest.mark.parametrize(
    ("psi", "message"),
    [
        (np.eye(3), r"shape \(3, 3\), expected \(2, 2\) for 2 coils"),
        (np.array([[1, np.nan], [np.nan, 1]]), "NaN"),
        (np.array([[1, 0.5j], [0.5j, 1]]), "not Hermitian"),
        (np.array([[1, 2], [2, 1]]), "negative eigenvalue -1"),
    ],
)
def test_rejects_what_is_no_covariance(psi, message):
    with pytest.raises(ValueError, match=message):
        add_noise(np.zeros((2, 8, 8), np.complex64), psi, 0)


@pytest.mark.parametrize("shape", [(7,), (8, 8), (3, 8, 9), (1, 2, 3, 8, 9)])
def test_rejects_a_mask_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"does not broadcast to \(2, 8, 9\)"):
        add_noise(np.zeros((2, 3, 8, 9), np.complex64), np.eye(3), 0, mask=np.ones(shape, bool))


@pytest.mark.cuda
def test_noise_stays_on_the_gpu(rng):
    import torch

    psi = random_covariance(rng, 4)
    kspace = torch.zeros((2, 4, 128, 128), dtype=torch.complex64, device="cuda")
    mask = torch.arange(128, device="cuda") % 2 == 0
    noisy = add_noise(kspace, psi, seed=0, mask=mask)
    assert noisy.device == kspace.device
    assert not noisy[..., ~mask].any()
    check_covariance(noisy[..., mask], psi)


def test_a_profile_shapes_the_noise_of_the_image_and_a_spectrum_that_of_kspace(kind, rng) -> None:
    psi = random_covariance(rng, 2)
    profile = np.linspace(0.4, 1.5, 24, dtype=np.float32)
    spectrum = np.r_[np.zeros(3), np.linspace(0.2, 2, 18)].astype(np.float32)[:, None]
    empty = kind(np.zeros((4000, 2, 21, 24), np.complex64))
    noise = to_numpy(noise_like(empty, psi, 3, noise_profile=profile, noise_spectrum=spectrum))
    level = np.diag(psi).real
    in_image = np.mean(np.abs(ifft2c(noise)) ** 2, axis=0) / level[:, None, None]
    in_kspace = np.mean(np.abs(noise) ** 2, axis=0) / level[:, None, None]
    error = 5 / np.sqrt(4000)  # five standard errors of a mean of exponential variables
    np.testing.assert_allclose(
        in_image, np.broadcast_to(profile**2 * spectrum.mean(), in_image.shape), rtol=error
    )
    np.testing.assert_allclose(
        in_kspace, np.broadcast_to(spectrum * np.mean(profile**2), in_kspace.shape), rtol=error
    )


@pytest.mark.parametrize("name", ["noise_profile", "noise_spectrum"])
def test_a_profile_that_does_not_fit_is_refused(name) -> None:
    kspace = np.zeros((1, 6, 8), np.complex64)
    with pytest.raises(ValueError, match=f"{name} of shape \\(6,\\) does not broadcast"):
        noise_like(kspace, np.eye(1), 0, **{name: np.ones(6)})
    with pytest.raises(ValueError, match=f"{name} holds values that are negative"):
        add_noise(kspace, np.eye(1), 0, **{name: -np.ones(8)})
