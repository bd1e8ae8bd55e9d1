"""Phantom subjects scanned at low field with several coils, and what is behind the noise."""

from typing import NamedTuple

import numpy as np

from kspace_denoise import recon, sim
from kspace_denoise.fourier import ifft2c
from kspace_denoise.scan import Scan
from kspace_denoise.stages import Numpy

CONTRASTS = ("T1w", "T2w", "FLAIR", "PDw")
SOURCE_FIELD, FIELD = 3.0, 0.3  # tesla
COILS = 8
SHAPE = (128, 128)
SLICES = 4


class Subject(NamedTuple):
    """Repetitions of a low-field scan, the k-space without noise, the object mask."""

    scans: list[Scan]
    clean: Numpy
    mask: Numpy


def scan_phantom(seed: int, snr: float, repetitions: int = 1) -> Subject:
    """Scan phantoms at 3 T with 8 correlated coils, and take them to 0.3 T.

    `snr` is the mean SENSE magnitude over sigma in the object mask, at the low field. Anatomy,
    contrast and coil positions are drawn for each slice; the coils' noise is that of the subject.
    """
    heads = [
        sim.phantom(
            SHAPE, CONTRASTS[(seed + i) % len(CONTRASTS)], seed=1000 * seed + i, coils=COILS
        )
        for i in range(SLICES)
    ]
    psi = sim.array_covariance(COILS, seed=seed)
    ratio = FIELD / SOURCE_FIELD
    source = np.stack(
        [
            np.float32(snr / ratio / mean_snr(head.kspace, psi, head.mask)) * head.kspace
            for head in heads
            if head.kspace is not None
        ]
    )
    return Subject(
        scans=[_low_field(source, psi, seed=[seed, i]) for i in range(repetitions)],
        clean=source * ratio**2,
        mask=np.stack([head.mask for head in heads]),
    )


def mean_snr(kspace: Numpy, noise_covariance: Numpy, mask: Numpy) -> float:
    """Return the mean SNR in the mask of the SENSE image of noise-free k-space `(coils, ky, kx)`.

    The root sum of squares of whitened coil images is the SENSE magnitude in SNR units
    (Kellman and McVeigh, Magn. Reson. Med. 54:1439, 2005).
    """
    return float(recon.rss(ifft2c(recon.whiten(kspace, noise_covariance)))[mask].mean())


def _low_field(source: Numpy, psi: Numpy, seed: list[int]) -> Scan:
    """Add the noise of the source scan, then that of the low field."""
    generator = np.random.default_rng(seed)
    noisy = sim.add_noise(source, psi, seed=generator)
    low = sim.low_field(noisy, psi, field=FIELD, source_field=SOURCE_FIELD, seed=generator)
    return Scan(
        kspace=low.kspace,
        noise_covariance=low.noise_covariance,
        field_strength=FIELD,
        header={"low_field": low.record},
    )
