"""Images whose noise is correlated from pixel to pixel, the same all over."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kspace_denoise.objectives.stationary_batch import StationaryBatch
from kspace_denoise.recon.noise_correlation import (
    REACH,
    correlation_reach,
    noise_correlation,
    spectrum_correlation,
)
from kspace_denoise.scan import Images, Scan
from kspace_denoise.training.facts import checksum
from kspace_denoise.training.images import NoisyImages

_LOOKED_AT = 32
"""Images, that the correlation is measured on: more tell no more."""


@dataclasses.dataclass(frozen=True)
class StationaryImages:
    """Images, how their noise is correlated, `(2 reach + 1, 2 reach + 1)`, and what told that."""

    images: NoisyImages
    correlation: Tensor
    told_by: str = "flat areas of the images"

    @classmethod
    def measured(cls, images: NoisyImages) -> "StationaryImages":
        """Measure the correlation where the images are flat.

        Raises:
            ValueError: as `noise_correlation`.
        """
        return cls(images, measured_correlation(images))

    @classmethod
    def of(cls, images: NoisyImages, sources: Sequence[Scan | Images]) -> "StationaryImages":
        """Take the correlation from the k-space of scans whose noise spectrum is known, or measure.

        Raises:
            ValueError: as `measured`.
        """
        known = known_correlation(sources)
        return cls.measured(images) if known is None else cls(images, known, "noise in k-space")

    @property
    def channels(self) -> int:
        """2 for complex images, 1 for magnitudes."""
        return self.images.channels

    @property
    def contrasts(self) -> int:
        """How many other contrasts each slice comes with."""
        return self.images.contrasts

    def identity(self) -> dict[str, Any]:
        """Return what tells these images from others, ready for JSON."""
        return {**self.images.identity(), "correlation": checksum((self.correlation,))}

    def draw(self, count: int, patch: int, generator: torch.Generator) -> StationaryBatch:
        """Draw crops as `NoisyImages.draw`, with noise that is turned as they are."""
        batch, numbers = self.images.drawn(count, patch, generator)
        return StationaryBatch(**vars(batch), correlation=self.correlation, numbers=numbers)


def known_correlation(sources: Sequence[Scan | Images]) -> Tensor | None:
    """Return how the noise of fully sampled scans is correlated, of their mean over all slices.

    By the transform of its spectrum over k-space; None unless that is known of all.
    """
    total, slices = np.zeros((2 * REACH + 1,) * 2, np.complex128), 0
    for source in sources:
        if isinstance(source, Images) or source.mask is not None or source.noise_spectrum is None:
            return None
        ky, kx = source.kspace.shape[-2:]
        if min(ky, kx) < len(total):
            return None
        total += len(source.kspace) * spectrum_correlation(source.noise_spectrum, (ky, kx))
        slices += len(source.kspace)
    return torch.from_numpy((total / slices).astype(np.complex64))


def in_short(correlation: Tensor) -> list[list[float]]:
    """Return the correlation (its magnitude) of pixels up to four apart, down and across."""
    middle = len(correlation) // 2
    return [
        [round(float(abs(x)), 3) for x in square[middle, middle : middle + 5]]
        for square in (correlation.T, correlation)
    ]


def measured_correlation(images: NoisyImages) -> Tensor:
    """Return how the noise of images is correlated; those of one size are looked at together.

    Beyond its reach it is taken for none: what little is found there by chance, over so many
    distances, would add up to noise of low frequency.

    Raises:
        ValueError: as `noise_correlation`.
    """
    sizes = [tuple(image.shape) for image in images.images]
    largest = max(set(sizes), key=lambda size: size[0] * size[1] * sizes.count(size))
    alike = [x for x, size in zip(images.images, sizes, strict=True) if size == largest]
    found = noise_correlation(torch.stack(alike[:_LOOKED_AT]).numpy())
    away = np.abs(np.arange(-REACH, REACH + 1))
    near = np.maximum(away[:, None], away) <= correlation_reach(found) + 1
    dtype = np.complex64 if np.iscomplexobj(found) else np.float32
    return torch.from_numpy(np.where(near, found, 0).astype(dtype))
