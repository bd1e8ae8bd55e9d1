"""What methods take from scans at 55 mT whose noise is correlated, beside what noise there is.

Each scan is denoised by methods that were trained on it alone. No truth is known. The correlation
of the noise is measured where the images are flat, and its spectrum follows from that; what a
method took away (noisy - denoised, in SNR units) has a spectrum, too. A method that takes noise
alone, and all of it, takes as much as there is at every spatial frequency: 1 in every band. Less is
noise that stays, more is anatomy that goes.

    python benchmarks/correlated_scans.py --json scans.json --picture scans.png

The folder of scans is that of KSPACE_DENOISE_DATA. Some 15 minutes for each scan on one core.
"""

import argparse
import itertools
import json
import os
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib.pyplot as plt
import numpy as np

import kspace_denoise as kd
from kspace_denoise.classical import CLASSICAL
from kspace_denoise.fourier import fft2c
from kspace_denoise.networks import network_config
from kspace_denoise.recon import correlation_reach, correlation_spectrum
from kspace_denoise.scan import Scan
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.stationary import measured_correlation

Numpy: TypeAlias = np.ndarray[Any, Any]

SCANS = ("caseB_AXT1", "caseC_AXT1", "human_FISP_FA50")
BANDS = (0.0, 0.15, 0.3, 0.5, 0.71)
"""Limits of the bands of spatial frequency, in cycles per pixel."""
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "bm3d, spectrum as measured": ("bm3d", {}),
    "c2s": ("c2s", {}),
    "c2s, stationary": ("c2s", {"domain": "stationary"}),
    "blind-spot, hole as measured": ("blind-spot", {}),
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


def run(name: str, steps: int) -> tuple[dict[str, Any], dict[str, Numpy]]:
    """Denoise a scan by all methods; return scores and the middle slice of each."""
    scan = read(name)
    given = kd.denoise(scan, CLASSICAL["wavelet"]())  # for the noisy images and their level
    there = given.sigma > 0
    noisy = np.where(there, given.noisy / np.where(there, given.sigma, 1), 0)
    correlation = measured_correlation(NoisyImages.from_arrays(list(noisy)))
    middle, reach = len(correlation) // 2, correlation_reach(correlation.numpy())
    down, across = correlation[middle + 1, middle].abs(), correlation[middle, middle + 1].abs()
    scores: dict[str, Any] = {
        "correlation": {"down": float(down), "across": float(across), "reach": reach}
    }
    print(f"{name}: {scores['correlation']}", flush=True)
    spectrum = correlation_spectrum(correlation, noisy.shape[-2:]).numpy()
    pictures = {"noisy": noisy[len(noisy) // 2]}
    for title, (method, changes) in METHODS.items():
        denoiser: Any = CLASSICAL["bm3d"](spectrum=spectrum)
        if method != "bm3d":
            config = kd.TrainConfig(steps=steps, parts=1, **changes)
            if method == "blind-spot":
                network = network_config({"architecture": "puca", "hole": 2 * reach + 1})
                config = config.replace(network=network)
            denoiser = kd.train(method, scan, config=config)
        found = kd.denoise(scan, denoiser).image
        denoised = np.where(there, found / np.where(there, given.sigma, 1), 0)
        scores[title] = share_taken(noisy - denoised, there.mean() * spectrum)
        pictures[title] = denoised[len(noisy) // 2]
        bands = ", ".join(f"{share:.2f}" for share in scores[title])
        print(f"{name}, {title}: {bands}", flush=True)
    return scores, pictures


def draw(pictures: dict[str, dict[str, Numpy]], path: Path) -> None:
    """Draw the middle slice of each scan by every method, and what was taken away in its phase."""
    columns = len(METHODS) + 1
    tall = [i["noisy"].shape[0] / i["noisy"].shape[1] for i in pictures.values() for _ in range(2)]
    size = (2.4 * columns, 2.4 * sum(tall) + 0.2 * len(pictures))
    figure, axes = plt.subplots(
        len(tall), columns, figsize=size, height_ratios=tall, layout="constrained"
    )
    for number, (name, images) in enumerate(pictures.items()):
        noisy = images["noisy"]
        for column, (title, image) in enumerate(images.items()):
            top, below = axes[2 * number, column], axes[2 * number + 1, column]
            top.imshow(np.abs(image), cmap="gray", vmin=0, vmax=np.quantile(np.abs(noisy), 0.995))
            top.set_title(f"{name}: {title}" if not column else title, fontsize=8)
            if title != "noisy":
                taken = (noisy - image) * np.exp(-1j * np.angle(image))
                below.imshow(taken.real, cmap="gray", vmin=-4, vmax=4)
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
