"""Whiten one half of a noise scan with the covariance of the other half.

noise_4ch_phantom_a.h5 in the folder KSPACE_DENOISE_DATA: every second sample gives the covariance
Psi of N samples, the rest is whitened with it. Its covariance should be 2 I N / (N - coils) within
the sampling error of both halves. A factor of sqrt(2) or a mean removed by mistake would show.

    python benchmarks/whitening.py --json whitening.json
"""

import argparse
import json
import os
import sys
from pathlib import Path

import h5py
import numpy as np

from kspace_denoise import recon


def compare(name: str, estimated: np.ndarray, applied: np.ndarray) -> dict:
    """Return one row for noise (coils, samples) of two halves."""
    coils, count = estimated.shape
    white = recon.whiten(applied[:, None, :], recon.noise_covariance(estimated))[:, 0, :]
    psi = recon.noise_covariance(white)
    expected = 2 * count / (count - coils)
    error = expected * np.sqrt(1 / count + 1 / applied.shape[1])  # of one entry
    mean_error = error / np.sqrt(coils)
    diagonal = np.diag(psi).real
    largest = float(np.abs(psi - expected * np.eye(coils)).max() / error)
    mean = float((diagonal.mean() - expected) / mean_error)
    return {
        "case": name,
        "samples": count,
        "expected_diagonal": float(expected),
        "diagonal": [float(x) for x in diagonal],
        "largest_deviation_in_standard_errors": largest,
        "mean_of_diagonal": float(diagonal.mean()),
        "mean_deviation_in_standard_errors": mean,
        "passed": bool(largest < 4 and abs(mean) < 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    folder = os.environ.get("KSPACE_DENOISE_DATA")
    if not folder:
        parser.error("no data folder: set KSPACE_DENOISE_DATA")
    with h5py.File(Path(folder) / "noise_4ch_phantom_a.h5") as file:
        noise = file["noise"][:]
    middle = noise.shape[1] // 2
    rows = [
        compare("even to odd samples", noise[:, ::2], noise[:, 1::2]),
        compare("odd to even samples", noise[:, 1::2], noise[:, ::2]),
        compare("first to second half", noise[:, :middle], noise[:, middle:]),
        compare("second to first half", noise[:, middle:], noise[:, :middle]),
    ]
    for row in rows:
        print(
            f"{row['case']:22} expected {row['expected_diagonal']:.4f}, mean of diagonal "
            f"{row['mean_of_diagonal']:.4f} ({row['mean_deviation_in_standard_errors']:+.2f} "
            f"standard errors), largest entry off by "
            f"{row['largest_deviation_in_standard_errors']:.2f} standard errors "
            f"{'ok' if row['passed'] else 'FAILED'}"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(0 if all(row["passed"] for row in rows) else 1)


if __name__ == "__main__":
    main()
