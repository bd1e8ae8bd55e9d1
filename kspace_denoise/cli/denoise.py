"""`kspace-denoise denoise`: a scan, before or after SENSE, slice by slice."""

from pathlib import Path
from typing import Any

import click

from kspace_denoise import formats, provenance, recon
from kspace_denoise.classical import CLASSICAL
from kspace_denoise.cli.classical_options import (
    ABOUT,
    classical_options,
    find_denoiser,
    told_spectrum,
)
from kspace_denoise.cli.common import (
    PATH,
    calibration_option,
    check_paths,
    command,
    command_line,
    device_option,
    image_header,
    load_noise,
    noise_option,
    note_unsampled_data,
    progress,
    replicas_option,
)
from kspace_denoise.cli.company import contrast_option
from kspace_denoise.cli.cropping import (
    crop_option,
    crop_size,
    cropped,
    oversampling_option,
    without_oversampling,
)
from kspace_denoise.cli.denoise_volumes import of_volumes
from kspace_denoise.cli.folders import of_folders
from kspace_denoise.cli.image_noise import (
    Sigma,
    check_sigma_use,
    note_bias,
    sigma_option,
    with_sigma,
)
from kspace_denoise.cli.noise_words import note_coloured
from kspace_denoise.cli.options import penalty_option
from kspace_denoise.cli.readout import readout_option, with_readout
from kspace_denoise.cli.written import Written
from kspace_denoise.pipeline import (
    Denoised,
    check_use,
    denoise_images,
    denoise_slices,
)
from kspace_denoise.scan import Images, Scan
from kspace_denoise.stages import STAGES, KnownNoise, check_cartesian, check_stage, with_noise

_EXAMPLE = """\
kspace-denoise denoise scan.h5 clean.h5 --model c2s.safetensors
kspace-denoise denoise T1.h5 clean.h5 --model two.safetensors --contrast T2.h5
kspace-denoise denoise magnitudes.h5 clean.h5 --model wavelet --sigma estimate --vst
kspace-denoise denoise dwi.nii.gz clean.nii.gz --model ddm2.safetensors"""


@command(_EXAMPLE, {"MODEL|METHOD": ABOUT})
@click.argument("source", metavar="IN", type=PATH)
@click.argument("output", metavar="OUT", type=PATH)
@click.option(
    "--model",
    required=True,
    metavar="MODEL|METHOD",
    help="A trained denoiser's file, or a method that needs no training.",
)
@contrast_option(
    "The same slices in another contrast, for a model that was trained with such, in its order."
)
@sigma_option()
@classical_options()
@click.option("--stage", help=f"{' or '.join(STAGES)}; that of the model unless given.")
@click.option("--allow-other-stage", is_flag=True, help="Use a model at the other stage.")
@calibration_option()
@replicas_option()
@penalty_option()
@crop_option()
@oversampling_option()
@noise_option()
@readout_option()
@device_option()
@of_folders()
@of_volumes()
def denoise(
    source: Path,
    output: Path,
    model: str,
    contrasts: tuple[Path, ...],
    sigma: Sigma,
    strength: float | None,
    vst: bool,
    stage: str | None,
    allow_other_stage: bool,
    calibration: int | None,
    replicas: int,
    penalty: float,
    crop: str | None,
    oversampling: bool,
    noise_file: Path | None,
    readout: int | None,
    device: str,
) -> None:
    """Denoise the scan IN and write the images to OUT; of a folder IN every file, to a folder OUT.

    Writes the complex image as `reconstruction`, in the unit of the raw data, with the noisy image
    it came from (`noisy`) and that image's noise map (`noisy_sigma`) beside it. The noise left in
    the result is not known, so it has no `noise_sigma`. A diffusion scan is written as NIfTI, with
    its header, b-values and directions.
    """
    denoiser = find_denoiser(model, device, strength, vst)
    stage = stage or getattr(denoiser, "stage", None) or "after-sense"
    check_use(denoiser, stage, allow_other_stage)
    check_paths(output, source, noise_file, *contrasts)
    contents = {path: formats.read(path) for path in (source, *contrasts)}
    check_sigma_use(sigma, contents)
    content = contents[source]
    others = [_contrast(contents[path], path, sigma) for path in contrasts]
    if isinstance(content, Images):
        if crop is not None or oversampling:
            raise ValueError(f"{source} holds images: only k-space can be cropped on the way")
        content, noise = with_sigma(content, source, sigma)
        if model in CLASSICAL and not vst:
            note_bias([source], contents)
        slices, total, size = denoise_images(content, denoiser, others), len(content.data), None
        told = False
    else:
        _refuse_vst(vst, source)
        content, known = _ready(content, source, readout, noise_file, oversampling)
        size, noise, total = crop_size(crop, content), known.source, len(content.kspace)
        plain, denoiser = denoiser, told_spectrum(denoiser, content, known)
        told = denoiser is not plain
        slices = denoise_slices(
            content, denoiser, check_stage(stage), known, calibration, replicas, penalty, others
        )
    record = provenance.record(
        command_line(),
        [path for path in (source, noise_file, *contrasts) if path is not None],
        model=model,
        model_sha256=provenance.sha256(model) if Path(model).is_file() else None,
        calibration=calibration,
        replicas=replicas,
        penalty=penalty,
        crop=size,
        oversampling_removed=oversampling,
        stage=stage,
        method=getattr(denoiser, "method", None),
        training=getattr(denoiser, "record", None),
        noise=noise,
        noise_spectrum_told=told,
        strength=strength,
        vst=vst,
    )
    done = Written()
    with formats.image_writer(output, total) as writer:
        for index, piece in enumerate(progress(slices, "denoise", total)):
            written = cropped(_named(piece), size)
            writer.write(index, **written)
            done.add(written["reconstruction"], written.get("noisy_sigma"))
        writer.write_header({**image_header(content, size), "provenance": record})
    click.echo(done.line(output, total, " of the noisy images"))


def _refuse_vst(vst: bool, source: Path) -> None:
    """Refuse `--vst` for k-space.

    Raises:
        click.UsageError: saying why.
    """
    if vst:
        raise click.UsageError(
            f"--vst is for magnitude images, and {source} holds k-space: its images are complex, "
            "with Gaussian noise"
        )


def _ready(
    scan: Scan, source: Path, readout: int | None, noise_file: Path | None, oversampling: bool
) -> tuple[Scan, KnownNoise]:
    """Return the scan as it is denoised, and its noise."""
    check_cartesian(scan, "denoising")
    scan = with_readout(scan, readout)
    note_unsampled_data(scan)
    known = load_noise(scan, noise_file)
    note_coloured(known, source)
    return without_oversampling(scan, known) if oversampling else (scan, known)


def _named(piece: Denoised) -> dict[str, Any]:
    """Return what is written of one slice, by the name of its dataset."""
    images = {"reconstruction": piece.image, "noisy": piece.noisy}
    return images if piece.sigma is None else {**images, "noisy_sigma": piece.sigma}


def _contrast(content: Scan | Images, path: Path, sigma: Sigma) -> Scan | Images:
    """Settle the noise of another contrast."""
    if isinstance(content, Images):
        return with_sigma(content, path, sigma)[0]
    try:
        return with_noise(content, load_noise(content))
    except recon.NoiseNotFound as error:
        raise ValueError(f"{path}: {error}") from error
