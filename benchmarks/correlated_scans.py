"""What methods take from scans at 55 mT whose noise is correlated, beside what noise there is.

Each scan is denoised by methods that were trained on it alone. No truth is known. The correlation
of the noise is measured where the images are flat, and its spectrum follows from that; what a
method took away (noisy - denoised, in SNR units) has a spectrum, too. A method that takes noise
alone, and all of it, takes as much as there is at every spatial frequency: 1 in every band. Less is
noise that stays, more is anatomy that goes.

    python benchmarks/correlated_scans.py --json scans.json --picture scans.png

The folder of scans is that of KSPACE_DENOISE_DATA. Some ten minutes for each scan on one core.
"""

import argparse
import itertools
import json
import os
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib.pyplot as plt
import numpy as np
import torch

import kspace_denoise as kd
from kspace_denoise import recon
from kspace_denoise.fourier import fft2c
from kspace_denoise.objectives.stationary_batch import amplitude
from kspace_denoise.scan import Scan

Numpy: TypeAlias = np.ndarray[Any, Any]

SCANS = ("caseB_AXT1", "caseC_AXT1", "human_FISP_FA50")
BANDS = (0.0, 0.15, 0.3, 0.5, 0.71)
"""Limits of the bands of spatial frequency, in cycles per pixel."""
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "c2s": ("c2s", {}),
    "c2s, stationary": ("c2s", {"domain": "stationary"}),
    "blind-spot": ("blind-spot", {}),
    "diffdenoise": ("diffdenoise", {}),
}


def read(name: str) -> Scan:
    """Return a scan with the noise that is found in it."""
    scan = kd.read(Path(os.environ["KSPACE_DENOISE_DATA"]) / f"ulf55mT_{name}.h5")
    assert isinstance(scan, Scan)
    return scan


def share_taken(left: Numpy, spectrum: Numpy) -> list[float]:
    """Return the power of what was taken over that of the noise, in each band."""
    power = np.mean(np.abs(fft2c(left)) ** 2, axis=0) / 2
    ky, kx = ((np.arange(n) - n // 2) / n for n in power.shape)
    away = np.hypot(ky[:, None], kx)
    bands = itertools.pairwise(BANDS)
    return [
        float(power[inside].mean() / spectrum[inside].mean())
        for inside in ((away >= low) & (away < high) for low, high in bands)
    ]


def spectrum_of(correlation: Numpy, shape: tuple[int, ...]) -> Numpy:
    """Return the power spectrum of noise of level 1, on the grid of an image."""
    side = max(shape)
    square = amplitude(torch.from_numpy(correlation).float(), side).numpy() ** 2
    rows, columns = (np.round(np.linspace(0, side - 1, n)).astype(int) for n in shape)
    return np.asarray(square[np.ix_(rows, columns)])


def run(name: str, steps: int) -> tuple[dict[str, Any], dict[str, Numpy]]:
    """Denoise a scan by all methods; return scores and the middle slice of each."""
    scan = read(name)
    scores: dict[str, Any] = {}
    pictures: dict[str, Numpy] = {}
    for title, (method, changes) in METHODS.items():
        config = kd.TrainConfig(steps=steps, parts=1, **changes)
        denoiser = kd.train(method, scan, config=config)
        found = kd.denoise(scan, denoiser)
        there = found.sigma > 0
        unit = np.where(there, found.sigma, 1)
        noisy, left = found.noisy / unit, np.where(there, (found.noisy - found.image) / unit, 0)
        correlation = recon.noise_correlation(noisy)
        middle = len(correlation) // 2
        scores["correlation"] = {
            "down": float(correlation[middle + 1, middle]),
            "across": float(correlation[middle, middle + 1]),
        }
        spectrum = spectrum_of(correlation, noisy.shape[-2:])
        scores[title] = share_taken(left, spectrum)
        pictures.setdefault("noisy", np.abs(noisy[len(noisy) // 2]))
        pictures[title] = np.abs((found.image / unit)[len(noisy) // 2])
        bands = ", ".join(f"{share:.2f}" for share in scores[title])
        print(f"{name}, {title}: {bands}", flush=True)
    return scores, pictures


def draw(pictures: dict[str, dict[str, Numpy]], path: Path) -> None:
    """Draw the middle slice of each scan by every method, and what was taken away."""
    rows, columns = 2 * len(pictures), len(METHODS) + 1
    tallest = max(image["noisy"].shape[0] / image["noisy"].shape[1] for image in pictures.values())
    size = (2.4 * columns, 2.4 * tallest * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained")
    for number, (name, images) in enumerate(pictures.items()):
        noisy = images["noisy"]
        for column, (title, image) in enumerate(images.items()):
            top, below = axes[2 * number, column], axes[2 * number + 1, column]
            top.imshow(image, cmap="gray", vmin=0, vmax=np.quantile(noisy, 0.995))
            top.set_title(f"{name}: {title}" if not column else title, fontsize=8)
            below.imshow(noisy - image, cmap="gray", vmin=-4, vmax=4)
    for axis in axes.flat:
        axis.set_axis_off()
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scans", nargs="*", default=SCANS)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    results, pictures = {}, {}
    for name in options.scans:
        results[name], pictures[name] = run(name, options.steps)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.picture:
        draw(pictures, options.picture)


if __name__ == "__main__":
    main()
