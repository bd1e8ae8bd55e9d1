"""Tables of finished results, as Markdown, JSON and pictures; nothing is computed anew."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.quality.records import check_same
from benchmarks.quality.registry import Table
from benchmarks.quality.rows import ROWS, TABLES
from benchmarks.quality.statistics import (
    Result,
    difference_spread,
    mean,
    of_same_seeds,
    paired_difference,
    seed_spread,
    slice_means,
)


class Sheet(NamedTuple):
    """Results on one data set after one length of training, by row."""

    dataset: str
    steps: int | None
    results: dict[str, list[Result]]


def read_sheets(out: Path) -> list[Sheet]:
    """Return all results, those without training beside each length of training.

    Raises:
        ValueError: if results of one data set differ in what they were scored on, or how.
    """
    found: dict[str, dict[int | None, dict[str, list[Result]]]] = {}
    scored_on: dict[str, dict[str, Any]] = {}
    for path in sorted(out.glob("*/*/*.json")):
        result = json.loads(path.read_text())
        made = result.get("made_with", {})
        scored = {name: made.get(name) for name in ("protocol", "scored_on")}
        check_same(path, scored, scored_on.setdefault(result["dataset"], scored))
        steps = found.setdefault(result["dataset"], defaultdict(dict))
        steps[result["steps"]].setdefault(result["row"], []).append(result)
    sheets = []
    for dataset, steps in found.items():
        untrained = steps.pop(None, {})
        lengths = steps or {None: {}}
        sheets += [Sheet(dataset, n, {**untrained, **rows}) for n, rows in sorted(lengths.items())]
    return sheets


def sections(sheet: Sheet) -> list[dict[str, Any]]:
    """Return one section for each table and contrast that has results."""
    contrasts = {
        row["contrast"]: None
        for results in sheet.results.values()
        for result in results
        for row in result["slices"]
    }
    wanted = [None, *contrasts] if len(contrasts) > 1 else list(contrasts)
    made = [_section(sheet, table, name) for table in TABLES.values() for name in wanted]
    return [section for section in made if worth_showing(section)]


def worth_showing(section: dict[str, Any]) -> bool:
    """Whether a section compares something, and something that the main table does not."""
    names = {row["row"] for row in section["rows"]}
    own = section["table"] == "methods" or names - set(TABLES["methods"].rows)
    return len(names) > 1 and bool(own)


def line_of(name: str, sheet: Sheet, contrast: str | None = None) -> dict[str, Any]:
    """Return the numbers of a row by itself."""
    return _line(name, sheet.results[name], [], contrast)


def _section(sheet: Sheet, table: Table, contrast: str | None) -> dict[str, Any]:
    rows = []
    for name in table.rows:
        row = ROWS[name]
        results = sheet.results.get(name, [])
        if results and (row.target is None or row.target == contrast):
            rows.append(_line(name, results, sheet.results.get(table.baseline, []), contrast))
    return {
        "dataset": sheet.dataset,
        "steps": sheet.steps,
        "table": table.name,
        "title": table.title,
        "contrast": contrast or "all contrasts",
        "baseline": table.baseline,
        "rows": rows,
    }


def _line(
    name: str, results: Sequence[Result], baseline: Sequence[Result], contrast: str | None
) -> dict[str, Any]:
    """Return the numbers of one row."""
    scores = [s for s in results[0]["slices"][0] if s.startswith(("psnr_", "ssim_", "residual"))]
    slices = {score: slice_means(results, score, contrast) for score in scores}
    line: dict[str, Any] = {"row": name, "title": ROWS[name].title, "seeds": len(results)}
    line |= {score: mean(values) for score, values in slices.items()}
    for score in scores:
        line[f"{score}_seed_spread"] = seed_spread(results, score, contrast)
        both = of_same_seeds(results, baseline)
        difference = paired_difference(*(slice_means(b, score, contrast) for b in both))
        line[f"{score}_difference"] = None if difference is None else difference.mean
        line[f"{score}_difference_half"] = None if difference is None else difference.half
        line[f"{score}_difference_seed_spread"] = difference_spread(
            results,
            baseline,
            lambda result, s=score: mean(slice_means([result], s, contrast)),  # type: ignore[misc]
        )
    line["training_seconds"] = average(results, "training_seconds")
    line["seconds_per_slice"] = average(results, "seconds_per_slice")
    line["parameters"] = results[0].get("parameters")
    return line | chosen_strengths(results)


def chosen_strengths(results: Sequence[Result]) -> dict[str, Any]:
    """Return the strengths of a comparator, and for what the search for them ended at an end."""
    chosen = results[0].get("strengths")
    if chosen is None:
        return {"strengths": None, "at_end": []}
    return {
        "strengths": {name: choice["strength"] for name, choice in chosen.items()},
        "at_end": [name for name, choice in chosen.items() if choice["at_end"]],
    }


def average(results: Sequence[Result], name: str) -> float | None:
    """Return the mean of a number over the seeds that have it."""
    values = [result[name] for result in results if name in result]
    return sum(values) / len(values) if values else None
