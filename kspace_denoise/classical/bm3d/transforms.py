"""The small transforms that BM3D is made of, as matrices: of a block, and along a group."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kspace_denoise.scan import Numpy

_BIOR15_LOW = np.array([3, -3, -22, 22, 128, 128, 22, -22, -3, 3]) * 2**0.5 / 256


class BlockTransform(NamedTuple):
    """A separable transform of blocks, given as rows of `size²` pixels.

    `rows @ forward` are the coefficients, `coefficients @ inverse` the pixels again. Every
    analysis function has norm 1, so that white noise keeps its sigma.
    """

    forward: Tensor
    inverse: Tensor


def block_transform(name: str, size: int, like: Tensor) -> BlockTransform:
    """Return the transform `dct` or `bior1.5` of blocks of `size` x `size` pixels.

    Raises:
        ValueError: as `check_transform`.
    """
    check_transform(name, size)
    line = dct_matrix(size) if name == "dct" else bior15_matrix(size)
    analysis = np.kron(line, line)
    forward, inverse = analysis.T, np.linalg.inv(analysis).T
    return BlockTransform(*(torch.from_numpy(m.copy()).to(like) for m in (forward, inverse)))


def check_transform(name: str, size: int) -> None:
    """Refuse a transform of blocks that there is not.

    Raises:
        ValueError: if there is no such transform, or none of this size.
    """
    if name not in ("dct", "bior1.5"):
        raise ValueError(f"transform is {name!r}, expected 'dct' or 'bior1.5'")
    if name == "bior1.5" and size & (size - 1):
        raise ValueError(f"bior1.5 needs blocks of 2, 4, 8, ... pixels, not {size}; use 'dct'")


def dct_matrix(size: int) -> Numpy:
    """Return the orthonormal cosine transform (type II) of `size` samples, one function a row."""
    frequency, sample = np.arange(size)[:, None], np.arange(size)
    matrix = np.cos(np.pi * frequency * (2 * sample + 1) / (2 * size)) * np.sqrt(2 / size)
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix)


def bior15_matrix(size: int) -> Numpy:
    """Return the biorthogonal spline wavelets 1.5 over all scales, an analysis function a row.

    Filters of Cohen, Daubechies and Feauveau (Commun. Pure Appl. Math. 45:485, 1992), continued
    periodically. Every row is scaled to norm 1.
    """
    matrix, length = np.eye(size), size
    while length > 1:
        low, high = np.zeros((2, length // 2, length))
        for row in range(length // 2):
            for tap, value in enumerate(_BIOR15_LOW):
                low[row, (2 * row + tap - 4) % length] += value
            high[row, 2 * row : 2 * row + 2] = np.array([1, -1]) / np.sqrt(2)
        matrix[:length] = np.concatenate([low, high]) @ matrix[:length]
        length //= 2
    return np.asarray(matrix / np.linalg.norm(matrix, axis=1, keepdims=True))


def haar_matrix(size: int) -> Numpy:
    """Return the orthonormal Haar transform of `size` samples, a power of two; a function a row."""
    if size == 1:
        return np.ones((1, 1))
    coarse = np.kron(haar_matrix(size // 2), [1, 1])
    fine = np.kron(np.eye(size // 2), [1, -1])
    return np.asarray(np.concatenate([coarse, fine]) / np.sqrt(2))


@lru_cache(maxsize=64)
def group_transform(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the Haar transform along a group of `size` blocks."""
    return torch.from_numpy(haar_matrix(size)).to(device, dtype)


def kaiser_window(size: int, beta: float, like: Tensor) -> Tensor:
    """Return the window `(size²,)` that takes weight off the rim of a block."""
    line = np.kaiser(size, beta)
    return torch.from_numpy(np.outer(line, line).ravel()).to(like)
