"""`evaluate --noisy-reference`: the error against a reference that holds noise of known sigma."""

from pathlib import Path
from typing import Any

import numpy as np

from kspace_denoise import formats, recon
from kspace_denoise.arrays import to_numpy
from kspace_denoise.cli.chain import is_free_of_noise
from kspace_denoise.cli.common import load_noise, note, progress
from kspace_denoise.cli.image_noise import Sigma, refuse_sigma, with_sigma
from kspace_denoise.metrics import error_against_noisy, object_mask
from kspace_denoise.scan import Images, Numpy, Scan
from kspace_denoise.stages import reconstruct_slice

_NOTICEABLE = 0.05  # of the squared error


def read_noisy(path: Path, sigma: Sigma) -> tuple[Images, str]:
    """Read a reference with its noise level, k-space by way of SENSE; say where the level is from.

    Raises:
        ValueError: if the level is not known, or the scan is a trajectory.
        click.UsageError: if `sigma` is given for k-space.
    """
    content = formats.read(path)
    if isinstance(content, Images):
        return with_sigma(content, path, sigma)
    refuse_sigma(sigma, path)
    if content.trajectory is not None:
        raise ValueError(f"{path} was sampled along a trajectory: reconstruct it first")
    try:
        noise = load_noise(content)
    except recon.NoiseNotFound as error:
        raise ValueError(f"{path}: {error}") from error
    slices = progress(range(len(content.kspace)), "reconstruct")
    pieces = [reconstruct_slice(content.kspace[i], noise, content.slice_mask(i)) for i in slices]
    image, level = (
        np.stack([to_numpy(x) for x in part])
        for part in ([piece.image for piece in pieces], [piece.sigma for piece in pieces])
    )
    header = {**content.header, "dataset": "kspace, by SENSE"}
    return Images(data=image, sigma=level, header=header), noise.source


def unbiased_scores(image: Numpy, reference: Numpy, sigma: Numpy, source: str) -> dict[str, Any]:
    """Return the unbiased error inside the object of both images, and what it is made of.

    Raises:
        TypeError, ValueError: as `metrics.error_against_noisy`.
    """
    mask = object_mask(np.abs(image + reference)) & (sigma > 0)
    found = error_against_noisy(image, reference, sigma, mask=mask)
    return {
        "unbiased_error": found.value,
        "unbiased_error_standard_error": found.standard_error,
        "reference_sigma": found.sigma,
        "reference_sigma_from": source,
    }


def note_noise(path: Path, header: dict[str, Any], pair: tuple[Numpy, Numpy], sigma: Any) -> None:
    """Tell where the noise of a reference, known or of a raw scan, is a part of the error.

    `pair` holds image and reference as they are compared, `sigma` the noise of the second or None.
    """
    if sigma is not None:
        known = np.broadcast_to(sigma, pair[1].shape) > 0
        variance = np.mean(np.square(np.broadcast_to(sigma, pair[1].shape)[known]))
        squared = float(np.mean(np.abs(pair[0] - pair[1])[known] ** 2))
        noise = float(variance) * (2 if np.iscomplexobj(pair[1]) else 1)
        if not noise > _NOTICEABLE * squared:
            return
        what = f"holds noise of its own, {min(noise / squared, 1):.0%} of the squared error"
    elif isinstance(formats.read(path), Scan) and not is_free_of_noise(header):
        what = "is a raw scan, and its images hold its noise"
    else:
        return
    note(f"{path} {what}: PSNR, SSIM and NMSE count it as error, --noisy-reference does not")
