"""The tables of the documentation, from the scores that are kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from benchmarks.diffusion_mri.methods import ABLATIONS, ALONE, LIMITED, SLOW

Row: TypeAlias = dict[str, Any]


def print_tables(out: Path) -> None:
    """Print those of images, tensors, the callosum, ablations and several phantoms."""
    rows = [json.loads(file.read_text()) for file in sorted(out.glob("phantom-*.json"))]
    order = [*ALONE, *SLOW, *LIMITED, *ABLATIONS]
    rows.sort(key=lambda row: (row["neighbours"], order.index(row["method"]), -row["sigma"]))
    first = [row for row in rows if row["seed"] == 0]
    of_all = [row for row in first if row["method"] not in ABLATIONS]
    wide: dict[str, Callable[[Row], str]] = {
        "PSNR, dB, and SSIM": lambda row: f"{row['psnr_db']:.2f}, {row['ssim']:.3f}",
        "FA: rms error (bias, spread) of 30 directions; rms of 6": lambda row: (
            f"{row['fa_rms']:.3f} ({row['fa_bias']:+.3f}, {row['fa_spread']:.3f}); "
            f"{row['fa_6_rms']:.3f}"
        ),
        "MD, AD, RD: rms error, %": lambda row: ", ".join(
            f"{100 * row[f'{name}_rms']:.1f}" for name in ("md", "ad", "rd")
        ),
        "SNR and CNR of the callosum over the background": lambda row: (
            f"{row['snr']:.3g}, {row['cnr']:.3g}"
        ),
    }
    for title, cell in wide.items():
        print(f"\n{title}\n")
        _wide(of_all, cell)
    _ablations(first)
    _of_seeds(rows)


def _wide(rows: list[Row], cell: Callable[[Row], str]) -> None:
    """Print one line for each method and number of volumes, one column for each noise level."""
    sigmas = sorted({row["sigma"] for row in rows}, reverse=True)
    print("| method | n |" + "".join(f" σ = {sigma:g} |" for sigma in sigmas))
    print("| --- | ---: |" + " ---: |" * len(sigmas))
    lines: dict[tuple[str, int], dict[float, str]] = {}
    for row in rows:
        lines.setdefault((row["method"], row["neighbours"]), {})[row["sigma"]] = cell(row)
    for (method, count), cells in lines.items():
        values = "".join(f" {cells.get(sigma, 'not measured')} |" for sigma in sigmas)
        print(f"| {method} | {count or ''} |{values}")


def _ablations(rows: list[Row]) -> None:
    top = max(row["sigma"] for row in rows)
    print(f"\nAblations, σ = {top:g}\n")
    print("| | n | PSNR, dB | SSIM | FA rms | FA bias | s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        if row["sigma"] == top and row["neighbours"] in (1, 10):
            print(
                f"| {row['method']} | {row['neighbours']} | {row['psnr_db']:.2f} "
                f"| {row['ssim']:.3f} | {row['fa_rms']:.3f} | {row['fa_bias']:+.3f} "
                f"| {row['seconds']:.0f} |"
            )


def _of_seeds(rows: list[Row]) -> None:
    """Print the mean over phantoms and the standard error of the difference to DDM2."""
    seeds = sorted({row["seed"] for row in rows})
    grouped: dict[tuple[float, str, int], dict[int, Row]] = {}
    for row in rows:
        grouped.setdefault((row["sigma"], row["method"], row["neighbours"]), {})[row["seed"]] = row
    falling = sorted(grouped, key=lambda key: -key[0])
    several = {key: grouped[key] for key in falling if len(grouped[key]) == len(seeds)}
    if len(seeds) < 3:
        return
    print(f"\n{len(seeds)} phantoms: mean, and what DDM2 (n = 10) has more, ± standard error\n")
    print("| σ | method | n | PSNR, dB | DDM2 more, dB | FA rms | DDM2 more |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for (sigma, method, count), found in several.items():
        if (method, count) == ("ddm2", 10):
            continue
        cells = []
        for key, digits in (("psnr_db", 2), ("fa_rms", 4)):
            own = np.array([found[seed][key] for seed in seeds])
            best = np.array([several[sigma, "ddm2", 10][seed][key] for seed in seeds])
            error = (best - own).std(ddof=1) / len(seeds) ** 0.5
            cells += [
                f"{own.mean():.{digits}f}",
                f"{(best - own).mean():+.{digits}f} ± {error:.{digits}f}",
            ]
        print(f"| {sigma:g} | {method} | {count or ''} | " + " | ".join(cells) + " |")
