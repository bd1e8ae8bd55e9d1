"""Magnitude images with real Gaussian noise, as the experiments on fastMRI have them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.quality.phantom import FIRST, SHAPE, SLICES, SUBJECTS
from benchmarks.quality.volumes import Numpy, Volume
from kspace_denoise import sim

CONTRASTS = ("PDw", "T2w")
"""Stand for fastMRI's proton density, without and with fat suppression."""
LEVELS = {13: 13 / 255, 25: 25 / 255}
"""Noise in images scaled to [0, 1]."""
REPETITIONS = 2
GENERATOR = 2
"""Raise it whenever what is drawn for a subject changes."""


def origin(level: int, split: str) -> dict[str, Any]:
    """Return everything that decides what the subjects of a split are."""
    return {
        "split": split,
        "first": _first(split),
        "subjects": SUBJECTS[split],
        "contrasts": list(CONTRASTS),
        "repetitions": REPETITIONS,
        "slices": SLICES,
        "shape": list(SHAPE),
        "level": level,
        "generator": GENERATOR,
    }


def volumes(
    level: int, split: str, subjects: int | None = None, shape: tuple[int, int] = SHAPE
) -> Iterator[Volume]:
    """Yield the subjects of a split in every contrast, not those of the other data sets."""
    first = _first(split)
    for number in range(first, first + (subjects or SUBJECTS[split])):
        for index, contrast in enumerate(CONTRASTS):
            heads = [
                np.abs(sim.phantom(shape, contrast, seed=1000 * number + i).image)
                for i in range(SLICES)
            ]
            yield noisy_volume(str(number), contrast, np.stack(heads), level, [number, index])


def _first(split: str) -> int:
    return FIRST[split] + 100_000_000


def noisy_volume(
    subject: str, contrast: str, magnitudes: Numpy, level: int, seed: list[int]
) -> Volume:
    """Scale magnitudes (slices, y, x) to a volume maximum of 1 and add noise; nothing is clipped.

    Scores are taken over the whole image with data range 1, the maximum of the volume.
    """
    truth = (magnitudes / magnitudes.max()).astype(np.float32)
    generator = np.random.default_rng([*seed, level])
    noise = generator.standard_normal((REPETITIONS, *truth.shape), np.float32)
    sigma = LEVELS[level]
    return Volume(subject, contrast, truth + np.float32(sigma) * noise, sigma, 1.0, truth)
