"""From scans to the examples that training draws from: images, targets and other contrasts."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from kspace_denoise import recon
from kspace_denoise.contrasts import condition_of
from kspace_denoise.fourier import ifft2c
from kspace_denoise.scan import Images, Scan
from kspace_denoise.stages import (
    KnownNoise,
    Numpy,
    check_gaps,
    coil_sigma,
    in_snr_units,
    known_noise,
    known_sigma,
    reconstruct_slice,
    stage_images,
    through_maps,
)
from kspace_denoise.training.images import Example
from kspace_denoise.training.subjects import Recipe, Subject
from kspace_denoise.units import expected_unit, to_unit

Made = Callable[[int, int], object]
"""Called with the number of scans that have become images, and that of all."""


def training_examples(
    subjects: Sequence[Subject], recipe: Recipe, made: Made | None = None
) -> Iterator[Example]:
    """Yield what a stage's denoiser is trained on; see `known_subjects`.

    A target takes the way of the scan it belongs to: through the same whitening, coil maps and
    noise map, so that without noise the two would be the same image. Contrasts take their own.

    Raises:
        ValueError: if a target is the noisy image itself, or a repetition blank where the scan is
            not, or as `condition_of`.
    """
    for number, subject in enumerate(subjects, 1):
        if isinstance(subject.source, Images):
            examples = _from_images(subject.source, subject, recipe)
        else:
            examples = _from_scan(subject.source, subject, recipe)
        for example in examples:
            _check_new(example)
            yield example
        if made:
            made(number, len(subjects))


def _check_new(example: Example) -> None:
    """Refuse an image that is given again as its own target, noise and all."""
    if example.pair is not None and np.array_equal(example.image, example.pair):
        raise ValueError(
            "a target is the noisy image itself, from which nothing can be learnt: give the clean "
            "scan, or another repetition with noise of its own"
        )


def _from_images(images: Images, subject: Subject, recipe: Recipe) -> Iterator[Example]:
    sigmas = np.broadcast_to(known_sigma(images), images.data.shape)
    for index, (image, sigma) in enumerate(zip(images.data, sigmas, strict=True)):
        if not image.any():
            continue
        pair = condition = None
        if isinstance(subject.target, Images):
            unit = expected_unit if recipe.clean else to_unit
            pair = unit(subject.target.data[index], sigma, recipe.vst)
        if subject.contrasts:
            condition = to_unit(*condition_of(subject.contrasts, index, image), recipe.vst)
        for position in np.ndindex(image.shape[:-2]):
            if image[position].any():
                yield Example(
                    to_unit(image[position], sigma[position], recipe.vst),
                    None if pair is None else pair[position],
                    None if condition is None else condition[position],
                )


def _from_scan(scan: Scan, subject: Subject, recipe: Recipe) -> Iterator[Example]:
    noise = known_noise(scan)
    target = subject.target if isinstance(subject.target, Scan) else None
    for index in range(len(scan.kspace)):
        kspace = scan.kspace[index]
        if not kspace.any():
            continue  # a blank slice has nothing to teach
        goal = None if target is None else _target_slice(target, index, recipe)
        if recipe.stage == "before-sense":
            yield from _coil_examples(kspace, goal, noise)
            continue
        options = {"regularisation": recipe.regularisation}
        piece = reconstruct_slice(
            kspace, noise, scan.slice_mask(index), recipe.calibration, **options
        )
        (image,), pair, condition = stage_images(piece, "after-sense"), None, None
        if target is not None and goal is not None:
            mask = target.slice_mask(index)
            if mask is None and piece.mask is not None:
                mask = np.ones(1, bool)
            same = through_maps(goal, noise, piece, noise, mask, **options)
            pair = in_snr_units(same.image, piece.sigma)
        if subject.contrasts:
            pieces = condition_of(subject.contrasts, index, kspace, recipe.calibration, **options)
            condition = in_snr_units(*pieces)
        yield Example(image, pair, condition)


def _target_slice(target: Scan, index: int, recipe: Recipe) -> Numpy:
    kspace = target.kspace[index]
    if not recipe.clean and not kspace.any():
        raise ValueError(
            f"slice {index} of a repetition is blank, and that of the scan is not: nothing can be "
            "learnt from it; leave the slice out of both"
        )
    check_gaps(kspace, target.slice_mask(index))
    return np.asarray(kspace)


def _coil_examples(kspace: Numpy, goal: Numpy | None, noise: KnownNoise) -> Iterator[Example]:
    """Yield the whitened images of all coils."""
    white = recon.whiten(kspace, noise.covariance)
    sigma = coil_sigma(white, noise)
    images = in_snr_units(ifft2c(white), sigma)
    pairs = [None] * len(images)
    if goal is not None:
        pairs = list(in_snr_units(ifft2c(recon.whiten(goal, noise.covariance)), sigma))
    yield from map(Example, images, pairs)
