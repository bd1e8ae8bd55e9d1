"""Pictures of an experiment, as matplotlib figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kspace_denoise.demo.cases import Case, Outcome
from kspace_denoise.demo.experiment import Experiment
from kspace_denoise.report.residual import autocorrelation, residual_power
from kspace_denoise.stages import Numpy

ERROR_GAIN = 4
"""Error maps are shown this many times brighter than the images."""
RESIDUAL_LIMIT = 4.0
"""Residuals are shown up to this many sigma."""


def comparison(experiment: Experiment, index: int) -> Figure:
    """Draw one slice: reference and noisy, then every method; below each its error or residual."""
    case = experiment.cases[index]
    better = case.reference
    columns: list[tuple[str, Numpy, Outcome | None]] = []
    if better is not None:
        columns.append(("reference", better, None))
    columns += [(label(o), o.images[index], o) for o in experiment.outcomes]
    rows = _crop(case.mask)
    top = float(np.percentile(np.abs(columns[0][1])[case.mask], 99.5))
    figure = Figure(figsize=(2.5 * len(columns), 5.6), layout="constrained")
    axes = figure.subplots(2, len(columns), squeeze=False)
    for column, (title, image, outcome) in enumerate(columns):
        _show(axes[0, column], np.abs(image)[rows], 0, top, "gray", title)
        below, text = _below(case, image, better, outcome)
        limit = RESIDUAL_LIMIT if better is None else top / ERROR_GAIN
        _show(axes[1, column], below[rows], 0, limit, "magma", text)
    return figure


def residuals(experiment: Experiment, index: int) -> Figure:
    """Draw what each method took away from one slice, and the autocorrelation of it."""
    case = experiment.cases[index]
    outcomes = [o for o in experiment.outcomes if o.method != "noisy"]
    figure = Figure(figsize=(2.5 * len(outcomes), 5.8), layout="constrained")
    axes = figure.subplots(2, len(outcomes), squeeze=False)
    rows = _crop(case.mask)
    for column, outcome in enumerate(outcomes):
        residual = case.noisy - outcome.images[index]
        power = residual_power(residual, case.mask)
        title = f"{label(outcome)}\nresidual power {power:.2f} σ²"
        limit = RESIDUAL_LIMIT
        _show(axes[0, column], residual.real[rows], -limit, limit, "gray", title)
        correlation = autocorrelation(residual, case.mask)
        neighbour = max(correlation[7, 8], correlation[8, 7])
        _show(axes[1, column], correlation, -0.3, 0.3, "RdBu_r", f"neighbour {neighbour:+.2f}")
    return figure


def training_curves(curves: Mapping[str, Sequence[tuple[int, float]]]) -> Figure:
    """Draw the loss of each stage against the step, with its running mean."""
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    for stage, losses in curves.items():
        steps, values = np.array(losses, dtype=float).T
        (line,) = axes.plot(steps, values, alpha=0.3)
        width = min(9, len(values))
        mean = np.convolve(values, np.ones(width) / width, mode="valid")
        axes.plot(steps[width - 1 :], mean, color=line.get_color(), label=stage)
    axes.set(xlabel="step", ylabel="loss (σ² units)", yscale="log")
    axes.legend(frameon=False)
    return figure


def label(outcome: Outcome) -> str:
    """Return the name of a method, its stage, and how it was trained."""
    if outcome.method in ("noisy", "nlm"):
        return {"noisy": "noisy", "nlm": "non-local means"}[outcome.method]
    trained = f"\n({outcome.trained_on})" if outcome.trained_on else ""
    return f"{outcome.method} {outcome.stage}{trained}"


def _below(
    case: Case, image: Numpy, better: Numpy | None, outcome: Outcome | None
) -> tuple[Numpy, str]:
    """Return the error map where there is a reference, else the magnitude of the residual."""
    if better is not None:
        error = np.abs(image - better)
        if outcome is None:
            return error, ""
        return error, f"error × {ERROR_GAIN}: {np.sqrt(np.mean(error[case.mask] ** 2) / 2):.2f} σ"
    return np.abs(case.noisy - image), f"residual, to {RESIDUAL_LIMIT:g} σ"


def _crop(mask: Numpy, margin: int = 4) -> tuple[slice, slice]:
    """Return the rows and columns of the object, with a margin."""
    box = []
    for axis in (1, 0):
        inside = np.flatnonzero(mask.any(axis=axis))
        box.append(slice(max(0, int(inside[0]) - margin), int(inside[-1]) + margin + 1))
    return box[0], box[1]


def _show(axes: Axes, image: Numpy, low: float, high: float, colours: Any, title: str) -> None:
    axes.imshow(image, vmin=low, vmax=high, cmap=colours, interpolation="nearest")
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()
