import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.recon.conjugate_gradient import conjugate_gradient
from tests.helpers import assert_same_kind, complex_array


def system(rng, batch, size):
    factors = complex_array(rng, (*batch, 2 * size, size)).astype(np.complex128)
    return factors.conj().swapaxes(-1, -2) @ factors / size


def test_each_image_of_a_batch_is_solved_as_if_alone(rng, kind):
    matrices = system(rng, (3,), 12)
    matrices[1] *= 1e6  # a common step size would not serve both
    truth = complex_array(rng, (3, 12, 1)).astype(np.complex128)
    b = matrices @ truth
    b[2] = 0
    given = kind(matrices)
    x = conjugate_gradient(lambda v: given @ v, kind(b), 1e-10, 100)
    assert_same_kind(x, given)
    truth[2] = 0
    np.testing.assert_allclose(to_numpy(x), truth, rtol=1e-7, atol=1e-9)
    alone = conjugate_gradient(lambda v: matrices[:1] @ v, b[:1], 1e-10, 100)
    np.testing.assert_allclose(to_numpy(x)[:1], alone, rtol=1e-9)


def test_a_singular_system_ends_at_the_least_norm(rng):
    factors = complex_array(rng, (5, 12)).astype(np.complex128)
    matrix = factors.conj().T @ factors
    b = matrix @ complex_array(rng, (12, 1))
    x = conjugate_gradient(lambda v: matrix @ v, b, 1e-12, 100)
    np.testing.assert_allclose(x, np.linalg.pinv(matrix) @ b, rtol=1e-6, atol=1e-9)


def test_the_residual_is_below_the_tolerance(rng):
    matrix = system(rng, (), 40)
    b = matrix @ complex_array(rng, (40, 1))
    for tolerance in (1e-2, 1e-6):
        x = conjugate_gradient(lambda v: matrix @ v, b, tolerance, 100)
        assert np.linalg.norm(matrix @ x - b) < 1.01 * tolerance * np.linalg.norm(b)


def test_a_preconditioner_changes_the_way_and_not_the_end(rng, kind):
    matrix = system(rng, (2,), 30) + np.diag(np.logspace(0, 4, 30))
    truth = complex_array(rng, (2, 30, 1)).astype(np.complex128)
    given, inverse = kind(matrix), kind(1 / np.logspace(0, 4, 30)[:, None])
    counts = []
    for precondition in (None, lambda v: inverse * v):
        calls = []

        def normal(v, calls=calls):
            calls.append(1)
            return given @ v

        x = conjugate_gradient(normal, kind(matrix @ truth), 1e-12, 200, precondition)
        assert_same_kind(x, given)
        np.testing.assert_allclose(to_numpy(x), truth, rtol=1e-6, atol=1e-6)
        counts.append(len(calls))
    assert counts[1] < counts[0] / 2


def test_too_few_iterations_warn_with_the_residual(rng):
    matrices = system(rng, (2,), 40)
    b = complex_array(rng, (2, 40, 1)).astype(np.complex128)
    b[0] = 0
    with pytest.warns(RuntimeWarning, match=r"1 of 2 images .* after 3 iterations") as caught:
        conjugate_gradient(lambda v: matrices @ v, b, 1e-8, 3)
    assert "wanted 1.0e-08" in str(caught[0].message)
