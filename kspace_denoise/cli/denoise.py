"""`kspace-denoise denoise`: a scan, before or after SENSE."""

from pathlib import Path
from typing import Any

import click
import numpy as np

from kspace_denoise import formats, provenance
from kspace_denoise.classical import CLASSICAL
from kspace_denoise.cli.common import (
    PATH,
    check_paths,
    command,
    command_line,
    device_option,
    load_covariance,
    noise_option,
    progress,
)
from kspace_denoise.denoiser import load
from kspace_denoise.pipeline import AnyDenoiser, check_use, denoise_images, denoise_slices
from kspace_denoise.scan import Images
from kspace_denoise.stages import STAGES


@command("kspace-denoise denoise scan.h5 clean.h5 --model c2s.safetensors")
@click.argument("source", metavar="IN", type=PATH)
@click.argument("output", metavar="OUT", type=PATH)
@click.option(
    "--model", required=True, metavar="MODEL|METHOD", help="A trained denoiser's file, or nlm."
)
@click.option("--stage", help=f"{' or '.join(STAGES)}; that of the model unless given.")
@click.option("--allow-other-stage", is_flag=True, help="Use a model at the other stage.")
@click.option(
    "--calibration", type=int, default=24, show_default=True, help="Calibration lines of the maps."
)
@noise_option()
@device_option()
def denoise(
    source: Path,
    output: Path,
    model: str,
    stage: str | None,
    allow_other_stage: bool,
    calibration: int,
    noise_file: Path | None,
    device: str,
) -> None:
    """Denoise the scan IN and write the images to OUT.

    Writes the complex image as `reconstruction`, in the unit of the raw data, with the noisy image
    it came from (`noisy`) and that image's noise map (`noisy_sigma`) beside it. The noise left in
    the result is not known, so it has no `noise_sigma`.
    """
    denoiser = find_denoiser(model, device)
    stage = stage or getattr(denoiser, "stage", None) or "after-sense"
    check_use(denoiser, stage, allow_other_stage)
    check_paths(output, source, noise_file)
    content = formats.read(source)
    if isinstance(content, Images):
        slices, noise = denoise_images(content, denoiser), "stored in the file"
        total = len(content.data)
    else:
        known = load_covariance(content, noise_file)
        slices = denoise_slices(content, denoiser, stage, known.matrix, calibration)  # type: ignore[arg-type]
        noise, total = known.source, len(content.kspace)
    pieces = list(progress(slices, "denoise", total))
    extra: dict[str, Any] = {"noisy": np.stack([piece.noisy for piece in pieces])}
    if all(piece.sigma is not None for piece in pieces):
        extra["noisy_sigma"] = np.stack([np.asarray(piece.sigma) for piece in pieces])
    header = {k: v for k, v in content.header.items() if not k.startswith(("noise", "snr_"))}
    record = provenance.record(
        command_line(),
        [path for path in (source, noise_file) if path is not None],
        model=model,
        model_sha256=provenance.sha256(model) if Path(model).is_file() else None,
        calibration=calibration,
        stage=stage,
        method=getattr(denoiser, "method", None),
        training=getattr(denoiser, "record", None),
        noise=noise,
    )
    images = Images(
        data=np.stack([piece.image for piece in pieces]),
        header={**header, "dataset": "reconstruction", "provenance": record},
    )
    formats.write_hdf5(output, images, extra)


def find_denoiser(model: str, device: str = "cpu") -> AnyDenoiser:
    """Return the denoiser of a file, or the classical one of that name.

    Raises:
        FileNotFoundError: if it is neither; the message lists the names.
    """
    if model in CLASSICAL:
        return CLASSICAL[model]()
    if not Path(model).exists():
        raise FileNotFoundError(
            f"{model} is neither a file nor a method that needs no training; of those there is: "
            f"{', '.join(CLASSICAL)}"
        )
    return load(model, device)
