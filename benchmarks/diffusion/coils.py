"""Multi-coil phantom scans of the diffusion benchmarks."""

from collections.abc import Iterable

import numpy as np

import kspace_denoise as kd
from benchmarks.diffusion.phantoms import FIRST, SHAPE, Numpy, head, mask_record
from kspace_denoise import recon, sim
from kspace_denoise.fourier import ifft2c

COILS = 8
COIL_SIGMA = 0.02
"""Of a fully sampled SENSE image, about, whose largest value is 1."""
COIL_CALIBRATION = 12


def coil_scan(
    split: str,
    numbers: Iterable[int],
    sigma: float,
    kind: str,
    acceleration: float,
    calibration: int,
) -> tuple[kd.Scan, Numpy]:
    """Return slices of correlated coils, each with its own mask, and the truth `(slices, y, x)`.

    The truth is the root sum of squares of the coil images without noise, largest value 1. One
    covariance for all, of which the geometric mean over the coils is 2 `sigma`²: about that is
    the noise of a fully sampled SENSE image through maps of unit norm.
    """
    chosen = list(numbers)
    psi = sim.array_covariance(COILS, seed=FIRST[split])
    psi = psi * (2 * sigma**2 / np.exp(np.linalg.slogdet(psi)[1] / COILS))
    draw = np.random.default_rng
    kspace = np.empty((len(chosen), COILS, *SHAPE), np.complex64)
    truth = np.empty((len(chosen), *SHAPE), np.float32)
    masks = np.empty((len(chosen), 1, SHAPE[1]), bool)
    for row, number in enumerate(chosen):
        clean = head(split, number, COILS).kspace
        combined = recon.rss(ifft2c(clean))
        scale = 1 / combined.max()
        truth[row] = scale * combined
        masks[row] = sim.mask(
            kind, SHAPE, acceleration, calibration, draw([FIRST[split], number, 3])
        )[:1]
        noisy = sim.add_noise(scale * clean, psi, seed=draw([FIRST[split], number, 4]))
        kspace[row] = noisy * masks[row]
    header = mask_record(kind, acceleration, calibration)
    scan = kd.Scan(kspace=kspace, mask=masks, noise_covariance=psi, header=header)
    return scan, truth
