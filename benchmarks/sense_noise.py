"""Compare the exact SENSE noise map and g-factor with pseudo-replicas of the same reconstruction.

Correlated coil noise goes through `recon.sense` again and again; the spread of the images is the
truth for `sigma`, and over sigma at full sampling and sqrt(R) the truth for `recon.g_factor`. Every
R-th line is kept. All pixels count that the coil maps cover. Cases: a simulated 8-channel head with
white noise; the same with a receiver filter, unequal averaging and zero-filled lines together; and,
if KSPACE_DENOISE_DATA names the data folder, two 16-channel scans. Their covariance is that of the
image corners (of brain16ch_lowres Gibbs ringing, not noise: any covariance serves a comparison).

    python benchmarks/sense_noise.py --json sense_noise.json
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from kspace_denoise import recon, sim
from kspace_denoise.fourier import ifft2c

SNR = 20
BATCH = 32
MEDIAN, SPREAD, SHARE = 0.005, 0.05, 0.95  # what the project asks for
SCANS = ("pulseq3T_phantom_16ch_headarray", "brain16ch_lowres")


class Case(NamedTuple):
    """K-space `(coils, ky, kx)`, the covariance of its noise, and how that is not flat."""

    kspace: np.ndarray
    covariance: np.ndarray
    accelerations: tuple[int, ...]
    profile: np.ndarray | None = None
    spectrum: np.ndarray | None = None
    acquired: np.ndarray | None = None

    @property
    def flat(self) -> bool:
        """Tell whether the covariance says everything about the noise."""
        return self.profile is None


def simulated() -> Case:
    """Return noisy k-space (8, 128, 128) of the built-in phantom and its covariance."""
    psi = sim.array_covariance(8, seed=0) / SNR**2
    kspace = sim.add_noise(sim.phantom((128, 128), seed=0, coils=8).kspace, psi, seed=1)
    return Case(kspace, psi, (1, 2))


def uneven() -> Case:
    """Return the simulated case, read out along y with a filter; 20 lines are zero-filled."""
    y, x = np.arange(128)[:, None] / 127, np.arange(128) / 127
    profile = 0.4 + np.sin(np.pi * y) ** 0.5
    spectrum = np.where(x < 0.5, 0.7, 1.3) * np.exp(-((2 * x - 1) ** 2))
    acquired = np.broadcast_to(np.arange(128) >= 20, (128, 128))
    case = simulated()
    return case._replace(
        profile=(profile / np.sqrt(np.mean(profile**2))).astype(np.float32),
        spectrum=(spectrum / spectrum[20:].mean()).astype(np.float32),
        acquired=acquired.astype(np.float32),
    )


def measured(path: Path) -> Case:
    """Return the k-space of a scan and the covariance of its four image corners."""
    with h5py.File(path) as file:
        kspace = file["kspace"][0]
    images = ifft2c(kspace)
    rows, columns = (np.r_[: n // 8, n - n // 8 : n] for n in images.shape[-2:])
    corners = images[:, rows][:, :, columns]
    return Case(kspace, recon.noise_covariance(corners), (1, 2, 3, 4))


def replica_sigma(case: Case, maps: np.ndarray, mask: np.ndarray, replicas: int) -> np.ndarray:
    """Return the spread per real component of noise alone through the reconstruction."""
    power = np.zeros(case.kspace.shape[-2:])
    for start in range(0, replicas, BATCH):
        count = min(BATCH, replicas - start)
        like = np.empty((count, *case.kspace.shape), np.complex64)
        noise = sim.noise_like(
            like,
            case.covariance,
            seed=start,
            noise_profile=case.profile,
            noise_spectrum=case.spectrum,
        )
        noise = noise if case.acquired is None else noise * case.acquired
        image = recon.sense(noise, maps, mask, case.covariance).image
        power += np.sum(np.abs(image).astype(float) ** 2, axis=0)
    return np.sqrt(power / (2 * replicas))


def compare(name: str, case: Case, maps: np.ndarray, step: int, replicas: int) -> dict:
    """Return one row: exact sigma over measured sigma, over all pixels that the maps cover."""
    mask = np.arange(case.kspace.shape[-1]) % step == 0
    kspace = case.kspace if case.acquired is None else case.kspace * case.acquired
    known = {"noise_profile": case.profile, "noise_spectrum": case.spectrum}
    start = time.perf_counter()
    sigma = recon.sense(kspace, maps, mask, case.covariance, **known).sigma
    seconds = time.perf_counter() - start
    seen = sigma > 0
    spread = replica_sigma(case, maps, mask, replicas)
    row = {
        "case": name,
        "acceleration": step,
        "replicas": replicas,
        "pixels": int(seen.sum()),
        "seconds_sense": seconds,
        **agreement("sigma", sigma[seen] / spread[seen]),
    }
    if case.flat:
        full = recon.sense(kspace, maps, None, case.covariance).sigma
        factor = recon.g_factor(maps, mask, case.covariance)
        found = spread / np.where(seen, full, 1) * np.sqrt(mask.mean())
        row |= agreement("g", factor[seen] / found[seen])
        row |= {"median_g": float(np.median(factor[seen])), "largest_g": float(factor.max())}
    row["passed"] = all(
        abs(row[f"{key}_median_ratio"] - 1) < MEDIAN and row[f"{key}_within_5_percent"] > SHARE
        for key in ("sigma", "g")
        if f"{key}_median_ratio" in row
    )
    return row


def agreement(name: str, ratio: np.ndarray) -> dict:
    return {
        f"{name}_median_ratio": float(np.median(ratio)),
        f"{name}_within_5_percent": float(np.mean(np.abs(ratio - 1) < SPREAD)),
    }


def show(row: dict) -> str:
    factor = ""
    if "median_g" in row:
        factor = (
            f"{row['g_median_ratio']:12.4f}{row['g_within_5_percent']:9.1%}"
            f"{row['median_g']:8.2f}{row['largest_g']:8.1f}"
        )
    return (
        f"{row['case']:34}{row['acceleration']:2d}{row['sigma_median_ratio']:12.4f}"
        f"{row['sigma_within_5_percent']:9.1%}{factor:37}{'ok' if row['passed'] else 'FAILED':>8}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicas", type=int, default=512)
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    cases = {"simulated, 8 coils": simulated(), "filter, averaging, zero-filled": uneven()}
    folder = os.environ.get("KSPACE_DENOISE_DATA")
    if folder and Path(folder).is_dir():
        cases |= {name: measured(Path(folder) / f"{name}.h5") for name in SCANS}
    else:
        print("no data folder (KSPACE_DENOISE_DATA): simulations only", file=sys.stderr)
    rows = []
    print(
        f"{'case':34}{'R':>2}{'sigma ratio':>12}{'in 5 %':>9}{'g ratio':>12}{'in 5 %':>9}"
        f"{'med g':>8}{'max g':>8}"
    )
    for name, case in cases.items():
        maps = recon.espirit(case.kspace)
        for step in case.accelerations:
            rows.append(compare(name, case, maps, step, options.replicas))
            print(show(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(0 if all(row["passed"] for row in rows) else 1)


if __name__ == "__main__":
    main()
