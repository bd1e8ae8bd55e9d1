"""The tables of the documentation, from the scores that are kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.diffdenoise.case import NOISES
from benchmarks.diffdenoise.methods import METHODS
from benchmarks.diffdenoise.staged import CONTROLS, MODES, asked

Row: TypeAlias = dict[str, Any]
MISSING: Row = {}
"""What is asked for and not measured yet; None is not asked for."""
PARTS = ("condition", *CONTROLS, "student, one pass", "student")


def print_tables(out: Path) -> None:
    """Print methods by noise; and of each kind of noise the parts of DiffDenoise by mode."""
    rows: dict[tuple[str, str], Row] = {}
    for file in sorted(out.glob("*-seed0.json")):
        row = json.loads(file.read_text())
        rows[row["method"], row["noise"]] = row
    names = {name: name for name in METHODS} | {
        mode: f"diffdenoise {mode} student" for mode in MODES
    }
    _print(
        "PSNR, dB, and SSIM",
        {
            said.removesuffix(" student"): [
                rows.get((said, noise), MISSING if asked(name, noise) else None) for noise in NOISES
            ]
            for name, said in names.items()
        },
        list(NOISES),
        lambda row: f"{row['psnr_db']:.2f}, {row['ssim']:.3f}",
    )
    for noise in NOISES:
        _print(
            f"{noise}: PSNR, dB, and share of the noise",
            {p: [rows.get((f"diffdenoise {m} {p}", noise)) for m in MODES] for p in PARTS},
            list(MODES),
            lambda row: f"{row['psnr_db']:.2f}, {row['noise_share']:.2f}",
        )


def _print(
    title: str, table: dict[str, list[Row | None]], columns: list[str], cell: Callable[[Row], str]
) -> None:
    """Print a table without its empty rows and columns."""
    table = {name: row for name, row in table.items() if any(row)}
    kept = [i for i in range(len(columns)) if any(row[i] for row in table.values())]
    if not kept:
        return
    print(f"\n{title}\n")
    print("| |" + "".join(f" {columns[i]} |" for i in kept))
    print("| --- |" + " ---: |" * len(kept))
    for name, row in table.items():
        cells = (_said(row[i], cell) for i in kept)
        print(f"| {name} |" + "".join(f" {value} |" for value in cells))


def _said(row: Row | None, cell: Callable[[Row], str]) -> str:
    if row is None:
        return ""
    return cell(row) if row else "not measured"
