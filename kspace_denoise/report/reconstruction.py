"""The report of one reconstruction: images, how sure they are, and samples of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from kspace_denoise.provenance import to_json
from kspace_denoise.report.write import render, save_picture, write_text
from kspace_denoise.scan import Numpy

SAMPLES_SHOWN = 3
SPREADS = {
    "posterior_std": "spread of the samples",
    "noise_sigma": "noise, sigma per real component",
}


def draw_slice(images: Mapping[str, Numpy]) -> Figure:
    """Draw a slice by the names of its datasets: magnitude, spread, relative spread, samples."""
    name, image = next(iter(images.items()))
    magnitude = np.abs(image)
    panels: list[tuple[Numpy, str, str, float | None]] = [
        (magnitude, "mean of the samples" if "posterior_std" in images else name, "gray", None)
    ]
    for dataset, title in SPREADS.items():
        if dataset in images:
            spread = images[dataset]
            floor = 0.05 * float(np.percentile(magnitude, 99))
            panels.append((spread, title, "magma", None))
            panels.append(
                (
                    spread / np.maximum(magnitude, floor),
                    "the same over the magnitude, up to 1",
                    "magma",
                    1.0,
                )
            )
    for number, sample in enumerate(images.get("posterior_samples", ())[:SAMPLES_SHOWN]):
        panels.append((np.abs(sample), f"sample {number + 1}", "gray", None))
    top = float(np.percentile(magnitude, 99.7)) or 1.0
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    height = 3.4 * magnitude.shape[0] / magnitude.shape[1] + 0.3
    figure = Figure(figsize=(3.6 * columns, height * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes:
        ax.set_axis_off()
    for ax, (values, title, colours, highest) in zip(axes, panels, strict=False):
        limit = top if colours == "gray" else highest or float(np.percentile(values, 99.7)) or 1.0
        shown = ax.imshow(values, vmin=0, vmax=limit, cmap=colours, interpolation="nearest")
        ax.set_title(title, fontsize=9)
        if colours != "gray":
            figure.colorbar(shown, ax=ax, shrink=0.8)
    return figure


def write_reconstruction(
    folder: Path,
    title: str,
    story: list[str],
    pictures: Mapping[str, Figure],
    provenance: dict[str, Any],
) -> None:
    """Write `report.html`, its pictures as PNG, and `provenance.json` to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {
        name: save_picture(folder / f"{name.replace(' ', '-')}.png", figure)
        for name, figure in pictures.items()
    }
    text = to_json(provenance)
    page = render("reconstruction.html", title=title, story=story, pictures=kept, provenance=text)
    write_text(folder / "report.html", page)
    write_text(folder / "provenance.json", text)
