"""Tables as Markdown."""

from collections.abc import Sequence
from typing import Any

_SPREAD = "that over seeds"
NAMES = {
    "psnr_truth": "PSNR, dB",
    "psnr_without": "PSNR against the mean without it",
    "psnr_with": "PSNR against the mean with it",
    "ssim_truth": "SSIM",
    "ssim_with": "SSIM against the mean with it",
    "ssim_without": "SSIM against the mean without it",
}

LAST = ["s per slice", "training, min", "weights, million"]


def section_text(section: dict[str, Any]) -> str:
    """Return a heading and a table."""
    rows = section["rows"]
    lead = next(name for name in rows[0] if name.startswith("psnr_"))
    columns = [name for name in NAMES if name in rows[0]]
    trained = "" if section["steps"] is None else f", {section['steps']} steps"
    head = ["", NAMES[lead], f"minus {section['baseline']} [95 %]", _SPREAD, "seeds"]
    head += [NAMES[name] for name in columns if name != lead]
    head += LAST
    body = [_cells(row, lead, [n for n in columns if n != lead]) for row in rows]
    title = f"## {section['title']}: {section['dataset']}, {section['contrast']}{trained}"
    return f"{title}\n\n{table(head, body)}\n"


def real_text(section: dict[str, Any]) -> str:
    """Return a heading and a table of unbiased errors."""
    best = section["best_comparator"]
    trained = "" if section["steps"] is None else f", {section['steps']} steps"
    head = ["", "error, σ²", *([f"minus {best}, σ²", _SPREAD] if best else []), "seeds"]
    head += ["residual power, σ²", "largest correlation of the residual", *LAST]
    body = [_real_cells(row, compared=bool(best)) for row in section["rows"]]
    title = f"## {section['title']}: {section['dataset']}{trained}"
    if section["stress"]:
        title += f"\n\nA stress test, outside the aim. {section['stress']}"
    return f"{title}\n\n{table(head, body)}\n"


def _real_cells(row: dict[str, Any], compared: bool) -> list[str]:
    difference = "–"
    if row.get("difference") is not None:
        difference = f"{row['difference']:+.4f} ± {row['difference_standard_error']:.4f}"
    return [
        _title(row),
        f"{row['error']:.4f} ± {row['standard_error']:.4f}",
        *([difference, number(row.get("difference_seed_spread"), 4)] if compared else []),
        _seeds(row["seeds"], row["seed_spread"], 4),
        number(row["residual_power"], 3),
        number(row["largest_correlation"], 3),
        number(row["seconds_per_slice"], 3),
        _minutes(row["training_seconds"]),
        _millions(row["parameters"]),
    ]


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose first column is text and whose others are numbers."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, rule, *body])


def _cells(row: dict[str, Any], lead: str, others: Sequence[str]) -> list[str]:
    difference, half = row[f"{lead}_difference"], row[f"{lead}_difference_half"]
    return [
        _title(row),
        number(row[lead], 2),
        number(difference, 2, sign=True) + (f" ± {half:.2f}" if half else ""),
        number(row[f"{lead}_difference_seed_spread"], 2),
        _seeds(row["seeds"], row[f"{lead}_seed_spread"], 2),
        *(number(row[n], 4 if n.startswith("ssim") else 2) for n in others),
        number(row["seconds_per_slice"], 3),
        _minutes(row["training_seconds"]),
        _millions(row["parameters"]),
    ]


def _title(row: dict[str, Any]) -> str:
    title = row["title"] or f"`{row['row']}`"
    if not row.get("strengths"):
        return str(title)
    ends = row.get("at_end", ())
    strengths = [
        f"{strength:.2g}{' at the end of the search' if name in ends else ''}"
        for name, strength in row["strengths"].items()
    ]
    return f"{title} ({', '.join(strengths)})"


def _seeds(count: int, spread: float | None, digits: int) -> str:
    return f"{count}" if spread is None else f"{count}, ± {spread:.{digits}f}"


def _minutes(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 60:.1f}"


def _millions(parameters: int | None) -> str:
    return "" if parameters is None else f"{parameters / 1e6:.2f}"


def number(value: float | None, digits: int, sign: bool = False) -> str:
    """Return a number, or a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:{'+' if sign else ''}.{digits}f}"
