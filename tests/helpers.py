"""Checks that many tests share."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kspace_denoise.arrays import to_numpy


def complex_array(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return complex64 noise with sigma = 1 per component."""
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def random_covariance(rng: np.random.Generator, coils: int) -> np.ndarray:
    """Return a well-conditioned, strongly correlated complex covariance of unequal coils."""
    mixing = complex_array(rng, (coils, coils)) + 2 * np.eye(coils)
    return (mixing @ mixing.conj().T / coils).astype(np.complex64)


def check_adjoint(
    forward: Callable[[Any], Any], adjoint: Callable[[Any], Any], x: Any, y: Any, rtol: float = 1e-5
) -> None:
    """Check <A x, y> = <x, Aᴴ y> and that the shapes close the circle."""
    ax, ahy = to_numpy(forward(x)), to_numpy(adjoint(y))
    x, y = to_numpy(x), to_numpy(y)
    assert ax.shape == y.shape
    assert ahy.shape == x.shape
    left, right = np.vdot(y, ax), np.vdot(ahy, x)
    scale = np.linalg.norm(ax) * np.linalg.norm(y)
    assert abs(left - right) <= rtol * scale


def assert_same_kind(result: Any, reference: Any) -> None:
    """Check that a function returned the kind of array that it was given."""
    assert type(result).__module__.split(".")[0] == type(reference).__module__.split(".")[0]
