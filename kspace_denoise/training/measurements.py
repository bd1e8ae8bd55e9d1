"""What multi-coil scans measured, and how a batch of it is drawn."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from kspace_denoise import recon
from kspace_denoise.arrays import Array
from kspace_denoise.objectives.coil_batch import CoilBatch, Measured
from kspace_denoise.recon.sense_operator import (
    SenseOperator,
    sampling_mask,
    unit_maps,
    varying_axes,
)
from kspace_denoise.recon.spectral import noise_of_components
from kspace_denoise.recon.spectral_sense import SenseSampling, decompose
from kspace_denoise.recon.whitened import slices_of, whitened
from kspace_denoise.stages import spread_slices, whiten_slice
from kspace_denoise.symmetry import rotate_phase
from kspace_denoise.training.images import checksum
from kspace_denoise.training.lattice import lattice_within
from kspace_denoise.training.mask_density import mask_density
from kspace_denoise.training.spectra import scan_of, warn_of_loud, white_noise
from kspace_denoise.training.subjects import Subject


class Measurement(NamedTuple):
    """Whitened k-space and maps of unit norm (coils, ky, kx), the mask or None, and E[P].

    `rms` is the root mean square of the image's magnitude in that unit, in which sigma is 1.
    """

    kspace: Tensor
    maps: Tensor
    mask: Tensor | None
    density: Tensor
    rms: float


@dataclasses.dataclass(frozen=True)
class Measurements:
    """Slices of one matrix size, of any number of coils, whose masks may all differ."""

    slices: tuple[Measurement, ...]

    channels = 2
    contrasts = 0

    @classmethod
    def collect(cls, measurements: Iterable[Measurement]) -> "Measurements":
        """Collect slices.

        Raises:
            ValueError: if there is none, or sizes differ.
        """
        given = tuple(measurements)
        if not given:
            raise ValueError("nothing to train on: every slice is blank")
        shapes = sorted({tuple(one.kspace.shape[-2:]) for one in given})
        if len(shapes) > 1:
            raise ValueError(
                f"the scans have k-space of different sizes, {shapes}: whole images are learnt "
                "from, and a batch holds one size; train on one"
            )
        warn_of_loud([1 / one.rms for one in given])
        return cls(given)

    @property
    def largest_noise(self) -> float:
        """The noise up to which a scan shows as many components as its mask has samples.

        That of one coil, then, is the largest of all. The median of a few slices, in units of the
        root mean square of each image.
        """
        few = [self.slices[i] for i in spread_slices(len(self.slices))]
        return float(np.median([_reach(one) for one in few]))

    def identity(self) -> dict[str, Any]:
        """Return what tells these slices from others, and their order, ready for JSON."""
        kspace = (one.kspace for one in self.slices)
        return {"measurements": len(self.slices), "sum": checksum(kspace)}

    def draw(self, count: int, _patch: int, generator: torch.Generator) -> CoilBatch:
        """Draw `count` whole slices, each turned by a random phase, with their decompositions."""
        chosen = torch.randint(len(self.slices), (count,), generator=generator)
        angles = 2 * torch.pi * torch.rand(count, generator=generator)
        return CoilBatch(
            tuple(
                _in_unit(self.slices[int(index)], angle)
                for index, angle in zip(chosen, angles, strict=True)
            )
        )


def training_measurements(
    subjects: Iterable[Subject], calibration: int | None = None
) -> Iterator[Measurement]:
    """Yield what each slice of multi-coil scans measured, blank ones left out.

    Raises:
        ValueError: as `scan_of` and `white_noise`, if coil maps cannot be estimated, or a mask
            varies along both axes.
        recon.NoiseNotFound: if the noise of a scan is unknown and cannot be measured.
    """
    for scan in map(scan_of, subjects):
        noise = white_noise(scan)
        for index in range(len(scan.kspace)):
            kspace = scan.kspace[index]
            if not kspace.any():
                continue
            given = scan.slice_mask(index)
            _check_mask(sampling_mask(given, kspace))
            white, maps = whiten_slice(kspace, noise, given, calibration)
            (piece,) = slices_of(whitened(white, unit_maps(maps)[0], given, None))
            mask = np.ones((1, 1), bool) if given is None else given
            density = mask_density(scan, np.broadcast_to(mask, kspace.shape[-2:]))
            sampled = 1 if piece.mask is None else piece.mask
            yield Measurement(
                piece.kspace * sampled,
                piece.maps,
                piece.mask,
                torch.from_numpy(density),
                recon.signal_rms(white, given),
            )


def _in_unit(one: Measurement, angle: Tensor) -> Measured:
    """Return a slice in units of its image, turned by a phase."""
    return Measured(
        rotate_phase(one.kspace[None] / one.rms, angle[None])[0],
        1 / one.rms,
        one.density,
        SenseOperator(one.maps, one.mask),
        _shown(one),
    )


def _shown(one: Measurement) -> SenseSampling:
    """Decompose what a slice shows, by its lattice alone where it has one: a small problem."""
    if one.mask is None:
        return decompose(SenseOperator(one.maps))
    line = lattice_within(one.mask.reshape(-1))
    return decompose(SenseOperator(one.maps, line.reshape(one.mask.shape)))


def _reach(one: Measurement) -> float:
    """Return the noise up to which as many components are seen as the mask has samples."""
    noise = noise_of_components(_shown(one), 1 / one.rms).flatten()
    finite = noise[noise.isfinite()].sort().values
    share = 1.0 if one.mask is None else float(one.mask.mean())
    return float(finite[min(len(finite), max(1, round(share * noise.numel()))) - 1])


def _check_mask(mask: Array | None) -> None:
    if mask is not None and len(varying_axes(mask)) > 1:
        raise ValueError(
            "a mask varies along both axes, and what several coils see through it cannot be taken "
            "apart into components: train on scans whose masks are constant along one axis"
        )
