"""From repetitions of a multi-coil scan to a volume of complex SENSE images in SNR units."""

from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.quality.volumes import Numpy, Volume
from kspace_denoise import metrics
from kspace_denoise.arrays import to_numpy
from kspace_denoise.phase import smooth_phase
from kspace_denoise.scan import Scan
from kspace_denoise.stages import (
    KnownNoise,
    in_snr_units,
    known_noise,
    reconstruct_slice,
    through_maps,
)

PHASE_WIDTH, PHASE_PASSES = 16.0, 6
"""Pixels of the Gaussian that a phase between repetitions is averaged over, and how often."""


def reconstruct(
    subject: str,
    contrast: str,
    scans: Sequence[Scan],
    noise_free: Scan | None = None,
    align: bool = False,
) -> Volume:
    """Reconstruct all repetitions through the coil maps that the first one shows.

    All images are in the SNR units of the first: divided by its noise map. The object mask is
    drawn on the noise-free image, else on the mean of all repetitions; the data range is the
    largest magnitude of that image in the mask, one number for all slices. With `align`, further
    repetitions are turned into the phase of the first (see `in_phase`).
    """
    noises = [known_noise(scan) for scan in scans]
    slices = [
        _slice([scan.kspace[i] for scan in scans], noises, noise_free, i)
        for i in range(len(scans[0].kspace))
    ]
    images = np.stack([noisy for noisy, _ in slices], axis=1)
    if align:
        images = np.stack([images[0], *(in_phase(image, images[0]) for image in images[1:])])
    truths = [clean for _, clean in slices if clean is not None]
    truth = np.stack(truths) if truths else None
    best = images.mean(axis=0) if truth is None else truth
    mask = metrics.object_mask(np.abs(best))
    data_range = float(np.abs(best)[mask].max())
    return Volume(subject, contrast, images, 1.0, data_range, truth, mask)


def in_phase(images: Numpy, first: Numpy) -> Numpy:
    """Turn complex images (slices, y, x) by a smooth phase into that of others of the same object.

    Repetitions of M4Raw differ by phases that vary slowly over the image, and their complex mean
    loses signal. The phase is that of their product, averaged over a Gaussian. A narrow one would
    follow the noise, and so turn the noise of a repetition towards that of the first: with a
    standard deviation of w pixels, taken once, an error against the mean of the others loses
    3 / (8 pi w²) of its noise power where there is signal, so that w must be well above 7 for
    0.01 dB. A wide one does not follow a slope at the border of the object, where it averages over
    one side. Taking off what is left again mends that for little noise: 6 passes of 16 pixels cost
    0.007 dB, and leave a phase of a few rad over the image wrong by less than 5 % of the power of
    the noise at a signal of 20 sigma. In air the noise of a repetition comes out correlated with
    that of the first, by about 0.02.
    """
    turned, reference = torch.from_numpy(images), torch.from_numpy(first)
    for _ in range(PHASE_PASSES):
        turned = turned * smooth_phase(turned * reference.conj(), PHASE_WIDTH).conj()
    return np.asarray(turned.numpy())


def _slice(
    kspaces: Sequence[Numpy], noises: Sequence[KnownNoise], noise_free: Scan | None, index: int
) -> tuple[Numpy, Numpy | None]:
    """Return the images (repetitions, y, x) of one slice, and its noise-free image (y, x)."""
    first = reconstruct_slice(kspaces[0], noises[0])
    sigma = to_numpy(first.sigma)
    images = [in_snr_units(first.image, sigma)]
    for kspace, noise in zip(kspaces[1:], noises[1:], strict=True):
        images.append(in_snr_units(through_maps(kspace, noise, first, noises[0]).image, sigma))
    if noise_free is None:
        return np.stack(images), None
    clean = through_maps(noise_free.kspace[index], noises[0], first, noises[0])
    return np.stack(images), in_snr_units(clean.image, sigma)
