"""What a denoiser trained on phantoms does on a real scan, with and without the phase taken off.

The demo on raw data, with the network's `phase_width` at its default and at 0. The scan is its own
reference after noise was added, or scored against `--reference`, another repetition.

    python benchmarks/phantoms_to_scans.py SCAN.h5 [--reference OTHER.h5] --json scans.json
"""

import argparse
import json
from pathlib import Path

import kspace_denoise as kd
from kspace_denoise.demo.experiment import Settings
from kspace_denoise.demo.phantom_experiment import train_stages, training_scans
from kspace_denoise.demo.raw_experiment import choose_reference, raw_cases, raw_experiment
from kspace_denoise.networks import UNetConfig
from kspace_denoise.stages import known_noise

WIDTHS = (UNetConfig().phase_width, 0.0)
SCORES = ("psnr_db", "unbiased_error", "unbiased_error_standard_error")


def main() -> None:
    """Train, continue and score with either network, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", type=Path)
    parser.add_argument("--reference", type=Path, help="another repetition of the scan")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    arguments = parser.parse_args()
    scan, repetition = kd.read(arguments.scan), None
    if arguments.reference:
        repetition = kd.read(arguments.reference)
    noise = None if repetition is None else known_noise(repetition)
    source = choose_reference(scan, known_noise(scan), repetition, 0, noise)
    cases, phantoms = raw_cases(source), training_scans(0)
    rows = []
    for width in WIDTHS:
        config = kd.TrainConfig(network=UNetConfig(phase_width=width))
        settings = Settings(config=config, tell=print)
        experiment = raw_experiment(source, cases, train_stages(phantoms, settings), settings)
        for row in experiment.rows():
            kept = {name: row[name] for name in ("method", "stage", "trained_on", *SCORES)}
            rows.append({"phase_width": width, **kept})
            print(
                *(f"{value:.4g}" if isinstance(value, float) else value for value in kept.values())
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
