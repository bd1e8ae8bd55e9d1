"""Density compensation: the area of k-space that each sample of a trajectory stands for."""

import numpy as np

from kspace_denoise.arrays import Array, like, real_dtype, to_numpy
from kspace_denoise.nufft import Nufft, check_trajectory

_ACCURACY = 1e-5


def density_compensation(trajectory: Array, shape: tuple[int, ...], iterations: int = 10) -> Array:
    """Return weights `(readouts, samples)`, real and positive, of the kind of `trajectory`.

    A weight is the area of k-space, in (cycles per field of view)², that its sample stands for: 1
    on a full Cartesian grid, and in all the area that is covered, π/4 · ny · nx for full spokes. So
    the adjoint transform of weighted samples is the image, as far as the trajectory covers its
    k-space; where readouts lie further apart than one cycle a sample counts for no more than about
    one, and the image is darker than it should be, with streaks.

    The weights w are those for which w convolved with a kernel is 1 at all samples (Pipe and Menon,
    Magn. Reson. Med. 41:179, 1999). The kernel is the transform of the field of view's own
    autocorrelation: it is as wide as one image, and never negative, so `iterations` cannot diverge.

    Args:
        trajectory: `(readouts, samples, 2)` in cycles per field of view, (ky, kx) last.
        shape: of the image, (ny, nx).
        iterations: 10 leave 0.6 % of error in the image of 402 spokes of 512 samples.

    Raises:
        TypeError: if the positions are not real floating-point numbers.
        ValueError: if the trajectory does not fit the shape, or there are no iterations.
    """
    check_trajectory(trajectory, shape)
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}, expected at least 1")
    ny, nx = shape
    doubled = Nufft(2 * to_numpy(trajectory), (2 * ny, 2 * nx), "finufft", _ACCURACY)
    y, x = (1 - np.abs(np.arange(2 * n) - n) / n for n in shape)
    overlap = np.asarray(4 * y[:, None] * x, dtype=np.float32)  # 4: the scale of the doubled grid
    weights = np.ones(doubled.sampled, np.complex64)
    for _ in range(iterations):
        blurred = doubled.forward(overlap * doubled.adjoint(weights))
        weights /= np.abs(blurred)
    return like(weights.real, trajectory, real_dtype(trajectory))
