"""`run_demo`: experiments, their files, and the report."""

from pathlib import Path
from typing import Any

from kspace_denoise.demo.experiment import Experiment, Settings
from kspace_denoise.demo.phantom_experiment import phantom_experiment
from kspace_denoise.demo.raw_experiment import Source, raw_cases, raw_experiment
from kspace_denoise.report.write import write_report


def run_demo(
    folder: Path,
    settings: Settings,
    provenance: dict[str, Any],
    source: Source | None = None,
) -> list[Experiment]:
    """Run the phantom experiment and, with a source, the one on it; write all to `folder`.

    The folder then holds `report.html`, `results.json`, `slices.json`, `provenance.json`,
    pictures, and the trained denoisers. The rows of `results.json` are those of the scan where
    one is given, of the phantoms otherwise; the report shows both.
    """
    cases = [] if source is None else raw_cases(source)  # what is wrong with it shows at once
    experiments = [phantom_experiment(settings)]
    if source is not None:
        experiments.append(raw_experiment(source, cases, experiments[0].denoisers, settings))
    for stage, denoiser in experiments[-1].denoisers.items():
        denoiser.save(folder / f"c2s-{stage}.safetensors")
    settings.tell("writing the report")
    write_report(folder, experiments, provenance)
    return experiments
