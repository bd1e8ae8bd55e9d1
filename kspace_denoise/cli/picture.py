"""The picture that `info --picture` draws: coil images, k-space, sampling, and their sum."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from kspace_denoise import recon
from kspace_denoise.formats.atomic import atomic
from kspace_denoise.fourier import ifft2c
from kspace_denoise.scan import Images, Numpy, Scan

_INK, _PAPER = "#e8e8e8", "#111418"
_SAMPLED = ListedColormap(["#1d2229", "#6fa8c9"])
_LARGEST_GRID = 32


def draw_scan(scan: Scan, title: str) -> Figure:
    """Draw the middle slice: root sum of squares, k-space, mask, and every coil image."""
    index = len(scan.kspace) // 2
    kspace = scan.kspace[index]
    coils = len(kspace)
    columns, rows = _grid(min(coils, _LARGEST_GRID))
    height = 10 / columns * rows
    figure = Figure(figsize=(10, 3.9 + height), facecolor=_PAPER, layout="constrained")
    parts: Any = figure.subfigures(
        2 if rows else 1, 1, height_ratios=[3.6, height][: 1 + bool(rows)]
    )
    parts = np.atleast_1d(parts)
    _draw_overview(parts[0], kspace, scan.slice_mask(index))
    if rows:
        _draw_coils(parts[1], ifft2c(kspace[: columns * rows]), columns, rows)
    field = "" if scan.field_strength is None else f", {scan.field_strength:g} T"
    more = f", the first {_LARGEST_GRID} shown" if coils > _LARGEST_GRID else ""
    counted = f"{coils} coil{'s' if coils > 1 else ''}"
    figure.suptitle(
        f"{title}: slice {index} of {len(scan.kspace)}, {counted}{more}{field}", color=_INK
    )
    return figure


def _grid(coils: int) -> tuple[int, int]:
    """Return columns and rows for the coil images; a single coil has no grid of its own."""
    columns = min(8, max(3, math.ceil(math.sqrt(2 * coils))))
    return columns, (math.ceil(coils / columns) if coils > 1 else 0)


def _draw_overview(figure: Any, kspace: Numpy, mask: Numpy | None) -> None:
    figure.set_facecolor(_PAPER)
    sampled = np.broadcast_to(True if mask is None else mask, kspace.shape[-2:])
    left, middle, right = figure.subplots(1, 3)
    _show(left, recon.rss(ifft2c(kspace)), "root sum of squares")
    _show(middle, _logarithm(kspace), "k-space, log magnitude", cmap="magma")
    _show(right, sampled, f"sampled, {sampled.mean():.0%}", vmin=0, vmax=1, cmap=_SAMPLED)


def _draw_coils(figure: Any, coil_images: Numpy, columns: int, rows: int) -> None:
    figure.set_facecolor(_PAPER)
    brightest = np.percentile(np.abs(coil_images), 99.5)
    for coil, axes in enumerate(np.atleast_1d(figure.subplots(rows, columns)).flat):
        axes.set_axis_off()
        if coil < len(coil_images):
            _show(axes, np.abs(coil_images[coil]), f"coil {coil}", vmin=0, vmax=brightest)


def draw_images(images: Images, title: str) -> Figure:
    """Draw the middle slice: magnitude, phase of complex images, and the noise map if known."""
    index = len(images.data) // 2
    data = images.data[index].reshape(-1, *images.data.shape[-2:])[0]
    panels: list[tuple[Numpy, str, dict[str, Any]]] = [(np.abs(data), "magnitude", {})]
    if np.iscomplexobj(data):
        phase = {"cmap": "twilight", "vmin": -np.pi, "vmax": np.pi}
        panels.append((np.angle(data), "phase", phase))
    if images.sigma is not None:
        sigma = np.broadcast_to(images.sigma, images.data.shape)[index]
        panels.append((sigma.reshape(-1, *data.shape)[0], "sigma", {"cmap": "viridis"}))
    figure = Figure(figsize=(3.6 * len(panels), 4), facecolor=_PAPER, layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    for ax, (values, name, look) in zip(axes, panels, strict=True):
        _show(ax, values, name, **look)
    figure.suptitle(f"{title}: slice {index} of {len(images.data)}", color=_INK)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write the figure; it appears once it is complete.

    Raises:
        ValueError: if the suffix is not that of a picture format.
        FileNotFoundError: if the folder does not exist.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in ("png", "pdf", "svg"):
        raise ValueError(f"{path}: a picture ends in .png, .pdf or .svg")
    with atomic(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=110, facecolor=_PAPER)


def _show(axes: Axes, values: Numpy, title: str, **look: Any) -> None:
    settings: dict[str, Any] = {"cmap": "gray", "interpolation": "nearest"}
    if values.dtype != np.bool_ and "vmax" not in look:
        settings["vmax"] = np.percentile(values, 99.7) or 1.0
    axes.imshow(values, **(settings | look))
    axes.set_title(title, color=_INK, fontsize=9)
    axes.set_axis_off()


def _logarithm(kspace: Numpy) -> Numpy:
    """Return the logarithm of the magnitude over all coils, down to 1e-5 of the peak."""
    magnitude = np.sqrt(np.sum(np.abs(kspace) ** 2, axis=0))
    peak = float(magnitude.max()) or 1.0
    logarithm: Numpy = np.log10(np.maximum(magnitude / peak, 1e-5))
    return logarithm
