"""One table over several data sets, and one of what a method costs: for the page that compares all.

    python -m benchmarks.quality.summary every-method --out results --speed speed.json

`--speed` is what `python benchmarks/method_speed.py --json speed.json` has measured.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.quality.markdown import number, table
from benchmarks.quality.rows import ROWS, TABLES
from benchmarks.quality.tables import Sheet, read_sheets, sections
from benchmarks.quality.tables_real import is_real, real_line

Cells = dict[str, list[str]]
"""The cells of each row."""


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=tuple(TABLES))
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--speed", type=Path)
    options = parser.parse_args(arguments)
    rows = TABLES[options.table].rows
    head, cells = [""], {name: [ROWS[name].title] for name in rows}
    longest = {sheet.dataset: sheet for sheet in read_sheets(options.out)}
    for sheet in longest.values():
        names, of_sheet = (_real if is_real(sheet) else _scored)(sheet, options.table)
        head += names
        for name in cells:
            cells[name] += of_sheet.get(name, ["–"] * len(names))
    print(table(head, list(cells.values())))
    if options.speed:
        measured = {(r["method"], r["network"]): r for r in json.loads(options.speed.read_text())}
        costs = [[ROWS[name].title, *_costs(measured.get(_case(name)))] for name in rows]
        print("\n" + table(["", "weights, million", "ms per step", "s per slice"], costs))


def _scored(sheet: Sheet, name: str) -> tuple[list[str], Cells]:
    """Return headings and cells of PSNR and SSIM over all contrasts."""
    made = [s for s in sections(sheet) if s["table"] == name]
    whole = next((s for s in made if s["contrast"] == "all contrasts"), None)
    baseline = TABLES[name].baseline
    names = [f"{sheet.dataset}: PSNR, dB", f"minus {baseline}", "SSIM"]
    cells = {
        row["row"]: [
            number(row["psnr_truth"], 2),
            _difference(row["psnr_truth_difference"], row["psnr_truth_difference_half"], 2),
            number(row["ssim_truth"], 4),
        ]
        for row in (whole or {"rows": []})["rows"]
    }
    return names, cells


def _real(sheet: Sheet, name: str) -> tuple[list[str], Cells]:
    """Return headings and cells of the unbiased error."""
    baseline = TABLES[name].baseline
    names = [f"{sheet.dataset}: error, σ²", f"minus {baseline}, ± standard error"]
    cells: Cells = {}
    for row in TABLES[name].rows:
        if row in sheet.results:
            line = real_line(row, sheet, baseline if baseline in sheet.results else None)
            difference = line.get("difference")
            cells[row] = [
                f"{line['error']:.4f} ± {line['standard_error']:.4f}",
                _difference(difference, line.get("difference_standard_error"), 4),
            ]
    return names, cells


def _difference(value: float | None, half: float | None, digits: int) -> str:
    if value is None:
        return "–"
    return number(value, digits, sign=True) + (f" ± {half:.{digits}f}" if half else "")


def _case(name: str) -> tuple[str, str | None]:
    row = ROWS[name]
    network = row.network.get("architecture", "unet") if row.trained else None
    return row.method, network


def _costs(measured: dict[str, Any] | None) -> list[str]:
    if measured is None:
        return [""] * 3
    if measured["network"] is None:
        return ["", "", f"{measured['slice']:.2f}"]
    millions, step = measured["weights"] / 1e6, 1000 * measured["step"]
    return [f"{millions:.2f}", f"{step:.0f}", f"{measured['slice']:.2f}"]


if __name__ == "__main__":
    main()
