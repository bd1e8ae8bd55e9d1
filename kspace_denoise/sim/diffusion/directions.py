"""Which way diffusion is measured: gradient schemes of one shell or several."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.optimize import minimize

from kspace_denoise.random import Seed, numpy_generator

Reals: TypeAlias = np.ndarray[Any, Any]


class GradientScheme(NamedTuple):
    """What each volume of a diffusion scan measures."""

    bval: Reals
    """s/mm², float64 `(volumes,)`."""
    bvec: Reals
    """Unit vectors along the axes (x, y, z) of the image, float64 `(volumes, 3)`; 0 where b = 0."""


def gradient_scheme(
    directions: int, bval: float = 1000.0, b0: int = 4, seed: Seed = 0
) -> GradientScheme:
    """Return a shell of directions spread over the sphere, with volumes of b = 0 among them.

    Directions and their opposites repel each other as charges do (Jones, Horsfield, Simmons,
    Magn Reson Med 42:515, 1999). The volumes of b = 0 are spread evenly, the first at the start.

    Raises:
        ValueError: if there is no direction, b0 is negative or bval not positive.
    """
    if directions < 1 or b0 < 0 or not 0 < bval < np.inf:
        raise ValueError(
            f"directions is {directions}, b0 {b0} and bval {bval}: expected at least 1, at least "
            "0, and a positive number of s/mm²"
        )
    vectors = _spread(directions, numpy_generator(seed))
    volumes = directions + b0
    weighted = np.ones(volumes, bool)
    weighted[np.arange(b0) * volumes // max(b0, 1)] = False
    bvals, bvecs = np.zeros(volumes), np.zeros((volumes, 3))
    bvals[weighted], bvecs[weighted] = bval, vectors
    return GradientScheme(bvals, bvecs)


def _spread(count: int, generator: np.random.Generator) -> Reals:
    """Return `count` unit vectors that, with their opposites, repel each other."""
    start = generator.standard_normal((count, 3))

    def energy(flat: Reals) -> tuple[float, Reals]:
        free = flat.reshape(count, 3)
        length = np.linalg.norm(free, axis=1, keepdims=True)
        unit = free / length
        total, push = 0.0, np.zeros_like(unit)
        for sign in (1, -1):
            apart = unit[:, None] - sign * unit
            distance = np.linalg.norm(apart, axis=-1) + np.eye(count) * 1e9
            total += float((1 / distance).sum())
            push -= 2 * (apart / distance[..., None] ** 3).sum(axis=1)
        push -= (push * unit).sum(axis=1, keepdims=True) * unit
        return total, (push / length).ravel()

    found = minimize(energy, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    vectors = found.x.reshape(count, 3)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
