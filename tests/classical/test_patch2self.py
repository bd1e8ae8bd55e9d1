"""Patch2Self: a regression of every volume on the others."""

import numpy as np
import pytest

from kspace_denoise.classical import patch2self


def volumes(count: int = 5, sigma: float = 0.3, slices: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return mixtures of two maps, noisy and without noise, with blank voxels."""
    generator = np.random.default_rng(0)
    maps = generator.standard_normal((2, slices, 31, 29))
    weights = 1 + generator.random((count, 2))
    signal = np.einsum("vm,mzyx->vzyx", weights, maps) + 3
    noisy = signal + sigma * generator.standard_normal(signal.shape)
    noisy[..., :3] = signal[..., :3] = 0
    return noisy.astype(np.float32), signal


def test_it_is_least_squares_of_the_others() -> None:
    noisy, _ = volumes()
    clean = patch2self(noisy)
    used = noisy.any(axis=0)
    design = np.column_stack([noisy[[0, 1, 3, 4]][:, used].T, np.ones(used.sum())])
    best, *_ = np.linalg.lstsq(design, noisy[2][used], rcond=None)
    np.testing.assert_allclose(clean[2][used], design @ best, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(clean[:, ~used], 0)


@pytest.mark.parametrize("regression", ["ols", "ridge", "mlp"])
def test_it_takes_noise_away(regression: str) -> None:
    noisy, signal = volumes(4, 0.6, 32) if regression == "mlp" else volumes(12)
    error = np.mean((patch2self(noisy, regression) - signal) ** 2)
    part = 0.7 if regression == "mlp" else 0.5  # which has three volumes to learn from
    assert error < part * np.mean((noisy - signal) ** 2)


def test_it_sees_the_others_that_are_named_only() -> None:
    noisy, _ = volumes()
    others = np.array([[1], [0], [1], [1], [1]])
    changed = noisy.copy()
    changed[3] *= 2
    one, two = patch2self(noisy, others=others), patch2self(changed, others=others)
    np.testing.assert_array_equal(one[[0, 1, 2, 4]], two[[0, 1, 2, 4]])


def test_what_was_given_is_not_changed() -> None:
    noisy, _ = volumes()
    before = noisy.copy()
    patch2self(noisy)
    np.testing.assert_array_equal(noisy, before)


def test_bad_input() -> None:
    noisy, _ = volumes()
    with pytest.raises(TypeError, match="complex"):
        patch2self(noisy.astype(np.complex64))
    with pytest.raises(ValueError, match="'lasso', expected 'ols'"):
        patch2self(noisy, "lasso")
    with pytest.raises(ValueError, match="without its own"):
        patch2self(noisy, others=np.zeros((5, 1), int))
    with pytest.raises(ValueError, match="at least two"):
        patch2self(noisy[:1])
