"""Measure the built-in phantom: how long a thousand slices take, and how real its spectrum is.

The slope of the radial power spectrum (log-log, 0.05 to 0.35 cycles per pixel) is compared with
that of brain8ch_full.h5 in the folder KSPACE_DENOISE_DATA: root-sum-of-squares image against
root-sum-of-squares image of the same matrix, T1w both, the noise power of the real one removed.

    python benchmarks/phantom.py --json phantom.json
"""

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np

from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.sim import noise_like, phantom

BAND = (0.05, 0.35)  # cycles per pixel
MATRIX = (230, 180)  # of brain8ch_full


def draw(seed: int, size: int) -> float:
    return float(np.abs(phantom((size, size), seed=seed).image).max())


def seconds(slices: int, size: int, processes: int) -> float:
    """Return the time that `slices` slices take, the start of the processes left out."""
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(partial(draw, size=size), range(processes)))
        start = time.perf_counter()
        list(pool.map(partial(draw, size=size), range(slices), chunksize=10))
        return time.perf_counter() - start


def rss(kspace: np.ndarray) -> np.ndarray:
    return np.sqrt(np.sum(np.abs(ifft2c(kspace)) ** 2, axis=0))


def spectrum(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return frequency (cycles per pixel) and mean power of rings that widen with frequency."""
    power = np.abs(fft2c(image)) ** 2
    y, x = ((np.arange(n) - n // 2) / n for n in image.shape)
    radius = np.hypot(y[:, None], x)
    edges = np.geomspace(*BAND, 25)
    rings = [power[(radius >= a) & (radius < b)].mean() for a, b in pairwise(edges)]
    return np.sqrt(edges[1:] * edges[:-1]), np.array(rings)


def slope(frequency: np.ndarray, power: np.ndarray) -> float:
    return float(np.polyfit(np.log(frequency), np.log(power), 1)[0])


def real_slope(path: Path) -> float:
    """Return the slope of a real image; noise of the same law, added, tells its power."""
    with h5py.File(path) as file:
        kspace = file["kspace"][0]
    corners = ifft2c(kspace)[:, [*range(20), *range(-20, 0)], :][:, :, [*range(20), *range(-20, 0)]]
    corners = corners.reshape(len(kspace), -1)
    psi = corners @ corners.conj().T / corners.shape[1]
    frequency, power = spectrum(rss(kspace))
    noisier = [spectrum(rss(kspace + noise_like(kspace, psi, seed)))[1] for seed in range(8)]
    return slope(frequency, power - (np.mean(noisier, axis=0) - power))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--slices", type=int, default=1000, help="slices to time (1000)")
    parser.add_argument("--size", type=int, default=128, help="their matrix (128)")
    parser.add_argument("--processes", type=int, default=2, help="processes that draw them (2)")
    parser.add_argument("--spectra", type=int, default=24, help="slices for the spectrum (24)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers there")
    args = parser.parse_args()

    slices = [phantom(MATRIX, "T1w", seed=1000 + i, coils=8) for i in range(args.spectra)]
    truth = [slope(*spectrum(np.abs(part.image))) for part in slices]
    coils = [slope(*spectrum(rss(part.kspace))) for part in slices]
    real = Path(os.environ.get("KSPACE_DENOISE_DATA", "")) / "brain8ch_full.h5"
    measured = real_slope(real) if real.is_file() else None
    result = {
        "slices": args.slices,
        "size": args.size,
        "processes": args.processes,
        "seconds": seconds(args.slices, args.size, args.processes),
        "slope_phantom": float(np.mean(coils)),
        "slope_phantom_std": float(np.std(coils)),
        "slope_phantom_truth": float(np.mean(truth)),
        "slope_real": measured,
        "slope_difference": None if measured is None else float(np.mean(coils)) - measured,
    }
    for name, value in result.items():
        number = f"{value:.3f}" if isinstance(value, float) else value
        print(f"{name:24} {'not measured' if value is None else number}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
