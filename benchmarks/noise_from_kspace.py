"""Measure how well `recon.estimate_noise` knows the noise of a scan from its own k-space.

Phantoms with known covariance: 1, 4 and 8 correlated coils, SNR 6, 15 and 40, two matrices, any
readout axis; does the stated 95 % interval hold the truth? The same with lines zero-filled at both
ends, as M4Raw has it, or at one, as partial Fourier. And, if KSPACE_DENOISE_DATA names the data
folder, real scans: the four image corners of brain8ch_full, the difference of two Siemens scans
(sigma and profile along the readout, as means of seven columns, which the truth itself tells to
1 %), the difference of two 55 mT repetitions, and a scan that is nearly free of noise.

    python benchmarks/noise_from_kspace.py --json noise_from_kspace.json
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from kspace_denoise import recon, sim
from kspace_denoise.fourier import ifft2c

FIRST_SEED = 30_000
WITHIN, COVERED = 0.05, 90
CUTS = (("all lines", 0, 1), ("both ends cut", 0.12, 0.875), ("one end cut", 0.3, 1))


def phantoms(count: int, name: str, start: float, stop: float) -> dict:
    """Return how often the interval holds the truth, in `count` phantoms with some lines kept."""
    covered, ratios, widths, refused = 0, [], [], 0
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        coils, snr = (1, 4, 8)[seed % 3], (6, 15, 40)[seed // 3 % 3]
        size, axis = ((128, 128), (96, 131))[seed % 2], (None, -1, -2)[seed // 9 % 3]
        psi = sim.array_covariance(coils, seed=seed) / snr**2
        kspace = sim.add_noise(sim.phantom(size, seed=seed, coils=coils).kspace, psi, seed)
        kspace[..., : round(start * size[1])] = 0
        kspace[..., round(stop * size[1]) :] = 0
        truth = np.sqrt(np.trace(psi).real / coils / 2)
        try:
            found = recon.estimate_noise(kspace, readout_axis=axis)
        except recon.NoiseNotFound:
            refused += 1
            continue
        low, high = found.interval
        covered += low < truth / found.sigma < high
        ratios.append(found.sigma / truth)
        widths.append((high - low) / 2)
    return {
        "case": f"{count} phantoms, {name}: within the stated interval",
        "measured": int(covered),
        "refused": refused,
        "mean_ratio": float(np.mean(ratios)),
        "std_ratio": float(np.std(ratios)),
        "mean_half_width": float(np.mean(widths)),
        "passed": bool(covered >= COVERED * count / 100),
    }


def corners(folder: Path) -> Iterator[dict]:
    """Yield sigma of brain8ch_full over the level in its four image corners."""
    kspace = read(folder, "brain8ch_full")
    image = ifft2c(kspace[0])
    ends = np.s_[:16], np.s_[-16:]
    truth = level(np.stack([image[:, ys, xs] for ys in ends for xs in ends]))
    yield ratio("brain8ch_full: sigma over that of the corners", kspace, None, truth)


def siemens(folder: Path) -> Iterator[dict]:
    """Yield sigma at the readout centre and the profile of both scans, over their difference's."""
    scans = [read(folder, f"pulseq3T_phantom_4ch_sol{i}") for i in (13, 15)]
    for name, one, two in zip(("sol13", "sol15"), scans, scans[::-1], strict=True):
        scale = np.vdot(two, one) / np.vdot(two, two)
        difference = ifft2c((one - scale * two) / np.sqrt(1 + abs(scale) ** 2))
        air = np.r_[0:80, 225:256]  # beyond the phantom, which one scale does not quite fit
        truth = seven(np.mean(np.abs(difference[:, :, air]) ** 2, axis=(0, 1, 2)) / 2)
        found = recon.estimate_noise(one, readout_axis=-1)
        assert found.profile is not None
        off = seven((found.sigma * found.profile[0]) ** 2) / truth - 1
        for what, error in (("centre", off[len(off) // 2]), ("profile, largest", abs(off).max())):
            yield {
                "case": f"{name}: error of sigma at the readout {what}",
                "measured": float(error),
                "passed": bool(abs(error) < WITHIN),
            }


def repetitions(folder: Path) -> Iterator[dict]:
    """Yield sigma of two 55 mT repetitions over that of their difference."""
    name = "ulf55mT_FLAIR_cage_EMIremoved_s01_rep"
    scans = [read(folder, f"{name}{i}") for i in (1, 2)]
    truth = level((scans[0] - scans[1]) / np.sqrt(2))
    for i, kspace in enumerate(scans, 1):
        yield ratio(f"55 mT FLAIR, repetition {i}: sigma over the difference's", kspace, -2, truth)


def refusal(folder: Path) -> Iterator[dict]:
    """Yield whether the nearly noise-free scan is refused."""
    try:
        recon.estimate_noise(read(folder, "brain16ch_lowres"))
        refused = False
    except recon.NoiseNotFound:
        refused = True
    yield {"case": "brain16ch_lowres: refused", "measured": refused, "passed": refused}


def ratio(case: str, kspace: np.ndarray, axis: int | None, truth: float) -> dict:
    found = recon.estimate_noise(kspace, readout_axis=axis).sigma / truth
    return {"case": case, "measured": float(found), "passed": bool(abs(found - 1) < WITHIN)}


def seven(square: np.ndarray) -> np.ndarray:
    """Return the level over means of seven columns."""
    return np.sqrt(np.convolve(square, np.ones(7) / 7, "valid"))


def level(noise: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.abs(noise) ** 2) / 2))


def read(folder: Path, name: str) -> np.ndarray:
    with h5py.File(folder / f"{name}.h5") as file:
        return file["kspace"][:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--phantoms", type=int, default=100)
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    rows = [phantoms(options.phantoms, *case) for case in CUTS]
    folder = os.environ.get("KSPACE_DENOISE_DATA")
    measured: tuple[Callable[[Path], Iterator[dict]], ...] = (
        corners,
        siemens,
        repetitions,
        refusal,
    )
    if folder and Path(folder).is_dir():
        rows += [row for part in measured for row in part(Path(folder))]
    else:
        print("no data folder (KSPACE_DENOISE_DATA): phantoms only")
    for row in rows:
        value = row["measured"]
        shown = f"{value:.4f}" if isinstance(value, float) else str(value)
        print(f"{row['case']:62}{shown:>10}{'ok' if row['passed'] else 'FAILED':>8}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(0 if all(row["passed"] for row in rows) else 1)


if __name__ == "__main__":
    main()
