"""How noise is drawn: coils by level and correlation, receiver profile and k-space spectrum."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kspace_denoise.scan import Numpy
from kspace_denoise.stages import KnownNoise

INK, PAPER = "#e8e8e8", "#111418"
_LINE = "#6fa8c9"
_AXES = ("y", "x")


def draw_noise_scan(noise: KnownNoise, title: str) -> Figure:
    """Draw the noise of a noise scan; of a single coil its level."""
    figure = Figure(figsize=(7.5, 3.3), facecolor=PAPER, layout="constrained")
    if has_panels(noise):
        draw_noise(figure, noise, None)
    else:
        _draw_levels(figure.subplots(), noise.covariance)
    coils = len(noise.covariance)
    figure.suptitle(f"{title}: noise scan, {coils} coil{'s' * (coils > 1)}", color=INK)
    return figure


def has_panels(noise: KnownNoise) -> bool:
    """Tell whether there is more to draw than one number."""
    uneven = noise.profile is not None or noise.spectrum is not None
    return len(noise.covariance) > 1 or uneven


def draw_noise(figure: Any, noise: KnownNoise, grid: tuple[int, ...] | None) -> None:
    """Draw the correlation and the levels of the coils, and what makes the noise uneven."""
    figure.set_facecolor(PAPER)
    uneven = [n for n in ("profile", "spectrum") if getattr(noise, n) is not None]
    several = len(noise.covariance) > 1
    panels = list(np.atleast_1d(figure.subplots(1, 2 * several + len(uneven))))
    if several:
        _draw_correlation(figure, panels.pop(0), noise.covariance)
        _draw_levels(panels.pop(0), noise.covariance)
    for name, axes in zip(uneven, panels, strict=True):
        _draw_relative(axes, getattr(noise, name), name, grid)


def _draw_correlation(figure: Any, axes: Axes, covariance: Numpy) -> None:
    level = np.sqrt(np.diag(covariance).real)
    correlation = np.abs(covariance) / np.outer(level, level)
    np.fill_diagonal(correlation, np.nan)
    highest = np.nanmax(correlation)
    image = axes.imshow(correlation, cmap="viridis", vmin=0, vmax=max(float(highest), 0.1))
    axes.set_facecolor("#33383f")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.ax.tick_params(colors=INK, labelsize=7)
    _label(axes, f"noise correlation of coils, at most {highest:.2f}")


def _draw_levels(axes: Axes, covariance: Numpy) -> None:
    sigma = np.sqrt(np.diag(covariance).real / 2)
    axes.bar(np.arange(len(sigma)), sigma, color=_LINE)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _label(axes, "sigma per real component, by coil")


def _draw_relative(axes: Axes, values: Numpy, name: str, grid: tuple[int, ...] | None) -> None:
    """Draw a profile, or the square root of a spectrum: the level, along the axis it varies on."""
    level = values if name == "profile" else np.sqrt(values)
    level = np.atleast_2d(level if grid is None else np.broadcast_to(level, grid))
    title = {"profile": "noise over the image", "spectrum": "noise over k-space"}[name]
    varying = [axis for axis in (0, 1) if np.any(level != np.take(level, [0], axis=axis))]
    if len(varying) == 2:
        show(axes, level, f"{title}, relative", vmin=0, vmax=float(level.max()), cmap="viridis")
        return
    along = varying[0] if varying else 1
    axes.plot(level[0] if along == 1 else level[:, 0], color=_LINE)
    axes.axhline(1, color=INK, linewidth=0.5, linestyle=":")
    axes.set_ylim(0, None)
    _label(axes, f"{title}, relative, along {'k' * (name == 'spectrum')}{_AXES[along]}")


def show(axes: Axes, values: Numpy, title: str, **look: Any) -> None:
    """Draw an image without axes; the brightest 0.3 % are saturated unless `vmax` is given."""
    settings: dict[str, Any] = {"cmap": "gray", "interpolation": "nearest"}
    if values.dtype != np.bool_ and "vmax" not in look:
        settings["vmax"] = np.percentile(values, 99.7) or 1.0
    axes.imshow(values, **(settings | look))
    axes.set_title(title, color=INK, fontsize=9)
    axes.set_axis_off()


def logarithm(kspace: Numpy) -> Numpy:
    """Return the logarithm of the magnitude over all coils, down to 1e-5 of the peak."""
    magnitude = np.sqrt(np.sum(np.abs(kspace) ** 2, axis=0))
    peak = float(magnitude.max()) or 1.0
    return np.asarray(np.log10(np.maximum(magnitude / peak, 1e-5)))


def _label(axes: Axes, title: str) -> None:
    axes.set_title(title, color=INK, fontsize=9)
    if not axes.images:
        axes.set_facecolor(PAPER)
    axes.tick_params(colors=INK, labelsize=7)
    for spine in axes.spines.values():
        spine.set_color("#555b63")
