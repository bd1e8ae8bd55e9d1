"""Tables as pictures: dots with intervals, and slices side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.quality.pictures_kept import picture_path
from benchmarks.quality.statistics import Result
from benchmarks.quality.tables import Sheet
from benchmarks.quality.volumes import Numpy

_MOST = 11  # images in a row of a panel
_COLUMNS = 6  # of a grid
_CORRELATION = 0.2  # ends of the colours, at least


def draw_table(section: Mapping[str, Any], path: Path) -> None:
    """Draw each row's gain over the baseline, with its paired 95 % interval."""
    gains = {i: _gain(row) for i, row in enumerate(section["rows"])}
    known = {i: gain for i, gain in gains.items() if gain is not None}
    rows = [section["rows"][i] for i in known]
    figure = Figure(figsize=(7, 0.8 + 0.35 * len(rows)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(rows))[::-1]
    bars = [_half(row) or 0.0 for row in rows]
    axes.errorbar(list(known.values()), places, xerr=bars, fmt="o", capsize=3, color="black")
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_yticks(places, [row["title"] or row["row"] for row in rows])
    axes.set_xlabel(_label(section))
    axes.set_title(_heading(section), fontsize=9)
    figure.savefig(path, dpi=120)


def draw_panel(sheet: Sheet, rows: Sequence[str], work: Path, path: Path) -> bool:
    """Draw the kept slice of each row, one line per contrast; tell whether there was any."""
    kept = {name: _kept(sheet.results[name], work) for name in rows if name in sheet.results}
    kept = {name: images for name, images in kept.items() if images}
    if not kept:
        return False
    truth = next((i for i in kept.values() if any(k.startswith("truth") for k in i)), {})
    columns: dict[str, Mapping[str, Numpy]] = {}
    if truth:
        columns["noise-free"] = {k[6:]: v for k, v in truth.items() if k.startswith("truth-")}
    columns |= dict(list(kept.items())[:_MOST])
    contrasts = [name for name in next(iter(kept.values())) if not name.startswith("truth-")]
    size = (1.6 * len(columns), 1.75 * len(contrasts))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(contrasts), len(columns), squeeze=False)
    for number, (line, contrast) in enumerate(zip(grid, contrasts, strict=True)):
        shown = [np.abs(images[contrast]) for images in columns.values() if contrast in images]
        top = float(np.percentile(shown[0], 99.8))
        for axes, (name, images) in zip(line, columns.items(), strict=True):
            axes.axis("off")
            if contrast in images:
                axes.imshow(np.abs(images[contrast]), cmap="gray", vmin=0, vmax=top)
            if number == 0:
                axes.set_title(name, fontsize=7)
    figure.savefig(path, dpi=110)
    return True


def draw_grid(sheet: Sheet, rows: Sequence[str], work: Path, path: Path) -> bool:
    """Draw the kept slice of the first contrast by every row; tell whether there were several."""
    shown: dict[str, Numpy] = {}
    for name in rows:
        images = _kept(sheet.results[name], work) if name in sheet.results else {}
        contrasts = [key for key in images if not key.startswith("truth-")]
        if contrasts:
            truth = images.get(f"truth-{contrasts[0]}")
            shown |= {} if truth is None else {"noise-free": truth}
            shown[name] = images[contrasts[0]]
    if len(shown) < 3:
        return False
    lines = -(-len(shown) // _COLUMNS)
    figure = Figure(figsize=(2 * _COLUMNS, 2.15 * lines), layout="constrained")
    grid = figure.subplots(lines, _COLUMNS, squeeze=False)
    top = float(np.percentile(np.abs(next(iter(shown.values()))), 99.8))
    for axes in grid.flat:
        axes.axis("off")
    for axes, (name, image) in zip(grid.flat, shown.items(), strict=False):
        axes.imshow(np.abs(image), cmap="gray", vmin=0, vmax=top)
        axes.set_title(name, fontsize=8)
    figure.savefig(path, dpi=110)
    return True


def draw_correlations(sheet: Sheet, path: Path) -> bool:
    """Draw the autocorrelation of each row's residual; tell whether there was any."""
    found = {
        name: np.mean([r["autocorrelation"] for r in results], axis=0)
        for name, results in sheet.results.items()
        if all(r.get("autocorrelation") is not None for r in results)
    }
    if not found:
        return False
    found = dict(list(found.items())[:_MOST])
    figure = Figure(figsize=(1.8 * len(found) + 0.8, 2.2), layout="constrained")
    grid = figure.subplots(1, len(found), squeeze=False)[0]
    reach = len(next(iter(found.values()))) // 2
    top = max(_CORRELATION, *(float(np.abs(values).max()) for values in found.values()))
    for axes, (name, values) in zip(grid, found.items(), strict=True):
        image = axes.imshow(
            values, cmap="RdBu", vmin=-top, vmax=top, extent=[-reach, reach, reach, -reach]
        )
        axes.set_title(f"{name}\nlargest {np.abs(values).max():.3f}", fontsize=7)
    figure.colorbar(image, ax=list(grid), label="correlation")
    figure.savefig(path, dpi=110)
    return True


def _kept(results: Sequence[Result], work: Path) -> dict[str, Numpy]:
    """Return the images of the first seed of a row."""
    result = results[0]
    last = "untrained" if result["seed"] is None else f"seed{result['seed']}-steps{result['steps']}"
    path = picture_path(work, Path(result["dataset"]) / result["row"] / last)
    if not path.exists():
        return {}
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _heading(section: Mapping[str, Any]) -> str:
    stress = "stress test" if section.get("stress") else None
    parts = [section["title"], section["dataset"], stress, section.get("contrast")]
    return ", ".join(part for part in parts if part)


def _label(section: Mapping[str, Any]) -> str:
    if "best_comparator" in section:
        return "unbiased error, σ² (± 2 standard errors)"
    return f"PSNR minus that of {section['baseline']}, dB (95 %, paired)"


def _gain(row: Mapping[str, Any]) -> float | None:
    """Return what is drawn of a row."""
    if "error" in row:
        return float(row["error"])
    lead = lead_score(row)
    return None if row[f"{lead}_difference"] is None else float(row[f"{lead}_difference"])


def _half(row: Mapping[str, Any]) -> float | None:
    if "error" in row:
        return 2 * float(row["standard_error"])
    return row[f"{lead_score(row)}_difference_half"]  # type: ignore[no-any-return]


def lead_score(row: Mapping[str, Any]) -> str:
    """Return the PSNR that a table leads with."""
    return next(name for name in row if name.startswith("psnr_"))
