"""Scans and images that are taken for clean, as a prior learns from them."""

import dataclasses
import warnings

import numpy as np

from kspace_denoise.contrasts import Source, with_known_noise
from kspace_denoise.recon import NoiseNotFound
from kspace_denoise.scan import Images
from kspace_denoise.stages import KnownNoise, with_noise

SHARE = 1e-3
"""The noise that stands for none, over the root mean square of the image."""


def with_noise_or_next_to_none(source: Source) -> Source:
    """Return a scan or images with the noise that is known or found, else with next to none.

    That is white, and a thousandth of the signal in the first slice that holds any: the unit of the
    images, no more; coils then count by their sensitivity alone. A warning says so.

    Raises:
        ValueError: if a scan has a trajectory.
    """
    stored = source.sigma if isinstance(source, Images) else source.noise_covariance
    if stored is not None and np.any(stored):
        return source
    if stored is None and not isinstance(source, Images):
        try:
            return with_known_noise(source, "training")
        except NoiseNotFound:
            pass
    return _with_next_to_none(source)


def _with_next_to_none(source: Source) -> Source:
    warnings.warn(
        "the noise of this data is not known: it is taken for clean, and its unit for a thousandth "
        "of its root mean square",
        UserWarning,
        stacklevel=3,
    )
    if isinstance(source, Images):
        rms = float(np.sqrt(np.mean(np.abs(source.data) ** 2)))
        return dataclasses.replace(source, sigma=SHARE * rms)
    slices = (source.kspace[index] for index in range(len(source.kspace)))
    first = next((kspace for kspace in slices if kspace.any()), np.ones((1, 1, 1)))
    power = float(np.mean(np.sum(np.abs(first) ** 2, axis=0)))
    covariance = 2 * SHARE**2 * power * np.eye(source.kspace.shape[1])
    return with_noise(source, KnownNoise(covariance, source="taken for clean"))
