"""Write every table of a folder of results."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.quality.curves import draw_sigma, draw_steps
from benchmarks.quality.markdown import real_text, section_text
from benchmarks.quality.pictures import draw_correlations, draw_grid, draw_panel, draw_table
from benchmarks.quality.rows import TABLES
from benchmarks.quality.tables import Sheet, read_sheets, sections
from benchmarks.quality.tables_real import is_real, real_sections

_GRIDS = ("every-method", "architectures")
"""Tables whose images are drawn beside those of the main one."""
_ABOUT = "Written by `python -m benchmarks.quality table` from finished results."


def write_tables(out: Path, work: Path, folder: Path | None = None) -> list[Path]:
    """Write one Markdown and one JSON file per data set, with pictures beside them."""
    folder = folder or out / "tables"
    sheets: dict[str, list[Sheet]] = {}
    for sheet in read_sheets(out):
        sheets.setdefault(sheet.dataset, []).append(sheet)
    if sheets:
        folder.mkdir(parents=True, exist_ok=True)
    written = []
    for dataset, of_dataset in sheets.items():
        written += _write_dataset(folder / dataset, of_dataset, work)
    return written


def _write_dataset(stem: Path, sheets: Sequence[Sheet], work: Path) -> list[Path]:
    real = is_real(sheets[0])
    made = [s for sheet in sheets for s in (real_sections(sheet) if real else sections(sheet))]
    texts = [real_text(section) if real else section_text(section) for section in made]
    pictures = _tables_drawn(stem, made)
    last = sheets[-1]  # the longest training
    others: dict[str, Callable[[Path], bool]] = {
        "images": lambda path: draw_panel(last, TABLES["methods"].rows, work, path),
        **{f"{name}-images": partial(_grid, last, name, work) for name in _GRIDS},
        "residuals": lambda path: draw_correlations(last, path),
        "sigma": lambda path: not real and draw_sigma(made, path),
        "steps": lambda path: draw_steps(sheets, path),
    }
    for name, drawn in others.items():
        path = _beside(stem, name)
        if drawn(path):
            pictures.append(path)
    links = "\n".join(f"![{path.stem}]({path.name})" for path in pictures)
    markdown, data = _beside(stem, "", ".md"), _beside(stem, "", ".json")
    head = f"# Quality: {stem.name}\n\n{_ABOUT}\n"
    markdown.write_text("\n".join([head, *texts]) + (f"\n{links}\n" if links else ""))
    data.write_text(json.dumps(made, indent=1))
    return [markdown, data, *pictures]


def _grid(sheet: Sheet, name: str, work: Path, path: Path) -> bool:
    own = set(TABLES[name].rows) - set(TABLES["methods"].rows)
    return bool(own & set(sheet.results)) and draw_grid(sheet, TABLES[name].rows, work, path)


def _tables_drawn(stem: Path, made: Sequence[dict[str, Any]]) -> list[Path]:
    """Draw each table once, over all contrasts where it has them, after the longest training."""
    chosen: dict[str, dict[str, Any]] = {}
    for section in made:
        kept = chosen.get(section["table"])
        over_all = section.get("contrast", "all contrasts") == "all contrasts"
        if kept is None or over_all or kept["steps"] != section["steps"]:
            chosen[section["table"]] = section
    paths = []
    for name, section in chosen.items():
        paths.append(_beside(stem, name))
        draw_table(section, paths[-1])
    return paths


def _beside(stem: Path, name: str, suffix: str = ".png") -> Path:
    return stem.with_name("-".join(part for part in (stem.name, name) if part) + suffix)
