"""`kspace-denoise info`: what a file holds, as text, JSON or a picture."""

from pathlib import Path
from typing import Any

import click
import numpy as np

from kspace_denoise import formats, provenance, recon
from kspace_denoise.cli.common import PATH, command, load_covariance, progress
from kspace_denoise.recon import NoiseNotFound
from kspace_denoise.scan import Images, Scan, Sliceable

_ASKED = ("field_strength_T", "readout_axis", "noise_sigma")  # shown even where unknown
_NAMED = ("acquisition", "contrast", "scanner", "licence", "notes")


@command("kspace-denoise info brain.h5 --picture brain.png")
@click.argument("file", metavar="FILE", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--picture", type=PATH, metavar="FILE", help="Also draw it into a PNG, PDF or SVG.")
def info(file: Path, as_json: bool, picture: Path | None) -> None:
    """Say what FILE holds: k-space, images or noise. Every slice is read, so damaged data show."""
    content: Scan | Images | None = None
    if formats.is_noise_scan(file):
        found = _describe_noise(file)
    elif len(sets := formats.image_sets(file)) > 1:
        found = {"content": f"{len(sets)} sets of images", **{k: list(v) for k, v in sets.items()}}
    else:
        content = formats.read(file)
        found = _describe_scan(content) if isinstance(content, Scan) else _describe_images(content)
    if picture is not None:
        _draw(file, content, picture)
    found = {"file": str(file), **found}
    click.echo(provenance.to_json(found) if as_json else _text(found), nl=True)


def _describe_scan(scan: Scan) -> dict[str, Any]:
    slices, coils, ky, kx = scan.kspace.shape
    return {
        "content": "raw k-space",
        "slices": slices,
        "coils": coils,
        "matrix_ky_kx": [ky, kx],
        "dtype": str(scan.kspace.dtype),
        "megabytes": round(scan.kspace.dtype.itemsize * slices * coils * ky * kx / 1e6, 2),
        "field_strength_T": scan.field_strength,
        "readout_axis": scan.readout_axis,
        **_describe_sampling(scan),
        **_describe_kspace(scan.kspace),
        **_describe_known_noise(scan),
        **_describe_header(scan.header),
    }


def _describe_sampling(scan: Scan) -> dict[str, Any]:
    if scan.mask is None:
        return {"sampled_fraction": 1.0, "mask": None}
    fraction = float(np.mean(scan.mask))
    return {
        "sampled_fraction": round(fraction, 4),
        "acceleration": round(1 / fraction, 3),
        "mask": list(scan.mask.shape),
    }


def _describe_kspace(kspace: Sliceable) -> dict[str, Any]:
    """Read every slice: the peak, where it is, and columns and rows that hold nothing."""
    peak, where, power = 0.0, [0, 0], np.zeros(kspace.shape[2:])
    blank = []
    for index in progress(range(len(kspace)), "read"):
        strength = np.sum(np.abs(kspace[index]).astype(np.float64) ** 2, axis=0)
        power += strength
        if not strength.any():
            blank.append(index)
        if strength.max() > peak:
            peak = float(strength.max())
            where = [int(i) for i in np.unravel_index(strength.argmax(), strength.shape)]
    return {
        "peak_at_ky_kx": where,
        "centre_ky_kx": [n // 2 for n in kspace.shape[2:]],
        "zero_rows": int(np.sum(~power.any(axis=1))),
        "zero_columns": int(np.sum(~power.any(axis=0))),
        "blank_slices": blank or None,
    }


def _describe_known_noise(scan: Scan) -> dict[str, Any]:
    try:
        covariance = load_covariance(scan)
    except NoiseNotFound as error:
        return {"noise_sigma": None, "noise_from": f"not known: {error}"}
    return {"noise_sigma": covariance.sigma, "noise_from": covariance.source}


def _describe_images(images: Images) -> dict[str, Any]:
    magnitude = np.abs(images.data)
    sigma = None if images.sigma is None else np.asarray(images.sigma)
    known = None if sigma is None or not (sigma > 0).any() else float(np.median(sigma[sigma > 0]))
    return {
        "content": "complex images" if np.iscomplexobj(images.data) else "magnitude images",
        "dataset": images.header.get("dataset"),
        "shape": list(images.data.shape),
        "dtype": str(images.data.dtype),
        "maximum": float(magnitude.max()),
        "noise_sigma": known,
        "noise_from": None if known is None else "stored in the file (median of the map)",
        **_describe_header(images.header),
    }


def _describe_noise(file: Path) -> dict[str, Any]:
    samples = formats.read_noise(file).samples
    assert samples is not None
    covariance = recon.noise_covariance(samples)
    level = np.sqrt(np.diag(covariance).real)
    correlation = np.abs(covariance / np.outer(level, level))
    others = correlation[~np.eye(len(level), dtype=bool)]
    return {
        "content": "noise scan",
        "coils": len(samples),
        "samples_per_coil": int(np.prod(samples.shape[1:])),
        "dtype": str(samples.dtype),
        "noise_sigma": float(np.median(level) / np.sqrt(2)),
        "noise_sigma_per_coil": [float(x) for x in level / np.sqrt(2)],
        "largest_coil_correlation": float(others.max()) if others.size else None,
    }


def _describe_header(header: dict[str, Any]) -> dict[str, Any]:
    named = {name: header[name] for name in _NAMED if name in header}
    matrices = {k: v for k, v in header.get("ismrmrd", {}).items() if k != "field_strength_T"}
    made_by = header.get("provenance", {})
    command = made_by.get("command") if isinstance(made_by, dict) else None
    return {**matrices, **named, **({"made_by": command} if command else {})}


def _text(found: dict[str, Any]) -> str:
    lines = {name: value for name, value in found.items() if value is not None or name in _ASKED}
    width = max(len(name) for name in lines)
    return "\n".join(f"{name.ljust(width)}  {_value(value)}" for name, value in lines.items())


def _value(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(v) for v in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _draw(file: Path, content: Scan | Images | None, picture: Path) -> None:
    from kspace_denoise.cli.picture import draw_images, draw_scan, save

    if content is None:
        raise ValueError(f"{file} holds neither k-space nor one set of images: nothing to draw")
    title = file.name
    figure = draw_scan(content, title) if isinstance(content, Scan) else draw_images(content, title)
    save(figure, picture)
