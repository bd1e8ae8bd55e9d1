"""Lines put into the k-space of an image."""

import numpy as np

from kspace_denoise.formats.mrd.acquisitions import Arrangement
from kspace_denoise.scan import Numpy


def fill_image(lines: Numpy, ky: Numpy, found: Arrangement, shape: tuple[int, int]) -> Numpy:
    """Return k-space `(coils, ky, kx)` of lines `(n, coils, samples)`, averages as their mean.

    `ky` has the place of each line; what was not acquired is 0.
    """
    kspace = np.zeros((found.shape[0], *shape), np.complex64)
    where = slice(found.kx, found.kx + found.width)
    counts = np.bincount(ky, minlength=shape[0])
    for line, values in zip(ky, lines[..., found.samples], strict=True):
        kspace[:, line, where] += values
    if counts.max() > 1:
        kspace /= np.maximum(counts, 1)[:, None].astype(np.float32)
    return kspace


def sampled(found: Arrangement, shape: tuple[int, int]) -> tuple[Numpy, Numpy | None]:
    """Return how often each line `(images, ky)` was acquired, and the mask, None if it is full.

    The mask is `(images, ky, 1)`, or `(ky, 1)` where it is that of all images; with kx where
    echoes are partial.
    """
    counts = np.zeros((len(found.images), shape[0]), np.int64)
    np.add.at(counts, (found.image, found.ky), 1)
    mask = (counts > 0)[..., None]
    if found.width < shape[1]:
        echo = np.zeros(shape[1], bool)
        echo[found.kx : found.kx + found.width] = True
        mask = mask & echo
    if mask.all():
        return counts, None
    return counts, mask[0] if np.all(mask == mask[0]) else mask
