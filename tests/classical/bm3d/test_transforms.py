import numpy as np
import pytest
import pywt
import torch

from kspace_denoise.classical.bm3d.transforms import (
    bior15_matrix,
    block_transform,
    dct_matrix,
    haar_matrix,
    kaiser_window,
)

LIKE = torch.zeros((), dtype=torch.float64)


@pytest.mark.parametrize("size", [1, 2, 8, 32])
def test_haar_is_orthonormal_and_starts_with_the_mean(size):
    matrix = haar_matrix(size)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(size), atol=1e-12)
    np.testing.assert_allclose(matrix[0], size**-0.5)


@pytest.mark.parametrize("size", [2, 7, 8, 11])
def test_cosines_are_orthonormal(size):
    matrix = dct_matrix(size)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(size), atol=1e-12)


def test_bior_is_that_of_pywavelets():
    # Up to the scale of a function, and a shift along its band, which is a matter of convention.
    ours, low, start = bior15_matrix(8), np.eye(8), 8
    while start > 1:
        low, high = pywt.dwt(low, "bior1.5", "periodization", axis=0)
        start //= 2
        _check_band(ours[start : 2 * start], high)
    _check_band(ours[:1], low)


def _check_band(ours, theirs):
    theirs = theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs(ours @ theirs.T).max(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(("name", "size"), [("dct", 8), ("dct", 5), ("bior1.5", 8), ("bior1.5", 4)])
def test_inverse_and_norms_of_block_transforms(name, size):
    transform = block_transform(name, size, LIKE)
    eye = torch.eye(size**2, dtype=torch.float64)
    torch.testing.assert_close(transform.forward @ transform.inverse, eye, atol=1e-10, rtol=0)
    torch.testing.assert_close(transform.forward.norm(dim=0), torch.ones(size**2).double())
    constant = torch.ones(size**2).double() @ transform.forward
    assert constant[0] == pytest.approx(size)
    assert constant[1:].abs().max() < 1e-10


def test_kaiser_window_is_symmetric_and_highest_inside():
    window = kaiser_window(8, 2.0, LIKE).view(8, 8)
    torch.testing.assert_close(window, window.flip(0, 1))
    assert window[0, 0] == window.min() > 0


def test_refuses_unknown_transforms_and_sizes():
    with pytest.raises(ValueError, match=r"expected 'dct' or 'bior1.5'"):
        block_transform("fourier", 8, LIKE)
    with pytest.raises(ValueError, match=r"bior1.5 needs blocks of 2, 4, 8, ... pixels, not 6"):
        block_transform("bior1.5", 6, LIKE)
