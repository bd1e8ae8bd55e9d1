"""`denoise`: a raw scan through SENSE and a denoiser, before or after it, slice by slice."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.arrays import Array, to_numpy
from kspace_denoise.contrasts import Source, check_count, condition_of, known_contrasts
from kspace_denoise.dmri.denoiser import VolumeDenoiser
from kspace_denoise.scan import Images, Scan
from kspace_denoise.spectral_stage import spectral_slice
from kspace_denoise.stages import (
    KnownNoise,
    Numpy,
    Slice,
    Stage,
    check_cartesian,
    check_sampling,
    check_stage,
    combine_denoised,
    known_noise,
    known_sigma,
    reconstruct_slice,
    stage_images,
)

AnyDenoiser: TypeAlias = Callable[..., Array]
"""Trained or classical: `denoiser(image, sigma)`.

One that looks at other contrasts too says how many in its attribute `contrasts`, and is called
with `condition` and `condition_sigma` besides, see `Denoiser`.
"""


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
    contrasts: Sequence[Source] = (),
    noise_covariance: Numpy | None = None,
    calibration: int | None = None,
    replicas: int = 0,
    regularisation: float = 0.0,
    allow_other_stage: bool = False,
) -> Denoised:
    """Denoise every slice of a scan, before or after SENSE, and stack the results.

    `contrasts` are scans of the same slices in the other contrasts that the denoiser was trained
    with, in that order. `noise_covariance` overrides the scan's own. `calibration` is the side of
    the k-space centre that coil maps come from, by default what is fully sampled, at most 24.
    `replicas` measure the noise map where it has no closed form. `regularisation` is the λ of
    SENSE, for undersampling that the coils unfold badly. `Images` are denoised as they are. For
    scans that do not fit into memory see `denoise_slices`, or the command line. A `VolumeDenoiser`
    takes `Images` of a diffusion scan, all volumes together.

    Raises:
        ValueError: if the denoiser was trained for the other stage (`allow_other_stage` lets it
            pass), or the stage does not exist, or images come without sigma, or `contrasts` are
            not those that the denoiser needs, or of other slices, or the scan itself.
        TypeError: if the denoiser cannot be called.
        recon.NoiseNotFound: if the noise is unknown and cannot be measured in k-space.
    """
    if isinstance(denoiser, VolumeDenoiser):
        if contrasts:
            raise ValueError(f"{denoiser.name} looks at no other contrasts: leave them out")
        return _of_volumes(scan, denoiser)
    check_use(denoiser, stage, allow_other_stage)
    slices = list(
        denoise_images(scan, denoiser, contrasts)
        if isinstance(scan, Images)
        else denoise_slices(
            scan,
            denoiser,
            stage,
            known_noise(scan, noise_covariance),
            calibration,
            replicas,
            regularisation,
            contrasts,
        )
    )
    sigmas = [one.sigma for one in slices if one.sigma is not None]
    return Denoised(
        np.stack([one.image for one in slices]),
        np.stack([one.noisy for one in slices]),
        np.stack(sigmas) if len(sigmas) == len(slices) else None,
    )


def _of_volumes(scan: Scan | Images, denoiser: VolumeDenoiser) -> Denoised:
    """Denoise a diffusion scan, all volumes together."""
    if not isinstance(scan, Images):
        raise ValueError(
            f"{denoiser.name} is for the images of a diffusion scan, and this is k-space: "
            "reconstruct its volumes first"
        )
    return Denoised(denoiser(scan).data, scan.data, None)


def denoise_slices(
    scan: Scan,
    denoiser: AnyDenoiser,
    stage: Stage,
    noise: KnownNoise,
    calibration: int | None = None,
    replicas: int = 0,
    regularisation: float = 0.0,
    contrasts: Sequence[Source] = (),
) -> Iterator[Denoised]:
    """Yield each slice of a scan denoised; one slice is in memory at a time."""
    check_cartesian(scan, "denoising")
    check_sampling(scan.mask, stage, replicas)
    check_count(denoiser, len(contrasts))
    others = known_contrasts(scan, contrasts, stage, replicas)
    options = {"replicas": replicas, "regularisation": regularisation}
    in_svd = getattr(denoiser, "domain", "image") == "svd"
    if in_svd and (replicas or regularisation):
        raise ValueError(
            f"replicas is {replicas} and regularisation {regularisation}: a denoiser of the svd "
            "domain takes scans apart into components, without either; leave both out"
        )
    for index in range(len(scan.kspace)):
        kspace = scan.kspace[index]
        if not kspace.any():
            yield _blank(kspace)
            continue
        mask = scan.slice_mask(index)
        piece = reconstruct_slice(kspace, noise, mask, calibration, **options)
        if in_svd:
            piece = spectral_slice(piece, noise)
        condition = None
        if others:
            condition = condition_of(others, index, kspace, calibration, **options)
        yield denoise_slice(piece, denoiser, stage, condition)


def _blank(kspace: Numpy) -> Denoised:
    """Return what a slice without any sample gives: an image that is 0 and holds no noise."""
    image = np.zeros(kspace.shape[-2:], kspace.dtype)
    return Denoised(image, image, np.zeros(image.shape, image.real.dtype))


def denoise_slice(
    piece: Slice,
    denoiser: AnyDenoiser,
    stage: Stage,
    condition: tuple[Numpy, Numpy] | None = None,
) -> Denoised:
    """Denoise one reconstructed slice at a stage.

    `condition` holds the slice in other contrasts and their sigma, `(contrasts, y, x)` both.
    """
    noisy = stage_images(piece, stage)
    others = {} if condition is None else _condition(*(x[None] for x in condition))
    clean = to_numpy(denoiser(noisy, 1.0, **others))
    image = combine_denoised(piece, clean, stage)
    sigma = None if piece.sigma is None else to_numpy(piece.sigma)
    return Denoised(image, to_numpy(piece.image), sigma)


def denoise_images(
    images: Images, denoiser: AnyDenoiser, contrasts: Sequence[Source] = ()
) -> Iterator[Denoised]:
    """Yield each image denoised.

    Raises:
        ValueError: if the images come without their noise level, or as `known_contrasts`.
    """
    if getattr(denoiser, "domain", "image") == "svd":
        raise ValueError(
            "a denoiser of the svd domain takes scans apart into components, and these are images: "
            "give the raw k-space"
        )
    sigmas = np.broadcast_to(known_sigma(images), images.data.shape)
    check_count(denoiser, len(contrasts))
    others = known_contrasts(images, contrasts, "after-sense")
    for index, (image, sigma) in enumerate(zip(images.data, sigmas, strict=True)):
        if not image.any():
            yield Denoised(image, image, sigma)
            continue
        more = _condition(*condition_of(others, index, image)) if others else {}
        yield Denoised(to_numpy(denoiser(image, sigma, **more)), image, sigma)


def _condition(images: Numpy, sigma: Numpy) -> dict[str, Numpy]:
    return {"condition": images, "condition_sigma": sigma}


def check_use(denoiser: AnyDenoiser, stage: str, allow_other_stage: bool = False) -> None:
    """Refuse what is no denoiser, and one at the stage that it was not trained for.

    Raises:
        ValueError: naming both stages.
        TypeError: saying where denoisers come from.
    """
    check_stage(stage)
    if isinstance(denoiser, type) or not callable(denoiser):
        raise TypeError(
            f"denoiser is {denoiser!r}, expected kd.load(FILE), what kd.train returned, or a "
            "classical one such as kd.classical.BM3D()"
        )
    trained = getattr(denoiser, "stage", None)
    if trained is not None and trained != stage and not allow_other_stage:
        raise ValueError(
            f"this denoiser was trained {trained} and is used {stage}: train one for this stage, "
            "or pass allow_other_stage=True (--allow-other-stage)"
        )
