"""The dominant eigenvectors of smooth matrix fields, against full decompositions."""

import numpy as np
import pytest
import torch

from kspace_denoise.recon import eigenmaps
from kspace_denoise.recon.eigenmaps import TOLERANCE, dominant_pair, fourier_rows


def positive_field(rng, coils, lags=5):
    """Fourier coefficients of the positive semidefinite field F(x) F(x)^H."""
    shape = (lags, lags, coils, coils)
    factor = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    full = 2 * lags - 1
    coefficients = np.zeros((full, full, coils, coils), complex)
    for y in range(lags):
        for x in range(lags):
            shifted = factor[y, x] @ factor.conj().swapaxes(-1, -2)
            block = coefficients[y : y + lags, x : x + lags]
            block += shifted[::-1, ::-1]
    return torch.from_numpy(coefficients / np.abs(coefficients).max())


def matrices_at(coefficients, grid):
    """The field at every pixel by its defining sum, (pixels, coils, coils)."""
    y, x = (
        torch.from_numpy(fourier_rows(n, s))
        for n, s in zip(coefficients.shape[:2], grid, strict=True)
    )
    field = torch.einsum("yl,xm,lmij->yxij", y, x, coefficients)
    return field.reshape(-1, *coefficients.shape[2:])


def residuals(field, pair):
    """|M v - lambda v| / lambda_1 of both vectors, (2, pixels)."""
    vectors = pair.vectors.to(torch.complex128)
    images = torch.einsum("pij,ajp->aip", field, vectors)
    error = images - pair.values[:, None] * vectors
    return torch.linalg.vector_norm(error, dim=1) / pair.values[0]


@pytest.mark.parametrize(("coils", "grid"), [(2, (60, 50)), (5, (33, 71)), (8, (64, 64))])
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_both_eigenvectors_are_exact_to_the_tolerance(rng, coils, grid, dtype):
    coefficients = positive_field(rng, coils)
    field = matrices_at(coefficients, grid)
    pair = dominant_pair(coefficients.to(dtype), grid, exact=2)
    assert pair.vectors.dtype == dtype
    assert residuals(field, pair).max() < 1.01 * TOLERANCE
    gram = torch.einsum("acp,bcp->pab", pair.vectors.conj(), pair.vectors)
    assert (gram - torch.eye(2)).abs().max() < 1e-5
    values = torch.linalg.eigvalsh(field)
    assert (pair.values[0] - values[:, -1]).abs().max() < 2e-5 * values.max()


def test_the_first_alone_is_exact_when_only_it_is_asked_for(rng):
    coefficients = positive_field(rng, 6)
    pair = dominant_pair(coefficients, (70, 66))
    assert residuals(matrices_at(coefficients, (70, 66)), pair)[0].max() < 1.01 * TOLERANCE


def test_nearly_equal_eigenvalues_still_give_eigenvectors(rng):
    """M = A(x) (I - 1e-3 u u^H): all eigenvalues are one but for 1e-3, where nothing converges."""
    coils, lags = 4, 5
    coefficients = 0 * positive_field(rng, coils, lags)
    u = torch.from_numpy(rng.standard_normal((coils, 1)) + 1j * rng.standard_normal((coils, 1)))
    u /= torch.linalg.vector_norm(u)
    centre = lags - 1
    coefficients[centre, centre] = torch.eye(coils) - 1e-3 * u @ u.mH
    pair = dominant_pair(coefficients, (60, 60), exact=2)
    assert residuals(matrices_at(coefficients, (60, 60)), pair).max() < 1e-3
    np.testing.assert_allclose(pair.values, 1, atol=1e-3)


def test_crossing_eigenvalues_exchange_the_vectors():
    """diag(1 + cos, 1 - cos, 0): the dominant vector jumps where the cosine changes sign."""
    coefficients = torch.zeros((3, 3, 3, 3), dtype=torch.complex128)
    coefficients[1, 1] = torch.diag(torch.tensor([1.0, 1.0, 0.0]))
    for lag in (0, 2):
        coefficients[1, lag] = torch.diag(torch.tensor([0.5, -0.5, 0.0]))
    grid = (40, 64)
    pair = dominant_pair(coefficients, grid, exact=2)
    cosine = np.tile(np.cos(2 * np.pi * (np.arange(64) - 32) / 64), 40)
    np.testing.assert_allclose(pair.values[0], 1 + np.abs(cosine), atol=1e-5)
    clear = np.abs(cosine) > 0.1
    dominant = pair.vectors[0].abs().argmax(0).numpy()
    np.testing.assert_array_equal(dominant[clear], np.where(cosine > 0, 0, 1)[clear])


def test_blocks_do_not_change_the_result(rng, monkeypatch):
    coefficients = positive_field(rng, 3)
    whole = dominant_pair(coefficients, (61, 47))
    monkeypatch.setattr(eigenmaps, "_BLOCK", 3 * 3 * 47 * 7)
    parts = dominant_pair(coefficients, (61, 47))
    np.testing.assert_allclose(parts.values[0], whole.values[0], rtol=1e-5)
    likeness = (whole.vectors[0].conj() * parts.vectors[0]).sum(0).abs()
    np.testing.assert_allclose(likeness, 1, atol=1e-4)


def test_a_field_of_zeros_gives_unit_vectors():
    pair = dominant_pair(torch.zeros((3, 3, 4, 4), dtype=torch.complex64), (48, 48), exact=2)
    np.testing.assert_array_equal(pair.values, 0)
    np.testing.assert_allclose(torch.linalg.vector_norm(pair.vectors, dim=1), 1, rtol=1e-6)
