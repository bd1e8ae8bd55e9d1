"""`kspace-denoise info`: what a file holds, as text, JSON or a picture."""

import math
from pathlib import Path
from typing import Any

import click
import numpy as np

from kspace_denoise import formats, provenance
from kspace_denoise.cli.chain import interference_in, low_field_in
from kspace_denoise.cli.common import PATH, command, load_noise
from kspace_denoise.cli.model_info import describe_model, is_model
from kspace_denoise.cli.noise_words import (
    contradicted,
    describe_known_noise,
    describe_noise_scan,
    noise_warnings,
)
from kspace_denoise.cli.reach import describe_reach
from kspace_denoise.cli.readout import readout_option, with_readout
from kspace_denoise.cli.survey import Survey, survey, warnings_of
from kspace_denoise.dmri.shells import shells
from kspace_denoise.scan import Images, Numpy, Scan
from kspace_denoise.stages import KnownNoise

_ASKED = (
    "field_strength_T",
    "readout_axis",
    "noise_sigma",
    "snr",
    "highest_field_T",
)  # shown even where unknown
_NAMED = ("acquisition", "contrast", "scanner", "licence")
_MATRICES = ("encoded_matrix", "recon_matrix", "recon_field_of_view_mm")


@command("kspace-denoise info brain.h5 --picture brain.png")
@click.argument("file", metavar="FILE", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--picture", type=PATH, metavar="FILE", help="Also draw it into a PNG, PDF or SVG.")
@readout_option()
def info(file: Path, as_json: bool, picture: Path | None, readout: int | None) -> None:
    """Say what FILE holds: k-space, images, noise, or a trained denoiser and how it was trained.

    Every slice is read, so damaged data show.

    Of k-space it tells the noise, the SNR (mean magnitude over the object in units of the median
    sigma there) and the highest field that `simulate --field --noise-law mixed` can make of it.
    """
    content: Scan | Images | None = None
    noise: KnownNoise | str = ""
    if is_model(file):
        found = describe_model(file)
    elif formats.is_noise_scan(file):
        found, noise = describe_noise_scan(file)
    elif len(sets := formats.image_sets(file)) > 1:
        found = {"content": f"{len(sets)} sets of images", **{k: list(v) for k, v in sets.items()}}
    else:
        content = formats.read(file)
        if isinstance(content, Scan):
            content = with_readout(content, readout)
            seen, noise = survey(content), _noise_of(content)
            found = _describe_scan(file, content, seen, noise)
        else:
            found = _describe_images(content)
    found = {"file": str(file), **found}
    click.echo(provenance.to_json(found) if as_json else _text(found), nl=True)
    if picture is not None:
        _draw(file, content, noise, found, picture)


def _describe_scan(file: Path, scan: Scan, seen: Survey, noise: KnownNoise | str) -> dict[str, Any]:
    grid = _describe_grid(scan, seen) if scan.trajectory is None else _describe_trajectory(scan)
    slices, coils, *samples = scan.kspace.shape
    return {
        "content": "raw k-space",
        "kind": formats.kind_of(file, scan.header, scan.kspace.shape),
        **_describe_repetitions(file),
        "slices": slices,
        "coils": coils,
        "dtype": str(scan.kspace.dtype),
        "megabytes": round(
            scan.kspace.dtype.itemsize * slices * coils * math.prod(samples) / 1e6, 2
        ),
        "field_strength_T": scan.field_strength,
        **grid,
        "blank_slices": seen.blank or None,
        **describe_known_noise(noise),
        "interference": interference_in(scan.header),
        "low_field": low_field_in(scan.header),
        **describe_reach(scan, noise),
        **_describe_header(scan.header),
        "warnings": [*warnings_of(scan, seen), *noise_warnings(noise), *contradicted(scan, noise)],
    }


def _describe_grid(scan: Scan, seen: Survey) -> dict[str, Any]:
    ky, kx = scan.kspace.shape[2:]
    return {
        "matrix_ky_kx": [ky, kx],
        "readout_axis": scan.readout_axis,
        **_describe_sampling(scan),
        "peak_at_ky_kx": list(seen.peak),
        "centre_ky_kx": [ky // 2, kx // 2],
        "zero_rows": int(np.sum(~seen.power.any(axis=1))),
        "zero_columns": int(np.sum(~seen.power.any(axis=0))),
    }


def _describe_trajectory(scan: Scan) -> dict[str, Any]:
    assert scan.trajectory is not None
    assert scan.image_shape is not None
    readouts, samples = scan.kspace.shape[2:]
    radius = np.abs(scan.trajectory).max(axis=(0, 1))
    return {
        "trajectory": scan.header.get("trajectory_kind", "in the file"),
        "readouts": readouts,
        "samples": samples,
        "image_y_x": list(scan.image_shape),
        "extent_ky_kx": [float(r) for r in radius],
    }


def _describe_repetitions(file: Path) -> dict[str, Any]:
    files = formats.repetitions(file)
    if len(files) == 1:
        return {}
    position = [path.name for path in files].index(file.name) + 1
    return {"repetition": f"{position} of {len(files)}", "repetitions": [p.name for p in files]}


def _describe_sampling(scan: Scan) -> dict[str, Any]:
    if scan.mask is None:
        return {"sampled_fraction": 1.0, "mask": None}
    fraction = float(np.mean(scan.mask))
    return {
        "sampled_fraction": round(fraction, 4),
        "acceleration": round(1 / fraction, 3),
        "mask": list(scan.mask.shape),
    }


def _noise_of(scan: Scan) -> KnownNoise | str:
    """Return the noise of a scan, or the sentence that says why it is not known."""
    try:
        return load_noise(scan)
    except ValueError as error:
        return str(error)


def _describe_images(images: Images) -> dict[str, Any]:
    magnitude = np.abs(images.data)
    sigma = None if images.sigma is None else np.asarray(images.sigma)
    known = None if sigma is None or not (sigma > 0).any() else float(np.median(sigma[sigma > 0]))
    return {
        "content": "complex images" if np.iscomplexobj(images.data) else "magnitude images",
        "dataset": images.header.get("dataset"),
        "shape": list(images.data.shape),
        "dtype": str(images.data.dtype),
        **_describe_volumes(images),
        "maximum": float(magnitude.max()),
        "noise_sigma": known,
        "noise_from": None if known is None else "stored in the file (median of the map)",
        **_describe_header(images.header),
    }


def _describe_volumes(images: Images) -> dict[str, Any]:
    """Return the shells of a diffusion scan, and the size of its voxels where that is known."""
    found: dict[str, Any] = {}
    if images.bval is not None:
        of_each = (f"{len(one.volumes)} of b = {one.bval:g}" for one in shells(images.bval))
        found["volumes"] = ", ".join(of_each)
        found["directions"] = "known" if images.bvec is not None else "not known"
    if images.affine is not None:
        sizes = np.linalg.norm(images.affine[:3, :3], axis=0)
        found["voxel_mm_xyz"] = [round(float(size), 3) for size in sizes]
    return found


def _describe_header(header: dict[str, Any]) -> dict[str, Any]:
    named = {name: header[name] for name in _NAMED if name in header}
    said = header.get("ismrmrd", {})
    matrices = {name: said[name] for name in _MATRICES if name in said}
    made_by = header.get("provenance", {})
    command = made_by.get("command") if isinstance(made_by, dict) else None
    return {**matrices, **named, **({"made_by": command} if command else {})}


def _text(found: dict[str, Any]) -> str:
    plain = {name: value for name, value in found.items() if name != "warnings"}
    lines = [(k, _value(v)) for k, v in plain.items() if v is not None or k in _ASKED]
    lines += [("warning", warning) for warning in found.get("warnings", [])]
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in lines)


def _value(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(v) for v in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _before(file: Path) -> tuple[Numpy, Numpy] | None:
    """Return the noisy images and their noise maps that `denoise` wrote beside its result."""
    if formats.is_nifti(file):
        return None
    try:
        noisy, sigma = (formats.read_images(file, name).data for name in ("noisy", "noisy_sigma"))
    except ValueError:
        return None
    return noisy, sigma


def _draw(
    file: Path,
    content: Scan | Images | None,
    noise: KnownNoise | str,
    found: dict[str, Any],
    picture: Path,
) -> None:
    from kspace_denoise.cli.noise_picture import draw_noise_scan
    from kspace_denoise.cli.picture import draw_images, draw_scan, save

    known = noise if isinstance(noise, KnownNoise) else None
    if isinstance(content, Scan):
        figure = draw_scan(content, known, file.name, found.get("snr"))
    elif content is not None:
        figure = draw_images(content, file.name, _before(file))
    elif known is not None:
        figure = draw_noise_scan(known, file.name)
    else:
        raise ValueError(f"{file} ({found['content']}): there is no single image to draw")
    save(figure, picture)
