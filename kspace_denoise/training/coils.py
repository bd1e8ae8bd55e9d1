"""Coil images of fully sampled scans, and how two groups of coils are drawn from them."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import ifft2c
from kspace_denoise.objectives.coil2coil import Coil2Coil
from kspace_denoise.objectives.two_groups import TwoGroups
from kspace_denoise.scan import Scan
from kspace_denoise.stages import (
    coil_sigma,
    in_snr_units,
    known_noise,
    whiten_slice,
)
from kspace_denoise.symmetry import SYMMETRIES, rotate_phase, turn
from kspace_denoise.training.facts import checksum, signal_scale
from kspace_denoise.training.images import integers, window
from kspace_denoise.training.subjects import Recipe, Subject


class Coils(NamedTuple):
    """Whitened coil images of one slice and the maps that they were seen through, complex64.

    Both `(coils, y, x)`; the noise of the images is 1 per real component and independent.
    """

    images: Tensor
    maps: Tensor


@dataclasses.dataclass(frozen=True)
class CoilImages:
    """Slices of several coils, of any sizes and numbers of coils, for `objective`."""

    slices: tuple[Coils, ...]
    objective: Coil2Coil

    channels = 2
    contrasts = 0

    @classmethod
    def collect(cls, slices: Iterable[Coils], objective: Coil2Coil) -> "CoilImages":
        """Collect slices.

        Raises:
            ValueError: if there is none.
        """
        given = tuple(slices)
        if not given:
            raise ValueError("nothing to train on: every slice is blank")
        return cls(given, objective)

    def identity(self) -> dict[str, Any]:
        """Return what tells these slices from others, and their order, ready for JSON."""
        parts = {"sum": (x.images for x in self.slices), "maps": (x.maps for x in self.slices)}
        sums = {name: checksum(tensors) for name, tensors in parts.items()}
        return {"slices": len(self.slices), **sums}

    def draw(self, count: int, patch: int, generator: torch.Generator) -> TwoGroups:
        """Draw `count` slices, two groups of coils for each, and a crop of both; see `NoisyImages`.

        The unit is the root mean square of the first group's image.
        """
        chosen = [self.slices[i] for i in integers(len(self.slices), count, generator)]
        side = min(patch, *(min(one.images.shape[1:]) for one in chosen))
        drawn = [self._one(one, side, generator) for one in chosen]
        image, other, ratio, scale = (torch.stack(x) for x in zip(*drawn, strict=True))
        angle = 2 * torch.pi * torch.rand(count, generator=generator)
        sigma = 1 / scale
        unit = sigma[:, None, None]
        return TwoGroups(
            rotate_phase(image * unit, angle),
            sigma,
            other=rotate_phase(other * unit, angle),
            ratio=ratio,
        )

    def _one(self, one: Coils, side: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        order = torch.randperm(len(one.images), generator=generator)
        size = self._size(len(order), generator)
        first, strength = combined(one, order[:size])
        other, beside = combined(one, order[size:])
        ratio = torch.where(strength > 0, (beside / strength.clamp(min=1e-30)).sqrt(), 0)
        place = window(first.shape, side, generator)
        (number,) = integers(SYMMETRIES, 1, generator)
        cut = (turn(x[place], number) for x in (first, other, ratio))
        return (*cut, signal_scale(first))

    def _size(self, coils: int, generator: torch.Generator) -> int:
        """Return how many coils the first group has."""
        if self.objective.halves:
            return coils // 2
        least = min(coils - 1, max(1, round(self.objective.smallest * coils)))
        return least + integers(coils - least, 1, generator)[0]


def combined(one: Coils, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Return the image of some coils, with noise of 1, and Σ|s|² over them, `(y, x)`."""
    maps = one.maps[chosen]
    strength = maps.abs().square().sum(0)
    seen = (maps.conj() * one.images[chosen]).sum(0)
    return seen / strength.sqrt().clamp(min=1e-15), strength


def training_coils(subjects: Iterable[Subject], recipe: Recipe) -> Iterator[Coils]:
    """Yield the coil images of every slice that is not blank; see `known_subjects`.

    Raises:
        ValueError: if something is no scan of two or more coils, or not fully sampled.
    """
    for number, subject in enumerate(subjects, 1):
        scan = subject.source
        if not isinstance(scan, Scan) or scan.kspace.shape[1] < 2:
            raise ValueError(
                f"coil2coil lets some coils predict others, and scan {number} has only one, or is "
                "images: train c2s, to which one coil is enough"
            )
        if scan.mask is not None and not np.all(scan.mask):
            raise ValueError(
                f"coil2coil compares the images of coils, and scan {number} is undersampled: they "
                "alias; train c2s, or gsure, which learn from undersampled scans"
            )
        noise = known_noise(scan)
        for index in range(len(scan.kspace)):
            kspace = scan.kspace[index]
            if not kspace.any():
                continue
            white, maps = whiten_slice(kspace, noise, None, recipe.calibration)
            sigma = coil_sigma(white, noise)
            images = in_snr_units(ifft2c(white), sigma)
            yield Coils(_tensor(images), _tensor(in_snr_units(maps, sigma)))


def _tensor(array: Any) -> Tensor:
    return torch.from_numpy(np.array(to_numpy(array), np.complex64))
