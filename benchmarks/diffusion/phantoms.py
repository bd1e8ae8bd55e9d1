"""Phantom slices of the diffusion benchmarks: one coil or several, and the masks of the paper.

A slice is scaled to a largest magnitude of 1, as in the GSURE paper; sigma, the noise of each real
component, is in that unit. Contrasts take turns.
"""

from typing import Any, NamedTuple

import numpy as np

import kspace_denoise as kd
from kspace_denoise import sim
from kspace_denoise.fourier import fft2c

Numpy = np.ndarray[Any, Any]

SHAPE = (128, 128)
CONTRASTS = ("T1w", "T2w", "PDw", "FLAIR")
SIGMA = 0.01
FIRST = {"train": 2_000_000, "validation": 2_900_000, "test": 3_000_000}
"""Seed of the first slice of a split."""
TRAINING = 1024
"""Number of training slices."""


class Head(NamedTuple):
    """The truth `(y, x)`, largest magnitude 1, the head's mask, and k-space `(coils, ky, kx)`."""

    image: Numpy
    inside: Numpy
    kspace: Numpy


def head(split: str, number: int, coils: int = 1) -> Head:
    """Return slice `number` of a split, without noise; of one coil: of the truth itself."""
    drawn = sim.phantom(
        SHAPE,
        CONTRASTS[number % len(CONTRASTS)],
        seed=FIRST[split] + number,
        coils=0 if coils == 1 else coils,
    )
    scale = np.float32(1 / np.abs(drawn.image).max())
    image = (scale * drawn.image).astype(np.complex64)
    if drawn.kspace is None:
        return Head(image, drawn.mask, fft2c(image)[None])
    return Head(image, drawn.mask, (scale * drawn.kspace).astype(np.complex64))


def calibration_of(acceleration: float) -> int:
    """Return the paper's 30 of 320 lines up to R = 8, 12 of 320 above, of ours."""
    return round((30 if acceleration <= 8 else 12) / 320 * SHAPE[1])


def mask_record(kind: str, acceleration: float, calibration: int) -> dict[str, Any]:
    """Return a header that tells how masks were drawn, as `simulate` writes it."""
    said = {
        "mask": kind,
        "acceleration": acceleration,
        "calibration": calibration,
        "mask_axis": -1,
    }
    return {"provenance": {"parameters": said}}


def single_coil(split: str, count: int, sigma: float, acceleration: float | None) -> kd.Scan:
    """Return slices of one coil with noise, and undersampled by a mask of its own each.

    `acceleration` None: every sample, and without noise where sigma is 0 (the covariance then
    is that of a negligible noise).
    """
    clean = np.stack([head(split, number).kspace for number in range(count)])
    psi = np.array([[2 * max(sigma, 1e-6) ** 2]])
    noisy = (
        sim.add_noise(clean, psi, seed=np.random.default_rng([FIRST[split], 1])) if sigma else clean
    )
    if acceleration is None:
        return kd.Scan(kspace=noisy, noise_covariance=psi)
    size = calibration_of(acceleration)
    seeds = [np.random.default_rng([FIRST[split], number, 2]) for number in range(count)]
    masks = np.stack([sim.mask("gsure", SHAPE, acceleration, size, seed)[:1] for seed in seeds])
    header = mask_record("gsure", acceleration, size)
    return kd.Scan(kspace=noisy * masks[:, None], mask=masks, noise_covariance=psi, header=header)
