"""`--crop` and `--remove-oversampling`: smaller images, because the user says so."""

import re
from typing import Any

import click
import numpy as np

from kspace_denoise.arrays import to_numpy
from kspace_denoise.cli.common import Decorator
from kspace_denoise.crop import centre_crop, recon_matrix, remove_oversampling
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.stages import KnownNoise, with_noise


def crop_option() -> Decorator:
    """`--crop recon|YxX`."""
    return click.option(
        "--crop",
        metavar="recon|YxX",
        help="Crop the images about their centre: to the size that the file asks for, or to Y x X "
        "pixels. Nothing is cropped unless this says so.",
    )


def oversampling_option() -> Decorator:
    """`--remove-oversampling`."""
    return click.option(
        "--remove-oversampling",
        "oversampling",
        is_flag=True,
        help="Crop the field of view along the readout to what the file asks for before coil maps "
        "and SENSE, which are faster then.",
    )


def crop_size(crop: str | None, scan: Scan) -> tuple[int, int] | None:
    """Return the size that `--crop` asks for.

    Raises:
        click.UsageError: if it is no size.
        ValueError: if the file does not say one, or it is larger than the matrix.
    """
    if crop is None:
        return None
    if crop == "recon":
        size = recon_matrix(scan)
    elif found := re.fullmatch(r"(\d+)x(\d+)", crop):
        size = int(found[1]), int(found[2])
    else:
        raise click.UsageError(f"--crop {crop}: expected recon, or a size such as 320x320")
    centre_crop(
        np.empty(scan.image_shape or scan.kspace.shape[-2:], bool), size
    )  # refuses what does not fit
    return size


def cropped(images: dict[str, Any], size: tuple[int, int] | None) -> dict[str, Numpy]:
    """Return images and their sigma by name, cropped alike, as numpy arrays."""
    arrays = {name: to_numpy(image) for name, image in images.items()}
    return arrays if size is None else {n: centre_crop(a, size) for n, a in arrays.items()}


def without_oversampling(scan: Scan, noise: KnownNoise) -> tuple[Scan, KnownNoise]:
    """Return a scan and its noise for the field of view that the file asks for."""
    smaller = remove_oversampling(with_noise(scan, noise))
    assert smaller.noise_covariance is not None
    return smaller, KnownNoise(
        smaller.noise_covariance, smaller.noise_profile, smaller.noise_spectrum, noise.source
    )
