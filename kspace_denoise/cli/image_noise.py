"""`--sigma X|estimate`: the noise level of image files that do not store one."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import click
import numpy as np

from kspace_denoise import recon
from kspace_denoise.cli.common import Decorator, note
from kspace_denoise.cli.company import DATA
from kspace_denoise.cli.options import group
from kspace_denoise.scan import Images, Scan

Sigma: TypeAlias = float | Literal["estimate"] | None

_ESTIMATE = "estimate"


def sigma_option() -> Decorator:
    """`--sigma X|estimate`, for image files."""
    return group(DATA)(
        "--sigma",
        metavar="X|estimate",
        callback=_parsed,
        help="Noise level of image files: the standard deviation of each real component, in their "
        "unit, or `estimate`, which looks for it in the air around the object, else inside it.  "
        "[default: what the file stores]",
    )


def _parsed(_ctx: click.Context, _option: click.Parameter, value: str | None) -> Sigma:
    if value is None or value == _ESTIMATE:
        return value  # type: ignore[return-value]
    try:
        sigma = float(value)
    except ValueError:
        sigma = np.nan
    if not 0 < sigma < np.inf:
        raise click.UsageError(
            f"--sigma {value}: expected a positive number, or estimate; a noise map belongs "
            "into the file, as dataset noise_sigma"
        )
    return sigma


def with_sigma(images: Images, path: Path, sigma: Sigma) -> tuple[Images, str]:
    """Return images with their noise level, and the words that say where it comes from.

    Raises:
        ValueError: if there is none; the message names the ways to one.
        recon.NoiseNotFound: if it cannot be estimated.
    """
    if sigma is None:
        if images.sigma is None:
            raise ValueError(
                f"{path} holds images without their noise level: give --sigma X, the standard "
                "deviation of each real component in their unit, or --sigma estimate; or start "
                "from the k-space, where the noise is known best"
            )
        return images, "stored in the file"
    if not isinstance(sigma, str):
        if images.sigma is not None:
            note(f"{path} stores a noise level, and --sigma {sigma:g} is used instead")
        largest = float(np.max(np.abs(images.data)))
        if sigma > largest:
            note(
                f"--sigma {sigma:g} is above the largest magnitude in {path}, {largest:.4g}: sigma "
                "is in the unit of the image, and all of this one would be noise"
            )
        return dataclasses.replace(images, sigma=sigma), "--sigma"
    try:
        found = recon.estimate_sigma(images.data)
    except recon.NoiseNotFound as error:
        raise ValueError(f"{path}: {error}") from error
    low, high = (found.sigma * factor for factor in found.interval)
    note(f"{path}: sigma {found.sigma:.4g} ({low:.4g} to {high:.4g}), from the {found.rule}")
    return dataclasses.replace(images, sigma=found.sigma), f"estimated, {found.rule}"


def note_bias(sources: Iterable[Path], contents: Mapping[Path, Scan | Images]) -> None:
    """Tell where magnitudes are taken as they are: their noise has a bias."""
    for path in sources:
        content = contents[path]
        if isinstance(content, Images) and not np.iscomplexobj(content.data):
            note(
                f"{path} holds magnitudes: where the signal is weak their noise has a mean of its "
                "own, which stays in the result; --vst takes it out"
            )
            return


def refuse_sigma(sigma: Sigma, path: Path) -> None:
    """Refuse `--sigma` for k-space.

    Raises:
        click.UsageError: saying where its noise comes from.
    """
    if sigma is not None:
        raise click.UsageError(
            f"--sigma is for files of images, and {path} holds k-space: its noise comes from "
            "--noise FILE, from the file, or from the k-space itself"
        )


def check_sigma_use(sigma: Sigma, contents: dict[Path, Scan | Images]) -> None:
    """Refuse `--sigma` where no file holds images.

    Raises:
        click.UsageError: saying where the noise of k-space comes from.
    """
    if not any(isinstance(content, Images) for content in contents.values()):
        refuse_sigma(sigma, next(iter(contents)))
