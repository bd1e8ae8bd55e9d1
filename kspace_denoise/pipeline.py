"""`denoise`: a raw scan through SENSE and a denoiser, before or after it, slice by slice."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.arrays import Array, to_numpy
from kspace_denoise.scan import Images, Scan
from kspace_denoise.stages import (
    Numpy,
    Slice,
    Stage,
    check_sampling,
    check_stage,
    combine_denoised,
    known_covariance,
    known_sigma,
    reconstruct_slice,
    stage_images,
)

AnyDenoiser: TypeAlias = Callable[[Array, Any], Array]
"""Trained or classical: `denoiser(image, sigma)`."""


class Denoised(NamedTuple):
    """Denoised and noisy SENSE images `(..., y, x)`, and the sigma of the noisy ones.

    Both are in the unit of the raw data. `sigma` describes `noisy`; the noise that is left in
    `image` is not known.
    """

    image: Numpy
    noisy: Numpy
    sigma: Numpy | None


def denoise(
    scan: Scan | Images,
    denoiser: AnyDenoiser,
    stage: Stage = "after-sense",
    *,
    noise_covariance: Numpy | None = None,
    calibration: int = 24,
    allow_other_stage: bool = False,
) -> Denoised:
    """Denoise every slice of a scan, before or after SENSE.

    `noise_covariance` overrides the scan's own. `Images` are denoised as they are.

    Raises:
        ValueError: if the denoiser was trained for the other stage (`allow_other_stage` lets it
            pass), or the stage does not exist, or images come without sigma.
        recon.NoiseNotFound: if the noise is unknown and cannot be measured in k-space.
    """
    check_use(denoiser, stage, allow_other_stage)
    slices = list(
        denoise_images(scan, denoiser)
        if isinstance(scan, Images)
        else denoise_slices(scan, denoiser, stage, noise_covariance, calibration)
    )
    sigmas = [one.sigma for one in slices if one.sigma is not None]
    return Denoised(
        np.stack([one.image for one in slices]),
        np.stack([one.noisy for one in slices]),
        np.stack(sigmas) if len(sigmas) == len(slices) else None,
    )


def denoise_slices(
    scan: Scan,
    denoiser: AnyDenoiser,
    stage: Stage,
    noise_covariance: Numpy | None = None,
    calibration: int = 24,
) -> Iterator[Denoised]:
    """Yield each slice of a scan denoised; one slice is in memory at a time."""
    check_sampling(scan.mask, stage)
    psi = known_covariance(scan) if noise_covariance is None else noise_covariance
    for index in range(len(scan.kspace)):
        kspace = scan.kspace[index]
        if not kspace.any():
            yield _blank(scan.kspace.shape[-2:])
            continue
        piece = reconstruct_slice(kspace, psi, scan.slice_mask(index), calibration)
        yield denoise_slice(piece, denoiser, stage)


def _blank(shape: tuple[int, ...]) -> Denoised:
    """Return what a slice without any sample gives: an image that is 0 and holds no noise."""
    image = np.zeros(shape, np.complex64)
    return Denoised(image, image, np.zeros(shape, np.float32))


def denoise_slice(piece: Slice, denoiser: AnyDenoiser, stage: Stage) -> Denoised:
    """Denoise one reconstructed slice at a stage."""
    clean = to_numpy(denoiser(stage_images(piece, stage), 1.0))
    image = combine_denoised(piece, clean, stage)
    sigma = None if piece.sigma is None else to_numpy(piece.sigma)
    return Denoised(image, to_numpy(piece.image), sigma)


def denoise_images(images: Images, denoiser: AnyDenoiser) -> Iterator[Denoised]:
    """Yield each image denoised.

    Raises:
        ValueError: if the images come without their noise level.
    """
    sigmas = np.broadcast_to(known_sigma(images), images.data.shape)
    for image, sigma in zip(images.data[:], sigmas, strict=True):
        yield Denoised(to_numpy(denoiser(image, sigma)), image, sigma)


def check_use(denoiser: AnyDenoiser, stage: str, allow_other_stage: bool = False) -> None:
    """Refuse a denoiser at the stage that it was not trained for.

    Raises:
        ValueError: naming both stages.
    """
    check_stage(stage)
    trained = getattr(denoiser, "stage", None)
    if trained is not None and trained != stage and not allow_other_stage:
        raise ValueError(
            f"this denoiser was trained {trained} and is used {stage}: train one for this stage, "
            "or pass allow_other_stage=True"
        )
