"""The tables of the documentation, from the scores that are kept."""

import json
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.diffdenoise.case import NOISES
from benchmarks.diffdenoise.methods import METHODS
from benchmarks.diffdenoise.staged import CONTROLS, MODES

Row: TypeAlias = dict[str, Any]


def print_tables(out: Path) -> None:
    """Print methods by noise, and the controls of the sampler by mode."""
    rows: dict[tuple[str, str], Row] = {}
    for file in sorted(out.glob("*-seed0.json")):
        row = json.loads(file.read_text())
        rows[row["method"], row["noise"]] = row
    students = [f"diffdenoise {mode} student" for mode in MODES]
    _print("PSNR, dB, and SSIM", [*METHODS, *students], rows, _quality)
    for mode in MODES:
        names = [
            f"diffdenoise {mode} {part}"
            for part in ("condition", *CONTROLS, "student, one pass", "student")
        ]
        _print(f"{mode}: PSNR, dB, and share of the noise", names, rows, _noise)


def _quality(row: Row) -> str:
    return f"{row['psnr_db']:.2f}, {row['ssim']:.3f}"


def _noise(row: Row) -> str:
    return f"{row['psnr_db']:.2f}, {row['noise_share']:.2f}"


def _print(title: str, names: list[str], rows: dict[tuple[str, str], Row], cell: Any) -> None:
    names = [name for name in names if any((name, noise) in rows for noise in NOISES)]
    noises = [noise for noise in NOISES if any((name, noise) in rows for name in names)]
    if not names:
        return
    print(f"\n{title}\n")
    print("| method |" + "".join(f" {noise} |" for noise in noises))
    print("| --- |" + " ---: |" * len(noises))
    for name in names:
        cells = (rows.get((name, noise)) for noise in noises)
        values = "".join(f" {'not measured' if row is None else cell(row)} |" for row in cells)
        print(f"| {name.removeprefix('diffdenoise ')} |{values}")
