"""Tables of the unbiased error on real scans: paired differences from the same blocks."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.quality.real import STRESS
from benchmarks.quality.rows import ROWS, TABLES, Table
from benchmarks.quality.statistics import Result, difference_spread, of_same_seeds
from benchmarks.quality.tables import Sheet, average, chosen_strengths, worth_showing
from kspace_denoise.metrics import ErrorBlocks, error_of_blocks, unbiased_difference

COMPARATORS = ("nlm", "wavelet", "bm3d")


def is_real(sheet: Sheet) -> bool:
    """Whether the results are unbiased errors of real scans."""
    return all("blocks" in result for results in sheet.results.values() for result in results)


def real_sections(sheet: Sheet) -> list[dict[str, Any]]:
    """Return one section for each table that has results."""
    made = [_section(sheet, table) for table in TABLES.values()]
    return [section for section in made if worth_showing(section)]


def _section(sheet: Sheet, table: Table) -> dict[str, Any]:
    """Return one table; without a comparator its rows are compared with its baseline."""
    best = best_comparator(sheet) or (table.baseline if table.baseline in sheet.results else None)
    return {
        "dataset": sheet.dataset,
        "steps": sheet.steps,
        "table": table.name,
        "title": table.title,
        "stress": STRESS.get(sheet.dataset),
        "best_comparator": best,
        "rows": [real_line(name, sheet, best) for name in table.rows if name in sheet.results],
    }


def best_comparator(sheet: Sheet) -> str | None:
    """Return the untrained method of the smallest error, each at its best strength."""
    errors = {
        name: sheet.results[name][0]["unbiased_error"]["value"]
        for name in COMPARATORS
        if name in sheet.results
    }
    return min(errors, key=lambda name: errors[name]) if errors else None


def mean_blocks(results: Sequence[Result]) -> ErrorBlocks:
    """Return the blocks of a row, averaged over the seeds: those of the mean error."""
    crossed = np.mean([result["blocks"]["crossed"] for result in results], axis=0)
    first = results[0]["blocks"]
    return ErrorBlocks(crossed, np.array(first["noise"]), int(first["pixels"]))


def real_line(name: str, sheet: Sheet, best: str | None = None) -> dict[str, Any]:
    """Return the numbers of a row, and its difference to the best comparator."""
    results = sheet.results[name]
    blocks = mean_blocks(results)
    error = error_of_blocks(blocks)
    values = [result["unbiased_error"]["value"] for result in results]
    line: dict[str, Any] = {
        "row": name,
        "title": ROWS[name].title,
        "seeds": len(results),
        "error": error.value,
        "standard_error": error.standard_error,
        "seed_spread": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "residual_power": average(results, "residual_power"),
        "largest_correlation": _largest(results),
        "training_seconds": average(results, "training_seconds"),
        "seconds_per_slice": average(results, "seconds_per_slice"),
        "parameters": results[0].get("parameters"),
    }
    line |= chosen_strengths(results)
    both = of_same_seeds(results, sheet.results[best]) if best not in (None, name) else ()
    if both and all(both):
        difference = unbiased_difference(*map(mean_blocks, both))
        line["difference"] = difference.value
        line["difference_standard_error"] = difference.standard_error
        line["difference_seed_spread"] = difference_spread(
            *both, lambda result: result["unbiased_error"]["value"]
        )
    return line


def _largest(results: Sequence[Result]) -> float | None:
    """Return the largest magnitude of the residual's autocorrelation, averaged over the seeds."""
    found = [r["autocorrelation"] for r in results if r.get("autocorrelation") is not None]
    return float(np.abs(np.mean(found, axis=0)).max()) if found else None
