"""Covariance and whitening against their distributions, on held-out samples."""

import h5py
import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.recon import noise_covariance, whiten, whitening_matrix
from kspace_denoise.recon.noise import combine_coils
from tests.helpers import assert_same_kind, complex_array, random_covariance


def correlated_noise(rng, psi, samples):
    """Noise (coils, samples) of covariance psi: E|n|² = 2 sigma² for a white unit draw."""
    root = np.linalg.cholesky(psi.astype(np.complex128)) / np.sqrt(2)
    return (root @ complex_array(rng, (len(psi), samples))).astype(np.complex64)


def test_white_noise_has_two_sigma_squared(rng, kind):
    noise = kind(3 * complex_array(rng, (4, 50, 400)))
    psi = noise_covariance(noise)
    assert_same_kind(psi, noise)
    psi = to_numpy(psi)
    assert psi.dtype == np.complex128
    # Each |entry| has the standard error 18 / sqrt(N).
    assert np.abs(psi - 18 * np.eye(4)).max() < 5 * 18 / np.sqrt(50 * 400)


def test_correlated_noise_gives_its_covariance_not_its_conjugate(rng):
    truth = random_covariance(rng, 5)
    samples = 100_000
    psi = noise_covariance(correlated_noise(rng, truth, samples))
    scale = np.sqrt(np.outer(np.diag(truth).real, np.diag(truth).real) / samples)
    assert (np.abs(psi - truth) < 5 * scale).all()
    assert (np.abs(psi - truth.conj()) > 5 * scale).any()


def test_the_mean_is_not_removed(rng):
    noise = complex_array(rng, (2, 5000)) + 3
    assert np.diag(noise_covariance(noise)).real == pytest.approx([11, 11], abs=1)


def test_single_and_double_precision_agree(rng):
    noise = 1e-6 * complex_array(rng, (3, 1000))
    np.testing.assert_allclose(
        noise_covariance(noise.astype(np.complex64)), noise_covariance(noise), rtol=1e-6
    )


def test_whitening_of_other_samples_follows_the_inverse_wishart(rng):
    coils, count = 4, 200
    truth = random_covariance(rng, coils)
    traces = []
    for _ in range(200):
        psi = noise_covariance(correlated_noise(rng, truth, count))
        white = whiten(correlated_noise(rng, truth, 2000).reshape(coils, 20, 100), psi)
        traces.append(np.mean(np.abs(white) ** 2))
    error = np.std(traces) / np.sqrt(len(traces))
    expected = 2 * count / (count - coils)
    assert abs(np.mean(traces) - expected) < 4 * error
    assert error < 0.01  # the bound above can tell 2 N / (N - coils) from 2


def test_whitened_noise_has_unit_sigma_per_component(rng, kind):
    psi = random_covariance(rng, 6)
    kspace = correlated_noise(rng, psi, 3 * 64 * 65).reshape(6, 3, 64, 65).swapaxes(0, 1)
    given = kind(kspace)
    white = whiten(given, kind(psi))
    assert_same_kind(white, given)
    np.testing.assert_array_equal(to_numpy(given), kspace)
    white = to_numpy(white)
    assert white.dtype == np.complex64
    assert white.shape == kspace.shape
    tolerance = 5 / np.sqrt(2 * white[:, 0].size)
    for component in (white.real, white.imag):
        assert component.std(axis=(0, 2, 3)) == pytest.approx(np.ones(6), abs=tolerance)
    measured = noise_covariance(white.swapaxes(0, 1))
    assert np.abs(measured - 2 * np.eye(6)).max() < 5 * 2 / np.sqrt(white[:, 0].size)


def test_numpy_covariance_serves_every_kind(rng, kind):
    kspace = kind(complex_array(rng, (2, 8, 8)))
    assert_same_kind(whiten(kspace, random_covariance(rng, 2)), kspace)


def test_whitening_matrix_is_hermitian_and_exact(rng, kind):
    psi = random_covariance(rng, 7)
    matrix = to_numpy(whitening_matrix(kind(psi)))
    np.testing.assert_allclose(matrix, matrix.conj().T, atol=1e-12)
    np.testing.assert_allclose(matrix @ psi @ matrix.conj().T, 2 * np.eye(7), atol=1e-5)


def test_one_coil_is_divided_by_sigma(rng):
    kspace = complex_array(rng, (1, 8, 9))
    np.testing.assert_allclose(whiten(kspace, np.array([[50.0]])), kspace / 5, rtol=1e-6)


def test_double_precision_stays(rng):
    kspace = complex_array(rng, (2, 8, 8)).astype(np.complex128)
    assert whiten(kspace, 2 * np.eye(2)).dtype == np.complex128
    np.testing.assert_allclose(whiten(kspace, 2 * np.eye(2)), kspace, rtol=1e-12)


def test_combine_coils_may_change_their_number(rng, kind):
    data = complex_array(rng, (3, 4, 5, 6))
    matrix = complex_array(rng, (2, 4))
    combined = to_numpy(combine_coils(kind(matrix), kind(data)))
    np.testing.assert_allclose(
        combined, np.einsum("ij,sjyx->siyx", matrix, data), rtol=1e-5, atol=1e-5
    )


def test_real_scan_whitens_its_other_half(real_data):
    with h5py.File(real_data / "noise_4ch_phantom_a.h5") as file:
        noise = file["noise"][:]
    for estimated, applied in ((noise[:, ::2], noise[:, 1::2]), (noise[:, 1::2], noise[:, ::2])):
        coils, count = estimated.shape
        white = whiten(applied[:, None, :], noise_covariance(estimated))[:, 0, :]
        psi = noise_covariance(white)
        expected = 2 * count / (count - coils)
        # Both halves are measured with N samples, so both errors count.
        error = expected * np.sqrt(2 / count)
        assert np.abs(psi - expected * np.eye(coils)).max() < 4 * error
        assert abs(np.diag(psi).real.mean() - expected) < 4 * error / np.sqrt(coils)


@pytest.mark.parametrize(
    ("noise", "error", "message"),
    [
        (np.ones((2, 9)), TypeError, "expected complex samples"),
        (np.ones(9, np.complex64), ValueError, r"shape \(9,\), expected \(coils, samples"),
        (np.ones((4, 3), np.complex64), ValueError, "3 samples for 4 coils"),
        (np.zeros((2, 9), np.complex64), ValueError, "zero everywhere"),
        (np.full((2, 9), np.nan + 0j), ValueError, "18 values that are NaN"),
    ],
)
def test_noise_covariance_refuses(noise, error, message):
    with pytest.raises(error, match=message):
        noise_covariance(noise)


@pytest.mark.parametrize(
    ("psi", "message"),
    [
        (np.ones((2, 3)), r"shape \(2, 3\), expected \(coils, coils\)"),
        (np.array([[2, 1], [0, 2.0]]), "not Hermitian"),
        (np.array([[2, 2], [2, 2.0]]), "not positive definite"),
        (np.diag([2.0, 0.0]), "not positive definite"),
        (-np.eye(2), "not positive definite"),
        (np.zeros((2, 2)), "not positive definite"),
        (np.diag([2.0, np.inf]), "1 values that are NaN or infinite"),
        (2 * np.eye(3), r"have 2 coils on axis -3, .*\(3, 3\) has 3"),
    ],
)
def test_whiten_refuses_a_bad_covariance(rng, psi, message):
    with pytest.raises(ValueError, match=message):
        whiten(complex_array(rng, (2, 8, 8)), psi)


@pytest.mark.parametrize(
    ("kspace", "error", "message"),
    [
        (np.ones((2, 8, 8)), TypeError, "expected complex64 or complex128"),
        (np.ones((8, 8), np.complex64), ValueError, r"expected \(\.\.\., coils, y, x\)"),
        (np.ones((2, 0, 8), np.complex64), ValueError, "without empty axes"),
        (np.full((2, 8, 8), np.inf + 0j), ValueError, "NaN or infinite"),
    ],
)
def test_whiten_refuses_bad_kspace(kspace, error, message):
    with pytest.raises(error, match=message):
        whiten(kspace, 2 * np.eye(2))
