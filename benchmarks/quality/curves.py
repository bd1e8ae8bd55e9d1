"""Curves: a wrong noise level, and the length of training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.quality.rows import ROWS
from benchmarks.quality.tables import Sheet, line_of
from benchmarks.quality.tables_real import is_real, real_line

_SWEEPS = {
    "sigma-in-training": "training and inference",
    "sigma-at-inference-c2s": "inference only, our default",
    "sigma-at-inference-c2s-exact": "inference only, told true levels in training",
}
_TRAINED_LONGER = ("c2s", "c2s-paper", "noise2void", "noise2noise", "supervised")


def draw_sigma(sections: Sequence[dict[str, Any]], path: Path) -> bool:
    """Draw the loss by a wrong noise level over its factor; tell whether there was any.

    Each table is drawn once: over all contrasts where it has them, after its longest training.
    """
    swept = sorted((s for s in sections if s["table"] in _SWEEPS), key=_worth)
    chosen = list({s["table"]: s for s in swept}.values())
    if not chosen:
        return False
    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    for section in chosen:
        points = sorted(_points(section))
        factors, losses, halves = zip(*points, strict=True)
        label = f"{_SWEEPS[section['table']]}, {section['steps']} steps"
        axes.errorbar(factors, losses, yerr=halves, marker="o", capsize=2, label=label)
    axes.set_xlabel("noise level that is told / true one")
    axes.set_ylabel("PSNR minus that at the true level, dB")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)
    return True


def _worth(section: dict[str, Any]) -> tuple[bool, int]:
    return section["contrast"] == "all contrasts", section["steps"] or 0


def _points(section: dict[str, Any]) -> list[tuple[float, float, float]]:
    points = []
    for row in section["rows"]:
        lead = next(name for name in row if name.startswith("psnr_"))
        factor = ROWS[row["row"]].sigma * ROWS[row["row"]].inference_sigma
        if row[f"{lead}_difference"] is not None:
            points.append((factor, row[f"{lead}_difference"], row[f"{lead}_difference_half"] or 0))
    return points


def draw_steps(sheets: Sequence[Sheet], path: Path) -> bool:
    """Draw the score over the number of training steps; tell whether there were several."""
    drawn = [n for n in _TRAINED_LONGER if any(n in sheet.results for sheet in sheets)]
    if len(sheets) < 2 or not drawn:
        return False
    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    for name in drawn:
        having = [sheet for sheet in sheets if name in sheet.results]
        values, bars = zip(*(_score(sheet, name) for sheet in having), strict=True)
        steps = [sheet.steps or 0 for sheet in having]
        axes.errorbar(steps, values, yerr=bars, marker="o", capsize=2, label=name)
    axes.set_xscale("log")
    axes.set_xlabel("training steps")
    axes.set_ylabel("unbiased error, σ²" if is_real(sheets[0]) else "PSNR, dB")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)
    return True


def _score(sheet: Sheet, name: str) -> tuple[float, float]:
    """Return the score of a row and its spread: standard error, or that over the seeds."""
    if is_real(sheet):
        line = real_line(name, sheet)
        return line["error"], line["standard_error"]
    line = line_of(name, sheet)
    lead = next(score for score in line if score.startswith("psnr_"))
    return line[lead], line[f"{lead}_seed_spread"] or 0.0
