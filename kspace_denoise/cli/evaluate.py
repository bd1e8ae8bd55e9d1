"""`kspace-denoise evaluate`: score an image against a reference, and say how it was done."""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from kspace_denoise import formats
from kspace_denoise.cli.common import PATH, command, note
from kspace_denoise.cli.image_noise import Sigma, sigma_option
from kspace_denoise.cli.noisy_reference import note_noise, read_noisy, unbiased_scores
from kspace_denoise.metrics import nmse, object_mask, psnr, ssim
from kspace_denoise.scan import Images, Numpy

MAXIMUM = "reference-max"
_MUCH_LESS = 0.25  # noise alone: half of it is in the magnitude
_NOTICEABLE = 5.0  # degrees


@command("kspace-denoise evaluate denoised.h5 reference.h5 --data-range reference-max")
@click.argument("image", metavar="IMAGE", type=PATH)
@click.argument("reference", metavar="REFERENCE", type=PATH)
@click.option(
    "--data-range",
    metavar=f"X|{MAXIMUM}",
    default=MAXIMUM,
    show_default=True,
    help="Range of the pixel values, for PSNR and SSIM: a number, or the maximum of the "
    "reference's magnitude over all slices.",
)
@click.option("--crop", type=int, metavar="N", help="Compare the central N × N pixels only.")
@click.option(
    "--magnitude",
    is_flag=True,
    help="Compare magnitudes, over the full image, although both images are complex.",
)
@click.option(
    "--noisy-reference",
    "noisy",
    is_flag=True,
    help="REFERENCE is another noisy repetition, images with their phase or k-space: the error "
    "without its noise as well, which must be known (--sigma, the file, or its k-space).",
)
@sigma_option()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(
    image: Path,
    reference: Path,
    data_range: str,
    crop: int | None,
    magnitude: bool,
    noisy: bool,
    sigma: Sigma,
    as_json: bool,
) -> None:
    """Score IMAGE against REFERENCE: PSNR, SSIM, NMSE.

    Two complex images are compared as such inside the object; if either is a magnitude, so is the
    comparison, over the full image; so it is with --magnitude, which a difference in phase does not
    matter to. SSIM is always of magnitudes over the full image.
    """
    _check_noisy(noisy, magnitude, sigma)
    first = formats.read_images(image)
    second, source = read_noisy(reference, sigma) if noisy else (formats.read_images(reference), "")
    result = {
        "image": f"{image} ({first.header['dataset']})",
        "reference": f"{reference} ({second.header['dataset']})",
        **_scores(first, second, data_range, crop, magnitude),
    }
    pair = _cropped(first.data, crop), _cropped(second.data, crop)
    level = None if second.sigma is None else _cropped(_full(second), crop)
    if noisy and level is not None:
        result |= unbiased_scores(*pair, level, source)
    if result["pixels"] == "complex":
        _note_phase(*pair)
    else:
        pair = np.abs(pair[0]), np.abs(pair[1])
    if not noisy:
        note_noise(reference, second.header, pair, level)
    if as_json:
        click.echo(json.dumps(result, indent=1))
    else:
        _print(result)


def _check_noisy(noisy: bool, magnitude: bool, sigma: Sigma) -> None:
    if noisy and magnitude:
        raise click.UsageError(
            "--noisy-reference compares complex images: magnitudes have a noise floor; leave out "
            "--magnitude"
        )
    if sigma is not None and not noisy:
        raise click.UsageError("--sigma is the noise of REFERENCE: it needs --noisy-reference")


def _full(images: Images) -> Numpy:
    """Return the noise level of every pixel."""
    return np.broadcast_to(np.asarray(images.sigma), images.data.shape)


def _scores(
    first: Images, second: Images, data_range: str, crop: int | None, magnitude: bool
) -> dict[str, Any]:
    if first.data.shape != second.data.shape and crop is None:
        raise ValueError(
            f"the image has shape {first.data.shape}, but the reference {second.data.shape}; "
            "--crop N compares their central N × N pixels"
        )
    a, b = _cropped(first.data, crop), _cropped(second.data, crop)
    is_complex = np.iscomplexobj(a) and np.iscomplexobj(b) and not magnitude
    magnitudes = np.abs(a), np.abs(b)
    full_range = _range(data_range, magnitudes[1])
    pair = (a, b) if is_complex else magnitudes
    mask = object_mask(b) if is_complex else None
    decibels = psnr(*pair, data_range=full_range, mask=mask)
    return {
        "psnr_db": decibels if np.isfinite(decibels) else None,
        "ssim": ssim(*magnitudes, data_range=full_range),
        "nmse": nmse(*pair, mask=mask),
        "data_range": full_range,
        "data_range_from": MAXIMUM if data_range == MAXIMUM else "given",
        "crop": "none" if crop is None else f"central {crop} × {crop}",
        "pixels": "complex" if is_complex else "magnitude",
        "mask": "object (of the reference)" if is_complex else "none",
        "slices": int(np.prod(a.shape[:-2])),
    }


def _note_phase(image: Numpy, reference: Numpy) -> None:
    """Tell where the phase of whole slices makes most of the difference between complex images."""
    a, b = (x.reshape(-1, *x.shape[-2:]) for x in (image, reference))
    mask = object_mask(b)
    differ, apart = (
        float(np.sum(mask * np.abs(x - y) ** 2)) for x, y in ((a, b), (np.abs(a), np.abs(b)))
    )
    turns = np.angle(np.sum(mask * a * b.conj(), axis=(-2, -1)), deg=True)
    worst = int(np.argmax(np.abs(turns)))
    if apart < _MUCH_LESS * differ and abs(turns[worst]) > _NOTICEABLE:
        note(
            f"the images differ by a phase (slice {worst}: {turns[worst]:.0f} degrees): "
            "--magnitude compares magnitudes"
        )


def _cropped(data: Numpy, size: int | None) -> Numpy:
    if size is None:
        return data
    ny, nx = data.shape[-2:]
    if not 0 < size <= min(ny, nx):
        raise ValueError(f"--crop {size} does not fit an image of {ny} × {nx} pixels")
    y, x = ny // 2 - size // 2, nx // 2 - size // 2
    return data[..., y : y + size, x : x + size]


def _range(wanted: str, reference: Numpy) -> float:
    if wanted == MAXIMUM:
        return float(reference.max())
    try:
        return float(wanted)
    except ValueError:
        raise click.UsageError(
            f"--data-range {wanted!r} is neither a number nor {MAXIMUM}"
        ) from None


def _print(result: dict[str, Any]) -> None:
    decibels = result["psnr_db"]
    where = f"{result['pixels']} pixels, mask: {result['mask']}"
    click.echo(f"image      {result['image']}")
    click.echo(f"reference  {result['reference']}")
    click.echo(f"range      {result['data_range']:.6g} ({result['data_range_from']})")
    click.echo(f"crop       {result['crop']}, {result['slices']} slices")
    click.echo(f"PSNR       {'infinite' if decibels is None else f'{decibels:.2f} dB'} ({where})")
    click.echo(f"SSIM       {result['ssim']:.4f} (magnitude, 7 × 7 uniform window, full image)")
    click.echo(f"NMSE       {result['nmse']:.4g} ({where})")
    if "unbiased_error" in result:
        error, chance = result["unbiased_error"], result["unbiased_error_standard_error"]
        click.echo(
            f"unbiased   {error:.4f} ± {chance:.4f} σ² (mean squared error per component without "
            "the noise of the reference, object of both)"
        )
        click.echo(
            f"σ          {result['reference_sigma']:.4g} of the reference "
            f"({result['reference_sigma_from']})"
        )
