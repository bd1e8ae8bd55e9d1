"""From repetitions of a multi-coil scan to a volume of complex SENSE images in SNR units."""

from collections.abc import Sequence

import numpy as np

from benchmarks.quality.volumes import Numpy, Volume
from kspace_denoise import metrics
from kspace_denoise.arrays import to_numpy
from kspace_denoise.scan import Scan
from kspace_denoise.stages import (
    KnownNoise,
    in_snr_units,
    known_noise,
    reconstruct_slice,
    through_maps,
)


def reconstruct(
    subject: str, contrast: str, scans: Sequence[Scan], noise_free: Scan | None = None
) -> Volume:
    """Reconstruct all repetitions through the coil maps that the first one shows.

    All images are in the SNR units of the first: divided by its noise map. The object mask is
    drawn on the noise-free image, else on the mean of all repetitions; the data range is the
    largest magnitude of that image in the mask, one number for all slices.
    """
    noises = [known_noise(scan) for scan in scans]
    slices = [
        _slice([scan.kspace[i] for scan in scans], noises, noise_free, i)
        for i in range(len(scans[0].kspace))
    ]
    images = np.stack([noisy for noisy, _ in slices], axis=1)
    truths = [clean for _, clean in slices if clean is not None]
    truth = np.stack(truths) if truths else None
    best = images.mean(axis=0) if truth is None else truth
    mask = metrics.object_mask(np.abs(best))
    data_range = float(np.abs(best)[mask].max())
    return Volume(subject, contrast, images, 1.0, data_range, truth, mask)


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
