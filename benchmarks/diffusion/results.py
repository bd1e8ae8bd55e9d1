"""Scores that are kept slice by slice, and the table that they make."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import scipy.stats

from benchmarks.diffusion.phantoms import Numpy
from kspace_denoise.formats.atomic import atomic

Scores = dict[str, dict[str, float]]
"""PSNR and SSIM of one row on one slice, by λ; of a row without one under the empty name."""
Slices = dict[int, Scores]


def work_through(
    jobs: Iterable[tuple[str, str, int]], folder: Path, score: Callable[[str, str, int], Scores]
) -> None:
    """Do what is not done yet of the jobs: case, row and number of a slice."""
    for case, row, number in jobs:
        path = folder / case / f"{row} {number}.json"
        if path.exists():
            continue
        started = time.perf_counter()
        scores = score(case, row, number)
        result = {"scores": scores, "seconds": time.perf_counter() - started}
        best = max(x["psnr"] for x in scores.values())
        print(f"{case} {row} {number}: {best:.2f} dB", flush=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(result))


def table(cases: Iterable[str], rows: Iterable[str], folder: Path, base: str) -> str:
    """Return the means over all slices that every row has, and gains over one row, as Markdown."""
    rows = list(rows)
    lines = ["| scan | slices | " + " | ".join(rows) + " |", "| --- " * (len(rows) + 2) + "|"]
    for case in cases:
        found = {row: _kept(folder / case, row) for row in {base, *rows}}
        common = sorted(set.intersection(*(set(slices) for slices in found.values())))
        if common:
            reference = _best(found[base], common)[0]
            cells = [_cell(*_best(found[row], common), reference) for row in rows]
            lines.append(f"| {case} | {len(common)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _kept(folder: Path, row: str) -> Slices:
    """Return the scores of a row by slice."""
    return {
        int(path.stem.rpartition(" ")[2]): json.loads(path.read_text())["scores"]
        for path in folder.glob(f"{row} *.json")
    }


def _best(found: Slices, slices: list[int]) -> tuple[Numpy, float, str]:
    """Return PSNR by slice, mean SSIM, and the λ of the best mean PSNR, marked if at an end."""
    lambdas = list(found[slices[0]])
    by_lambda = np.array([[found[n][lam]["psnr"] for n in slices] for lam in lambdas])
    best = int(by_lambda.mean(axis=1).argmax())
    at_end = len(lambdas) > 1 and best in (0, len(lambdas) - 1)
    ssim = float(np.mean([found[n][lambdas[best]]["ssim"] for n in slices]))
    return by_lambda[best], ssim, lambdas[best] + (" (at an end)" if at_end else "")


def _cell(psnr: Numpy, ssim: float, lam: str, reference: Numpy) -> str:
    """Return PSNR with its gain and the 95 % interval of that, paired over slices, and SSIM."""
    gain, half = psnr - reference, ""
    if len(gain) > 1:
        half = f" ± {scipy.stats.t.ppf(0.975, len(gain) - 1) * scipy.stats.sem(gain):.2f}"
    at = f", λ {lam}" if lam else ""
    return f"{psnr.mean():.2f} ({gain.mean():+.2f}{half}), {ssim:.3f}{at}"
