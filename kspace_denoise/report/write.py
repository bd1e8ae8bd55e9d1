"""`write_report`: pictures, results and provenance of experiments, in one folder."""

import base64
import io
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from matplotlib.figure import Figure

from kspace_denoise.demo.experiment import Experiment
from kspace_denoise.formats.atomic import atomic
from kspace_denoise.provenance import to_json
from kspace_denoise.report import figures

SLICES_SHOWN = 4


def write_report(folder: Path, experiments: list[Experiment], provenance: dict[str, Any]) -> None:
    """Write `report.html`, `results.json`, `slices.json`, `provenance.json` and PNG pictures.

    The JSON files hold the last experiment: the user's scan where there is one.
    """
    last = experiments[-1]
    sections = [_section(folder, number, e) for number, e in enumerate(experiments, start=1)]
    page = render("report.html", sections=reversed(sections), provenance=to_json(provenance))
    write_text(folder / "report.html", page)
    write_text(folder / "results.json", to_json(last.rows()))
    write_text(folder / "slices.json", to_json(last.slice_rows()))
    write_text(folder / "provenance.json", to_json(provenance))


def render(template: str, **values: Any) -> str:
    """Fill in a template of this folder."""
    environment = Environment(
        loader=PackageLoader("kspace_denoise.report", "."), autoescape=select_autoescape()
    )
    environment.filters["number"] = _number
    environment.filters["scaled"] = lambda value: _number(None if value is None else 1e3 * value)
    return environment.get_template(template).render(**values)


def _section(folder: Path, number: int, experiment: Experiment) -> dict[str, Any]:
    shown = range(min(SLICES_SHOWN, len(experiment.cases)))
    pictures = {f"slice-{i + 1}": figures.comparison(experiment, i) for i in shown}
    pictures["residuals"] = figures.residuals(experiment, 0)
    pictures["training"] = figures.training_curves(experiment.curves())
    encoded = {
        name: save_picture(folder / f"{number}-{name}.png", f) for name, f in pictures.items()
    }
    return {
        "title": experiment.title,
        "story": experiment.story,
        "reference": experiment.reference,
        "rows": experiment.rows(),
        "slices": [encoded[f"slice-{i + 1}"] for i in shown],
        "residuals": encoded["residuals"],
        "training": encoded["training"],
        "error_gain": figures.ERROR_GAIN,
    }


def save_picture(path: Path, figure: Figure) -> str:
    """Write a picture and return it as a data address."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def write_text(path: Path, text: str) -> None:
    """Write a file, which appears by rename."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
