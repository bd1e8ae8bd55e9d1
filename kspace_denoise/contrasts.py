"""Other contrasts of the slices of a scan, which a denoiser may look at beside the noisy image.

Each goes through coil maps and noise of its own: two sequences share the anatomy, and neither
phase, nor scale, nor noise.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from kspace_denoise.arrays import to_numpy
from kspace_denoise.scan import Images, Scan
from kspace_denoise.stages import (
    Numpy,
    check_cartesian,
    check_sampling,
    known_noise,
    known_sigma,
    reconstruct_slice,
    with_noise,
)

Source: TypeAlias = Scan | Images


def with_known_noise(source: Source, purpose: str) -> Source:
    """Return a scan with its noise stored in it, measured where need be; images as they are.

    Raises:
        ValueError: if images come without sigma, or the scan has a trajectory.
        recon.NoiseNotFound: if the noise of a scan is unknown and cannot be measured.
    """
    if isinstance(source, Images):
        known_sigma(source)
        return source
    check_cartesian(source, purpose)
    return with_noise(source, known_noise(source))


def image_shape(source: Source) -> tuple[int, ...]:
    """Return `(slices, y, x)` of the images that come of a scan, or are there."""
    if isinstance(source, Images):
        return tuple(source.data.shape)
    slices, _, *grid = source.kspace.shape
    return (slices, *grid)


def is_complex(source: Source) -> bool:
    """Return whether the images of a scan, or images, are complex."""
    return isinstance(source, Scan) or np.iscomplexobj(source.data)


def check_count(denoiser: object, given: int) -> None:
    """Refuse another number of contrasts than a denoiser looks at (its attribute `contrasts`).

    Raises:
        ValueError: saying how many it needs.
    """
    needed = getattr(denoiser, "contrasts", 0)
    if given == needed:
        return
    if not needed:
        raise ValueError(
            f"this denoiser uses no other contrasts, and {given} were given: leave them out, or "
            "train one with contrasts"
        )
    raise ValueError(
        f"this denoiser was trained with {needed} other contrasts of each slice, and {given} were "
        "given: give those, in the same order"
    )


def known_contrasts(
    source: Source, contrasts: Sequence[Source], stage: str, replicas: int = 0
) -> list[Source]:
    """Check the other contrasts of a source, and return them with their noise known.

    Raises:
        ValueError: if there are any before SENSE, or one has other slices than the source, another
            size, is a magnitude beside complex images or the other way round, or comes without
            sigma, or its sampling leaves its noise map unknown.
        recon.NoiseNotFound: if the noise of one is unknown and cannot be measured.
    """
    if contrasts and stage == "before-sense":
        raise ValueError(
            "other contrasts are used after SENSE only: before it each coil of one contrast has "
            "no counterpart in the other; use stage='after-sense'"
        )
    known = []
    for number, contrast in enumerate(contrasts):
        if image_shape(contrast) != image_shape(source):
            raise ValueError(
                f"{_name(number, contrasts)} has images {image_shape(contrast)} and the scan "
                f"{image_shape(source)}: expected the same slices on the same grid (slices, y, x)"
            )
        if is_complex(contrast) != is_complex(source):
            one, other = ("complex" if is_complex(x) else "magnitudes" for x in (contrast, source))
            raise ValueError(
                f"{_name(number, contrasts)} is {one} and the scan is {other}: give both "
                "as complex images (or k-space), or both as magnitudes"
            )
        if isinstance(contrast, Scan):
            check_sampling(contrast.mask, "after-sense", replicas)
        known.append(with_known_noise(contrast, "another contrast"))
    return known


def condition_of(
    contrasts: Sequence[Source],
    index: int,
    noisy: Numpy,
    calibration: int | None = None,
    **sense_options: Any,
) -> tuple[Numpy, Numpy]:
    """Return slice `index` of all contrasts `(..., contrasts, y, x)`, and sigma of each pixel.

    `contrasts` as `known_contrasts` returns them; every one is in a unit of its own. `noisy` is the
    slice that they stand beside, k-space or images as they were read.

    Raises:
        ValueError: if a contrast is blank there, or the noisy slice itself, or its noise map is not
            known.
    """
    pieces = [
        _contrast_slice(
            contrast, _name(number, contrasts), index, noisy, calibration, sense_options
        )
        for number, contrast in enumerate(contrasts)
    ]
    images, sigmas = zip(*pieces, strict=True)
    return np.stack(images, axis=-3), np.stack(sigmas, axis=-3)


def _name(number: int, contrasts: Sequence[Source]) -> str:
    return f"contrast {number + 1} of {len(contrasts)}"


def _contrast_slice(
    contrast: Source,
    name: str,
    index: int,
    noisy: Numpy,
    calibration: int | None,
    sense_options: dict[str, Any],
) -> tuple[Numpy, Numpy]:
    data = contrast.data[index] if isinstance(contrast, Images) else contrast.kspace[index]
    if not data.any():
        raise ValueError(
            f"slice {index} of {name} is blank, and that of the scan is not: leave the "
            "slice out of both, or the contrast"
        )
    if np.array_equal(data, noisy):
        raise ValueError(
            f"{name} is the noisy image itself (slice {index}): its noise would be "
            "copied; give other contrasts"
        )
    if isinstance(contrast, Images):
        sigma = np.broadcast_to(known_sigma(contrast), contrast.data.shape)[index]
        return data, sigma
    piece = reconstruct_slice(
        data, known_noise(contrast), contrast.slice_mask(index), calibration, **sense_options
    )
    if piece.sigma is None:
        raise ValueError(
            f"the noise map of {name} has no closed form, as its sampling and the "
            "profile or spectrum of its noise vary along both axes: measure it with replicas"
        )
    return to_numpy(piece.image), to_numpy(piece.sigma)
