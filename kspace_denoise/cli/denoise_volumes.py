"""`kspace-denoise denoise` of a diffusion scan, all volumes together."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kspace_denoise import formats, provenance
from kspace_denoise.cli.common import Decorator, check_distinct, command_line, counter, note
from kspace_denoise.cli.doubts import warn
from kspace_denoise.cli.dwi_options import DwiFiles, dwi_options, read_dwi
from kspace_denoise.cli.image_noise import Sigma
from kspace_denoise.dmri.classical import VOLUME_METHODS
from kspace_denoise.dmri.denoiser import VolumeDenoiser
from kspace_denoise.dmri.files import is_of_volumes, load_volumes
from kspace_denoise.formats.atomic import atomic, check_place
from kspace_denoise.formats.nifti import stem
from kspace_denoise.scan import Images

_OTHERS = {
    "contrasts": "--contrast",
    "strength": "--strength",
    "vst": "--vst",
    "stage": "--stage",
    "allow_other_stage": "--allow-other-stage",
    "calibration": "--calibration",
    "replicas": "--replicas",
    "penalty": "--lambda",
    "crop": "--crop",
    "oversampling": "--remove-oversampling",
    "noise_file": "--noise",
    "readout": "--readout",
}
"""Options of `denoise` that mean nothing for a scan of volumes."""


def of_volumes() -> Decorator:
    """Let `denoise` denoise diffusion scans by methods that see all their volumes."""

    def decorate(run: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(run)
        def either(
            model: str, bval: Path | None, bvec: Path | None, phase: Path | None, **options: Any
        ) -> None:
            files = DwiFiles(bval, bvec, phase)
            if _sees_volumes(model):
                _denoise(model, files, options)
                return
            if files.given():
                raise click.UsageError(
                    "--bval, --bvec and --phase belong to methods that see all volumes of a "
                    f"diffusion scan: {', '.join(VOLUME_METHODS)}, or a denoiser trained by ddm2"
                )
            run(model=model, **options)

        return dwi_options()(either)

    return decorate


def _sees_volumes(model: str) -> bool:
    path = Path(model)
    return model in VOLUME_METHODS or (
        path.suffix == ".safetensors" and path.is_file() and is_of_volumes(path)
    )


def _denoise(model: str, files: DwiFiles, options: dict[str, Any]) -> None:
    """Denoise a scan and write it."""
    if given := [option for name, option in _OTHERS.items() if options[name]]:
        raise click.UsageError(
            f"for a diffusion scan {', '.join(given)} has no meaning: leave it out"
        )
    source, output = options["source"], options["output"]
    check_place(output)
    if not formats.is_nifti(output):
        raise ValueError(f"{output}: diffusion scans are written as .nii or .nii.gz")
    check_distinct(output, source, *files.given())
    if formats.is_nifti(source) and stem(output).resolve() == stem(source).resolve():
        raise ValueError(
            f"{output}: b-values, directions and the JSON beside {source} would be overwritten; "
            "give the output another name"
        )
    denoiser = None if model in VOLUME_METHODS else load_volumes(model, options["device"])
    if denoiser is not None:
        _check_scan(denoiser, source)
    images = read_dwi(source, files, _sigma(denoiser, options["sigma"]))
    clean = VOLUME_METHODS[model](images) if denoiser is None else _denoised(denoiser, images)
    record = provenance.record(
        command_line(),
        [source, *files.read(source)],
        model=model,
        model_sha256=provenance.sha256(model) if Path(model).is_file() else None,
        training=None if denoiser is None else _in_short(denoiser.record),
    )
    formats.write(output, clean)
    _write_beside(source, output, record)
    click.echo(f"{output}: {len(clean.data)} volumes of {clean.data.shape[1:]} voxels")


def _check_scan(denoiser: VolumeDenoiser, source: Path) -> None:
    """Warn of a denoiser that was trained on another file."""
    trained_on = denoiser.record.get("provenance", {}).get("inputs", [])
    if trained_on and trained_on[0].get("sha256") != provenance.sha256(source):
        warn(
            f"the denoiser was trained on {trained_on[0]['path']}, and {source} is another file: "
            "what it knows of volumes and noise is that scan's; better train on this one"
        )


def _in_short(record: dict[str, Any]) -> dict[str, Any]:
    """Return how a denoiser was trained, without what its own file tells of every network."""
    return {name: value for name, value in record.items() if name != "networks"}


def _sigma(denoiser: VolumeDenoiser | None, given: Sigma) -> Sigma:
    """Return the noise level that is given, or else that of the training."""
    if given is not None or denoiser is None:
        return given
    made_by = denoiser.record.get("provenance", {})
    known: Sigma = made_by.get("parameters", {}).get("sigma_given")
    if known is not None:
        note(f"--sigma {known}, as in training")
    return known


def _denoised(denoiser: VolumeDenoiser, images: Images) -> Images:
    """Return the scan without its noise, with a bar."""
    with counter(len(images.data), "denoise", "volume") as done:
        return denoiser(images, tick=done.update)


def _write_beside(source: Path, output: Path, record: dict[str, Any]) -> None:
    """Write what is known of the source, from the JSON beside it, and how the result was made."""
    beside = stem(source).with_suffix(".json") if formats.is_nifti(source) else source
    known = json.loads(beside.read_text()) if beside.suffix == ".json" and beside.is_file() else {}
    known = known if isinstance(known, dict) else {"beside_the_scan": known}
    with atomic(stem(output).with_name(f"{stem(output).name}.json")) as temporary:
        temporary.write_text(json.dumps({**known, "kspace_denoise": record}, indent=1))
