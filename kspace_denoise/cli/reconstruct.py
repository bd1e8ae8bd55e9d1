"""`kspace-denoise reconstruct`: images from k-space, with their noise map."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from kspace_denoise import formats, provenance, recon
from kspace_denoise.arrays import Array, to_numpy
from kspace_denoise.cli.common import (
    PATH,
    Covariance,
    check_paths,
    command,
    command_line,
    device_option,
    later_option,
    load_covariance,
    noise_option,
    note,
    progress,
    read_scan,
    seed_option,
    to_device,
)
from kspace_denoise.fourier import ifft2c
from kspace_denoise.recon import NoiseNotFound
from kspace_denoise.scan import Images, Numpy, Scan
from kspace_denoise.stages import reconstruct_slice

METHODS = ("rss", "sense")
_LATER = ("adaptive", "l1-wavelet", "tv", "ddrm")


class Settings(NamedTuple):
    """What a reconstruction needs beside k-space."""

    covariance: Covariance | None
    calibration: int
    replicas: int
    seed: int
    device: str


@command("kspace-denoise reconstruct brain.h5 image.h5 --method sense")
@click.argument("source", metavar="IN", type=PATH)
@click.argument("output", metavar="OUT", type=PATH)
@click.option("--method", required=True, metavar="METHOD", help=f"{' or '.join(METHODS)}.")
@click.option(
    "--calibration",
    type=int,
    default=24,
    show_default=True,
    help="Side of the fully sampled centre that the coil maps come from.",
)
@click.option(
    "--replicas",
    type=int,
    default=0,
    show_default=True,
    help="Pseudo-replicas for the noise map where it has no closed form (sense).",
)
@later_option("--model", "diffusion samplers")
@later_option("--samples", "diffusion samplers")
@noise_option()
@seed_option()
@device_option()
def reconstruct(
    source: Path,
    output: Path,
    method: str,
    calibration: int,
    replicas: int,
    noise_file: Path | None,
    seed: int,
    device: str,
) -> None:
    """Reconstruct images from the k-space of IN and write them to OUT.

    `sense` writes the complex image as `reconstruction` with its noise map as `noise_sigma`
    (standard deviation per real component) beside it; `rss` the magnitude as `reconstruction_rss`.
    Images have the unit of the raw data and are not cropped.
    """
    _check_method(method)
    check_paths(output, source, noise_file)
    scan = read_scan(source)
    covariance = _covariance(scan, noise_file) if method == "sense" else None
    settings = Settings(covariance, calibration, replicas, seed, device)
    images = _rss(scan, settings) if method == "rss" else _sense(scan, settings)
    images.header.update({k: v for k, v in scan.header.items() if not k.startswith("noise_")})
    images.header["provenance"] = provenance.record(
        command_line(),
        [source] if noise_file is None else [source, noise_file],
        seed=seed,
        sigma=None if images.sigma is None else _median_sigma(images.sigma),
        sigma_unit="of the image, per real component, median over the image",
        method=method,
        calibration=calibration if method == "sense" else None,
        replicas=replicas if method == "sense" else None,
        noise=None if covariance is None else covariance.source,
        source_provenance=scan.header.get("provenance"),
    )
    formats.write_hdf5(output, images)


def _check_method(method: str) -> None:
    if method in METHODS:
        return
    problem = "belongs to a later version" if method in _LATER else "is no method"
    raise click.UsageError(f"--method {method} {problem}; methods now: {', '.join(METHODS)}")


def _covariance(scan: Scan, noise_file: Path | None) -> Covariance | None:
    try:
        return load_covariance(scan, noise_file)
    except NoiseNotFound as error:
        note(f"{error}. The image is written without a noise map; --noise FILE would give one.")
        return None


def _median_sigma(sigma: float | Numpy) -> float | None:
    seen = np.asarray(sigma)[np.asarray(sigma) > 0]
    return float(np.median(seen)) if seen.size else None


def _rss(scan: Scan, settings: Settings) -> Images:
    def magnitude(kspace: Array, _: Numpy | None) -> tuple[Array]:
        return (recon.rss(ifft2c(kspace)),)

    (data,) = _by_slice(scan, settings, magnitude)
    return Images(data=data, header={"dataset": "reconstruction_rss"})


def _sense(scan: Scan, settings: Settings) -> Images:
    data, *sigma = _by_slice(scan, settings, lambda k, mask: _sense_slice(k, mask, settings))
    if not sigma and settings.covariance is not None:
        note("no closed form of the noise map for this mask: give --replicas N to measure it")
    return Images(
        data=data, sigma=sigma[0] if sigma else None, header={"dataset": "reconstruction"}
    )


def _sense_slice(kspace: Array, mask: Numpy | None, settings: Settings) -> tuple[Array, ...]:
    """Return the image of one slice, and its sigma where that is known."""
    options = {"replicas": settings.replicas, "seed": settings.seed}
    if settings.covariance is None:
        maps = recon.espirit(kspace, settings.calibration)
        return (recon.sense(kspace, maps, mask).image,)
    piece = reconstruct_slice(
        kspace, settings.covariance.matrix, mask, settings.calibration, **options
    )
    return (piece.image,) if piece.sigma is None else (piece.image, piece.sigma)


def _by_slice(
    scan: Scan, settings: Settings, function: Callable[[Array, Numpy | None], tuple[Array, ...]]
) -> list[Numpy]:
    """Apply a function to every slice and stack each of its results."""
    rows = []
    for index in progress(range(len(scan.kspace)), "reconstruct"):
        kspace = to_device(scan.kspace[index], settings.device)
        rows.append([to_numpy(x) for x in function(kspace, scan.slice_mask(index))])
    return [np.stack(column) for column in zip(*rows, strict=True)]
