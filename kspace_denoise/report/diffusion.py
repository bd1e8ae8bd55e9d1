"""`write_dwi_report`: a diffusion scan denoised in several ways, as a page with pictures."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kspace_denoise.dmri.experiment import DwiExperiment, Outcome
from kspace_denoise.dmri.shells import B0
from kspace_denoise.provenance import to_json
from kspace_denoise.report.figures import training_curves
from kspace_denoise.report.write import render, save_picture, write_text
from kspace_denoise.scan import Numpy

RESIDUAL = 0.15
"""Residuals are shown up to this part of the brightest tissue, either way."""
DIFFUSIVITY = 3e-3


def write_dwi_report(folder: Path, experiment: DwiExperiment, provenance: dict[str, Any]) -> None:
    """Write `report.html`, `results.json`, `provenance.json` and PNG pictures."""
    voxels = experiment.callosum.sum(axis=(1, 2)) + 1e-6 * experiment.mask.sum(axis=(1, 2))
    middle = int(np.argmax(voxels))
    pictures = {
        "images": comparison(experiment, middle),
        "tensors": tensor_maps(experiment, middle),
        "training": training_curves(
            {name: one["losses"] for name, one in experiment.denoiser.record["networks"].items()}
        ),
    }
    encoded = {name: save_picture(folder / f"{name}.png", f) for name, f in pictures.items()}
    rows, noisy = experiment.rows, experiment.noisy.images
    assert noisy.bval is not None
    page = render(
        "diffusion.html",
        rows=rows,
        shape=noisy.data.shape,
        callosum=int(experiment.callosum.sum()),
        repeats=int((noisy.bval < B0).sum()),
        middle=middle,
        residual=RESIDUAL,
        training_seconds=float(experiment.denoiser.record["seconds"]),
        provenance=to_json(provenance),
        **encoded,
    )
    write_text(folder / "report.html", page)
    write_text(folder / "results.json", to_json(rows))
    write_text(folder / "provenance.json", to_json(provenance))


def comparison(experiment: DwiExperiment, piece: int) -> Figure:
    """Draw one slice of a volume of b > 0, by every method, and what each took away."""
    noisy = experiment.noisy
    assert noisy.images.bval is not None
    volume = int(np.argmax(noisy.images.bval >= B0))
    before = np.abs(noisy.images.data[volume, piece])
    top = float(np.percentile(before[experiment.mask[piece]], 99.5))
    figure, axes = _grid(2, experiment)
    for column, one in enumerate(experiment.outcomes):
        image = np.abs(one.images.data[volume, piece])
        _show(axes[0, column], image, experiment, piece, one.method, vmin=0, vmax=top, cmap="gray")
        limits = {"vmin": -RESIDUAL * top, "vmax": RESIDUAL * top, "cmap": "gray"}
        if one is noisy:
            axes[1, column].set_axis_off()
            continue
        _show(axes[1, column], before - image, experiment, piece, "taken away", **limits)
    return figure


def tensor_maps(experiment: DwiExperiment, piece: int) -> Figure:
    """Draw FA in the colours of the fibres, FA, MD, AD and RD, by every method."""
    figure, axes = _grid(5, experiment)
    for column, one in enumerate(experiment.outcomes):
        for row, (title, image, top) in enumerate(_maps(one, piece)):
            words = f"{one.method}\n{title}" if row == 0 else title
            _show(axes[row, column], image, experiment, piece, words, vmin=0, vmax=top, cmap="gray")
    return figure


def _maps(outcome: Outcome, piece: int) -> list[tuple[str, Numpy, float]]:
    tensors = outcome.tensors
    return [
        ("fibres", tensors.colour[piece], 1.0),
        ("FA", tensors.fa[piece], 1.0),
        ("MD", tensors.md[piece], DIFFUSIVITY),
        ("AD", tensors.ad[piece], DIFFUSIVITY),
        ("RD", tensors.rd[piece], DIFFUSIVITY),
    ]


def _grid(rows: int, experiment: DwiExperiment) -> tuple[Figure, Any]:
    columns = len(experiment.outcomes)
    figure = Figure(figsize=(2.6 * columns, 2.9 * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _show(
    axes: Axes, image: Numpy, experiment: DwiExperiment, piece: int, title: str, **how: Any
) -> None:
    """Draw an image, cropped to the brain, as it would be seen with y upwards in NIfTI."""
    inside = experiment.mask[piece]
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    crop = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    axes.imshow(crop, interpolation="nearest", origin="lower", **how)
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()
