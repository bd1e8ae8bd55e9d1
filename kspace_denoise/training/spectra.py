"""What single-coil scans show of k-space, and how a batch of it is drawn."""

import dataclasses
import math
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from kspace_denoise import recon
from kspace_denoise.contrasts import with_known_noise
from kspace_denoise.objectives.spectral_batch import SpectralBatch
from kspace_denoise.recon.spectral import FourierSampling, SpectralOperator
from kspace_denoise.scan import Images, Numpy, Scan
from kspace_denoise.spectral_stage import sampled
from kspace_denoise.stages import KnownNoise, check_cartesian, check_gaps, known_noise
from kspace_denoise.symmetry import rotate_phase
from kspace_denoise.training.facts import checksum
from kspace_denoise.training.mask_density import mask_density, mean_density
from kspace_denoise.training.subjects import Subject

_NO_LEVEL = "no level below theirs is trained"
_LOUD = 3.0  # times the median noise over signal


class Spectrum(NamedTuple):
    """The k-space `seen` (ky, kx) of one image, where it was sampled, and sigma of its noise.

    One number, or one for each component.

    `rms` is the root mean square of the image's magnitude, the unit of networks; `density` is E[P]
    where it is known, see `mask_density`.
    """

    seen: Numpy
    mask: Numpy
    sigma: float | Numpy
    rms: float
    density: Numpy | None = None


@dataclasses.dataclass(frozen=True)
class Spectra:
    """k-space of one size (scans, ky, kx), each in the unit of its image, and E[P] of the masks.

    `sigmas` are (scans, 1, 1), or (scans, ky, kx) where the noise of components differs.
    `operator` takes it to images and back: the Fourier transform, or `PixelSampling`, with which
    what is seen of the images are pixels.
    """

    seen: Tensor
    masks: Tensor
    sigmas: Tensor
    density: Tensor
    operator: SpectralOperator = dataclasses.field(
        default_factory=lambda: FourierSampling(torch.ones(1))
    )

    channels = 2
    contrasts = 0

    @classmethod
    def collect(
        cls, spectra: Iterable[Spectrum], operator: SpectralOperator | None = None
    ) -> "Spectra":
        """Collect spectra; the probability of each component is its mean over all of them.

        Raises:
            ValueError: if there is none, sizes differ, or some components are never sampled.
        """
        given = list(spectra)
        if not given:
            raise ValueError("nothing to train on: every slice is blank")
        shapes = sorted({spectrum.seen.shape for spectrum in given})
        if len(shapes) > 1:
            raise ValueError(
                f"the scans have k-space of different sizes, {shapes}: components are weighted by "
                "how often they are sampled, which needs one size; train on one"
            )
        masks = np.stack([spectrum.mask for spectrum in given])
        density = mean_density([spectrum.density for spectrum in given], list(masks))
        sigmas = [np.asarray(s.sigma / s.rms, np.float32) for s in given]
        warn_of_loud([float(sigma.max()) for sigma in sigmas], _NO_LEVEL)
        common = np.broadcast_shapes((1, 1), *(sigma.shape for sigma in sigmas))
        return cls(
            torch.from_numpy(np.stack([s.seen / s.rms for s in given]).astype(np.complex64)),
            torch.from_numpy(masks),
            torch.from_numpy(np.stack([np.broadcast_to(sigma, common) for sigma in sigmas])),
            torch.from_numpy(density),
            operator or FourierSampling(torch.ones(1)),
        )

    @property
    def largest_noise(self) -> float:
        """The largest sigma of all, in units of the root mean square of its image."""
        return float(self.sigmas.max())

    def identity(self) -> dict[str, Any]:
        """Return what tells these spectra from others, and their order, ready for JSON."""
        sums = {"sum": checksum(self.seen), "masks": checksum(self.masks.float())}
        return {"spectra": len(self.seen), **sums, "density": checksum([self.density])}

    def draw(self, count: int, _patch: int, generator: torch.Generator) -> SpectralBatch:
        """Draw `count` whole spectra, each turned by a random phase: noise stays what it is."""
        chosen = torch.randint(len(self.seen), (count,), generator=generator)
        angle = 2 * torch.pi * torch.rand(count, generator=generator)
        nsr = torch.where(self.masks[chosen], self.sigmas[chosen], torch.inf)
        seen = rotate_phase(self.seen[chosen], angle)
        return SpectralBatch(seen, nsr, self.density, self.operator)


def warn_of_loud(noise: list[float], consequence: str) -> None:
    """Tell of slices that are mostly noise, and what comes of it."""
    typical = float(np.median(noise))
    loud = [index for index, level in enumerate(noise) if level > _LOUD * typical]
    if loud:
        warnings.warn(
            f"{len(loud)} of {len(noise)} slices have up to {max(noise) / typical:.0f} times the "
            f"usual noise over signal (as those at the ends of a stack), and {consequence}: leave "
            "them out",
            UserWarning,
            stacklevel=4,
        )


def training_spectra(subjects: Iterable[Subject]) -> Iterator[Spectrum]:
    """Yield what each slice of single-coil scans shows, blank ones left out.

    Raises:
        ValueError: as `scan_of` and `white_noise`, or if lines are missing that a mask says nothing
            of.
        recon.NoiseNotFound: if the noise of a scan is unknown and cannot be measured.
    """
    for scan in map(scan_of, subjects):
        noise = white_noise(scan)
        sigma = float(np.sqrt(noise.covariance[0, 0].real / 2))
        for index in range(len(scan.kspace)):
            kspace = scan.kspace[index]
            if kspace.any():
                given = scan.slice_mask(index)
                check_gaps(kspace, given)
                mask = sampled(kspace, given)
                density = mask_density(scan, given, mask)
                rms = sigma * recon.signal_rms(kspace / np.float32(sigma), mask)
                yield Spectrum(kspace[0] * mask, mask, sigma, rms, density)


def training_pixels(subjects: Iterable[Subject]) -> Iterator[Spectrum]:
    """Yield complex images, all pixels of which are seen with the noise of `Images.sigma`.

    The noise must be independent from pixel to pixel, as it is of fully sampled scans.

    Raises:
        ValueError: if there are magnitudes or other contrasts, or sigma is unknown or 0.
    """
    for subject in subjects:
        images = with_known_noise(subject.source, "training")
        assert isinstance(images, Images)
        if subject.contrasts or not np.iscomplexobj(images.data):
            raise ValueError(
                "this method learns from complex images, or from k-space, one at a time: give no "
                "magnitudes and no contrasts"
            )
        if not np.any(images.sigma):
            raise ValueError("sigma of the images is 0: this method learns from noise it knows")
        grid = images.data.shape[-2:]
        data = images.data.reshape(-1, *grid)
        sigmas = np.broadcast_to(np.asarray(images.sigma), images.data.shape).reshape(-1, *grid)
        everywhere, density = np.ones(grid, bool), np.ones(grid, np.float32)
        for image, sigma in zip(data, sigmas, strict=True):
            if image.any():
                power = float(np.mean(np.abs(image) ** 2) - 2 * np.mean(sigma**2))
                rms = math.sqrt(max(power, 2 * float(np.max(sigma)) ** 2 / image.size))
                yield Spectrum(image, everywhere, sigma, rms, density)


def scan_of(subject: Subject) -> Scan:
    """Return the scan of a subject that is to be learnt from in k-space.

    Raises:
        ValueError: if there are images or other contrasts, or it has a trajectory.
    """
    scan = subject.source
    if not isinstance(scan, Scan) or subject.contrasts:
        raise ValueError(
            "this method learns from k-space, one scan at a time, or from images alone: give no "
            "images beside scans and no contrasts"
        )
    check_cartesian(scan, "training")
    return scan


def white_noise(scan: Scan) -> KnownNoise:
    """Return the noise of a scan that is white over k-space and over the image.

    Raises:
        ValueError: if it is not.
        recon.NoiseNotFound: if it is unknown and cannot be measured.
    """
    noise = known_noise(scan)
    if noise.spectrum is not None or noise.profile is not None:
        raise ValueError(
            "the noise of this scan differs over k-space or over the image, and this method takes "
            "it for white in both"
        )
    return noise
