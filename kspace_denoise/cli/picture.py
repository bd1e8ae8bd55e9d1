"""The picture that `info --picture` draws: image, k-space, sampling, coil images and noise."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from kspace_denoise import recon
from kspace_denoise.cli.noise_picture import (
    INK,
    PAPER,
    draw_noise,
    has_panels,
    logarithm,
    show,
)
from kspace_denoise.cli.trajectory_picture import draw_trajectory, gridded
from kspace_denoise.formats.atomic import atomic
from kspace_denoise.fourier import ifft2c
from kspace_denoise.scan import Images, Numpy, Scan
from kspace_denoise.stages import KnownNoise

_SAMPLED = ListedColormap(["#1d2229", "#8c5a4a", "#6fa8c9"])  # not sampled, zero-filled, acquired
_LARGEST_GRID = 32
_WIDTH = 10.0  # inches
_AROUND_ZERO = {"vmin": -4, "vmax": 4}


def draw_scan(scan: Scan, noise: KnownNoise | None, title: str, snr: float | None = None) -> Figure:
    """Draw the middle slice (image, k-space, mask, every coil), and the noise where it is known."""
    index = _slice_to_draw(scan)
    kspace = np.asarray(scan.kspace[index])
    coils = len(kspace)
    columns, rows = _grid(min(coils, _LARGEST_GRID))
    shape = scan.image_shape or kspace.shape[-2:]
    heights = [_height(shape, 3), *([rows * _height(shape, columns)] if rows else [])]
    heights += [2.9] if noise is not None and has_panels(noise) else []
    figure = Figure(figsize=(_WIDTH, 0.4 + sum(heights)), facecolor=PAPER, layout="constrained")
    subfigures: Any = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)
    parts = list(subfigures[:, 0])
    if scan.trajectory is None:
        coil_images = ifft2c(kspace)
        _draw_overview(parts.pop(0), kspace, coil_images, scan.slice_mask(index))
    else:
        coil_images = gridded(scan, kspace)
        draw_trajectory(parts.pop(0), scan.trajectory, kspace, coil_images)
    if rows:
        _draw_coils(parts.pop(0), coil_images[: columns * rows], columns, rows)
    if parts and noise is not None:
        draw_noise(parts.pop(0), noise, scan.kspace.shape[-2:])
    field = "" if scan.field_strength is None else f", {scan.field_strength:g} T"
    more = f", the first {_LARGEST_GRID} shown" if coils > _LARGEST_GRID else ""
    counted = f"{coils} coil{'s' if coils > 1 else ''}{more}"
    level = "" if noise is None else f", sigma {noise.sigma:.3g}"
    level += "" if snr is None else f", SNR {snr:.3g}"
    figure.suptitle(
        f"{title}: slice {index} of {len(scan.kspace)}, {counted}{field}{level}", color=INK
    )
    return figure


def _height(shape: tuple[int, ...], columns: int) -> float:
    """Return the height of a row of images in inches, their titles included."""
    ny, nx = shape
    return 0.4 + _WIDTH / columns * float(np.clip(ny / nx, 0.3, 2.0))


def _slice_to_draw(scan: Scan) -> int:
    """Return the middle slice, or the nearest to it that holds anything."""
    count = len(scan.kspace)
    ordered = sorted(range(count), key=lambda i: abs(i - count // 2))
    return next((i for i in ordered if scan.kspace[i].any()), count // 2)


def _grid(coils: int) -> tuple[int, int]:
    """Return columns and rows for the coil images; a single coil has no grid of its own."""
    ideal = math.sqrt(2 * coils)
    columns = min(range(4, 9), key=lambda n: (-coils % n, abs(n - ideal)))
    return columns, (math.ceil(coils / columns) if coils > 1 else 0)


def _draw_overview(figure: Any, kspace: Numpy, coil_images: Numpy, mask: Numpy | None) -> None:
    figure.set_facecolor(PAPER)
    left, middle, right = figure.subplots(1, 3)
    show(left, recon.rss(coil_images), "root sum of squares")
    show(middle, logarithm(kspace), "k-space, log magnitude", cmap="magma")
    sampled = np.broadcast_to(True if mask is None else mask, kspace.shape[-2:])
    acquired = sampled & (kspace != 0).any(axis=0)
    title = f"acquired, {acquired.mean():.0%}"
    if np.any(sampled != acquired):
        title += f"; filled with zeros, {(sampled & ~acquired).mean():.0%}"
    state = np.add(sampled, acquired, dtype=np.int64)
    show(right, state, title, vmin=0, vmax=2, cmap=_SAMPLED)


def _draw_coils(figure: Any, coil_images: Numpy, columns: int, rows: int) -> None:
    figure.set_facecolor(PAPER)
    brightest = np.percentile(np.abs(coil_images), 99.5)
    for coil, axes in enumerate(np.atleast_1d(figure.subplots(rows, columns)).flat):
        axes.set_axis_off()
        if coil < len(coil_images):
            show(axes, np.abs(coil_images[coil]), f"coil {coil}", vmin=0, vmax=brightest)


def draw_images(images: Images, title: str, noisy: tuple[Numpy, Numpy] | None = None) -> Figure:
    """Draw the middle slice: magnitude, phase of complex images, and the noise map if known.

    Of denoised images what they were, too, and what was taken from them: `noisy` and its sigma.
    """
    index = len(images.data) // 2
    data = images.data[index].reshape(-1, *images.data.shape[-2:])[0]
    panels: list[tuple[Numpy, str, dict[str, Any]]] = [(np.abs(data), "magnitude", {})]
    if noisy is not None:
        before, sigma = (x[index].reshape(-1, *data.shape)[0] for x in noisy)
        brightest = {"vmin": 0, "vmax": np.percentile(np.abs(before), 99.7) or 1.0}
        panels = [(np.abs(before), "noisy", brightest), (np.abs(data), "denoised", brightest)]
        panels.append((_taken(before, data, sigma), "taken away, over sigma", _AROUND_ZERO))
    if np.iscomplexobj(data):
        phase = {"cmap": "twilight", "vmin": -np.pi, "vmax": np.pi}
        panels.append((np.angle(data), "phase", phase))
    if images.sigma is not None:
        sigma = np.broadcast_to(images.sigma, images.data.shape)[index]
        panels.append((sigma.reshape(-1, *data.shape)[0], "sigma", {"cmap": "viridis"}))
    figure = Figure(figsize=(4.2 * len(panels), 4), facecolor=PAPER, layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    for ax, (values, name, look) in zip(axes, panels, strict=True):
        show(ax, values, name, **look)
        bar = figure.colorbar(ax.images[0], ax=ax, shrink=0.8)
        bar.ax.tick_params(colors=INK, labelsize=7)
    figure.suptitle(f"{title}: slice {index} of {len(images.data)}", color=INK)
    return figure


def _taken(before: Numpy, after: Numpy, sigma: Numpy) -> Numpy:
    """Return what was taken from an image in units of its noise, of complex ones the part in phase.

    That is where anatomy would show.
    """
    taken = (before - after) * np.exp(-1j * np.angle(after))
    return np.asarray(np.where(sigma > 0, taken.real / np.where(sigma > 0, sigma, 1), 0))


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
        figure.savefig(temporary, format=kind, dpi=110, facecolor=PAPER)
