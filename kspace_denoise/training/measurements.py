"""What multi-coil scans measured, and how a batch of it is drawn."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from kspace_denoise import recon
from kspace_denoise.objectives.coil_batch import CoilBatch, Measured
from kspace_denoise.recon.sense_operator import SenseOperator, sampling_mask, unit_maps
from kspace_denoise.recon.spectral import noise_of_components
from kspace_denoise.recon.spectral_sense import SenseSampling, decompose
from kspace_denoise.recon.whitened import slices_of, whitened
from kspace_denoise.scan import Numpy
from kspace_denoise.spectral_stage import check_decomposable, sampled
from kspace_denoise.stages import spread_slices, whiten_slice
from kspace_denoise.symmetry import rotate_phase
from kspace_denoise.training.facts import checksum
from kspace_denoise.training.lattice import lattice_within
from kspace_denoise.training.mask_density import mask_density, mean_density
from kspace_denoise.training.spectra import scan_of, warn_of_loud, white_noise
from kspace_denoise.training.subjects import Subject

_BYTES_KEPT = 2**30


class Measurement(NamedTuple):
    """Whitened k-space and maps of unit norm (coils, ky, kx), complex64, and the mask or None.

    `rms` is the root mean square of the image's magnitude in that unit, in which sigma is 1;
    `density` (ky, kx) is E[P] where it is known.
    """

    kspace: Tensor
    maps: Tensor
    mask: Tensor | None
    density: Tensor | None
    rms: float


@dataclasses.dataclass(frozen=True)
class Measurements:
    """Slices of one matrix size, of any number of coils, whose masks may all differ.

    `by_lattice`: of masks that hold a lattice only that is decomposed, see `lattice_within`.
    """

    slices: tuple[Measurement, ...]
    by_lattice: bool = True

    channels = 2
    contrasts = 0

    @classmethod
    def collect(
        cls, measurements: Iterable[Measurement], by_lattice: bool = True
    ) -> "Measurements":
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
        warn_of_loud([1 / one.rms for one in given], "little is to be learnt of them")
        return cls(given, by_lattice)

    def with_density(self) -> "Measurements":
        """Return the slices with a density each: their own, or that of all of them.

        Their own where all are known and positive everywhere. Else what stands for the mean over
        all is the mean over their masks.

        Raises:
            ValueError: if some positions were never sampled.
        """
        grid = self.slices[0].kspace.shape[-2:]
        masks = [_full(one.mask, grid) for one in self.slices]
        known = [None if one.density is None else one.density.numpy() for one in self.slices]
        mean = torch.from_numpy(mean_density(known, masks))
        if all(density is not None and density.all() for density in known):
            return self
        return dataclasses.replace(
            self, slices=tuple(one._replace(density=mean) for one in self.slices)
        )

    @property
    def largest_noise(self) -> float:
        """The noise up to which a scan shows as many components as its mask has samples.

        That of one coil, then, is the largest of all. The median of a few slices, in units of the
        root mean square of each image.
        """
        few = spread_slices(len(self.slices))
        return float(np.median([_reach(self.slices[i], self.shown(i)) for i in few]))

    def identity(self) -> dict[str, Any]:
        """Return what tells these slices from others, and their order, ready for JSON."""
        parts = {
            "sum": (one.kspace for one in self.slices),
            "maps": (one.maps for one in self.slices),
            "density": (one.density for one in self.slices if one.density is not None),
        }
        return {
            "measurements": len(self.slices),
            **{name: checksum(tensors) for name, tensors in parts.items()},
        }

    def draw(self, count: int, _patch: int, generator: torch.Generator) -> CoilBatch:
        """Draw `count` whole slices, each turned by a random phase, with their decompositions."""
        chosen = torch.randint(len(self.slices), (count,), generator=generator)
        angles = 2 * torch.pi * torch.rand(count, generator=generator)
        return CoilBatch(
            tuple(
                _in_unit(self.slices[int(index)], self.shown(int(index)), angle)
                for index, angle in zip(chosen, angles, strict=True)
            )
        )

    def shown(self, index: int) -> SenseSampling:
        """Return the decomposition of a slice; of as many as fit into a GiB they are kept."""
        found = self._kept.get(index)
        if found is None:
            found = self._decomposed(self.slices[index])
            if (len(self._kept) + 1) * found.vectors.nbytes <= _BYTES_KEPT:
                self._kept[index] = found
        return found

    @cached_property
    def _kept(self) -> dict[int, SenseSampling]:
        return {}

    def _decomposed(self, one: Measurement) -> SenseSampling:
        if one.mask is None or not self.by_lattice:
            return decompose(SenseOperator(one.maps, one.mask))
        line = lattice_within(one.mask.reshape(-1))
        return decompose(SenseOperator(one.maps, line.reshape(one.mask.shape)))


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
            mask = sampled(kspace, given)
            check_decomposable(sampling_mask(mask, kspace))
            density = mask_density(scan, given, mask)
            single = np.asarray(kspace, np.complex64)
            white, maps = whiten_slice(single, noise, given, calibration)
            (piece,) = slices_of(whitened(white, unit_maps(maps)[0], mask, None))
            yield Measurement(
                (piece.kspace if piece.mask is None else piece.kspace * piece.mask).cfloat(),
                piece.maps.cfloat(),
                None if piece.mask is None else piece.mask.float(),
                None if density is None else torch.from_numpy(density),
                recon.signal_rms(white, mask),
            )


def _in_unit(one: Measurement, shown: SenseSampling, angle: Tensor) -> Measured:
    """Return a slice in units of its image, turned by a phase."""
    assert one.density is not None  # see `with_density`
    return Measured(
        rotate_phase(one.kspace[None] / one.rms, angle[None])[0],
        1 / one.rms,
        one.density,
        SenseOperator(one.maps, one.mask),
        shown,
    )


def _full(mask: Tensor | None, grid: Sequence[int]) -> Numpy:
    """Return where a slice was sampled, bool (ky, kx)."""
    given = np.ones((1, 1), bool) if mask is None else mask.numpy().astype(bool)
    return np.broadcast_to(given, tuple(grid))


def _reach(one: Measurement, shown: SenseSampling) -> float:
    """Return the noise up to which as many components are seen as the mask has samples."""
    noise = noise_of_components(shown, 1 / one.rms).flatten()
    finite = noise[noise.isfinite()].sort().values
    share = 1.0 if one.mask is None else float(one.mask.mean())
    return float(finite[min(len(finite), max(1, round(share * noise.numel()))) - 1])
