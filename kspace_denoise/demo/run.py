"""`run_demo`: experiments, their files, and the report."""

from pathlib import Path
from typing import Any

from kspace_denoise.demo.experiment import Experiment, Settings
from kspace_denoise.demo.phantom_experiment import phantom_experiment
from kspace_denoise.demo.raw_experiment import raw_experiment
from kspace_denoise.report.write import write_report
from kspace_denoise.scan import Scan
from kspace_denoise.stages import Numpy


def run_demo(
    folder: Path,
    settings: Settings,
    provenance: dict[str, Any],
    scan: Scan | None = None,
    noise_covariance: Numpy | None = None,
    repetition: Scan | None = None,
) -> list[Experiment]:
    """Run the phantom experiment and, with a scan, the one on it; write everything to `folder`.

    The folder then holds `report.html`, `results.json`, `slices.json`, `provenance.json`,
    pictures, and the trained denoisers. The rows of `results.json` are those of the scan where
    one is given, of the phantoms otherwise; the report shows both.
    """
    experiments = [phantom_experiment(settings)]
    if scan is not None and noise_covariance is not None:
        start = experiments[0].denoisers
        experiments.append(raw_experiment(scan, noise_covariance, start, settings, repetition))
    for stage, denoiser in experiments[-1].denoisers.items():
        denoiser.save(folder / f"c2s-{stage}.safetensors")
    settings.tell("writing the report")
    write_report(folder, experiments, provenance)
    return experiments
