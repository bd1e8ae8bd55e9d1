"""How noise is correlated from pixel to pixel, told by k-space and by flat areas of the images.

Of the 55 mT scans, whose k-space is tapered or unequally averaged: the noise that is found in the
air has a spectrum over k-space, whose transform is the correlation; and flat areas of the same
images have differences of pixels, which tell it again. Prints neighbours down and across, of both.

    python benchmarks/correlation_told_twice.py

The folder of scans is that of KSPACE_DENOISE_DATA. Some seconds a scan.
"""

import os
from pathlib import Path

import numpy as np
import torch

import kspace_denoise as kd
from kspace_denoise import recon
from kspace_denoise.classical import CLASSICAL
from kspace_denoise.recon import NoiseNotFound
from kspace_denoise.scan import Scan
from kspace_denoise.stages import known_noise, with_noise
from kspace_denoise.training.stationary import in_short, known_correlation


def neighbours(correlation: torch.Tensor) -> str:
    """Return the correlation of pixels one apart, down and across."""
    down, across = in_short(correlation)
    return f"{down[1]:.2f}, {across[1]:.2f}"


def main() -> None:
    folder = Path(os.environ["KSPACE_DENOISE_DATA"])
    print("| scan | by k-space: down, across | by the images: down, across |")
    print("| --- | ---: | ---: |")
    for path in sorted(folder.glob("ulf55mT_*.h5")):
        if "reference_images" in path.name:
            continue
        scan = kd.read(path)
        assert isinstance(scan, Scan)
        try:
            known = known_correlation([with_noise(scan, known_noise(scan))])
        except NoiseNotFound:
            continue
        found = kd.denoise(scan, CLASSICAL["wavelet"]())  # for the noisy images and their level
        there = found.sigma > 0
        noisy = np.where(there, found.noisy / np.where(there, found.sigma, 1), 0)
        measured = torch.from_numpy(recon.noise_correlation(noisy))
        told = "white" if known is None else neighbours(known)
        print(f"| {path.stem.removeprefix('ulf55mT_')} | {told} | {neighbours(measured)} |")


if __name__ == "__main__":
    main()
