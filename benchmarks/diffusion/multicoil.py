"""Reconstruction from 8 coils: CG-SENSE, L1-wavelet, and samplers with two priors.

Unseen phantom slices and, where KSPACE_DENOISE_DATA is set, the slice of `brain8ch_full`
(retrospective undersampling; its full SENSE image is the reference, whose noise is also in the
data: it favours what keeps noise). Lines equispaced or random, 12 calibration lines, maps by
ESPIRiT. Penalties have, for each data set and mask, the λ of 13 whose PSNR is best on the very
slices that are scored. Samplers draw 8 samples, whose mean is scored. `clean` learnt from single-
coil slices without noise: 100 calls of it for each sample, DDRM in 100 steps, split Gibbs in 20
sweeps of 5. `coils-gsure` learnt from what 8 coils saw of the same slices: 10 and 10 · 5 calls, as
more make the images of two validation scans worse. Networks in bfloat16. PSNR and SSIM of the
magnitude, data range the largest value of the reference, the whole image.

    python -m benchmarks.diffusion.multicoil --work WORK --slices 4

Every slice is kept as it is done; killed, it goes on there. `--table` prints what there is.
"""

import argparse
import dataclasses
import functools
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

import kspace_denoise as kd
from benchmarks.diffusion.coils import COIL_CALIBRATION, COIL_SIGMA, coil_scan
from benchmarks.diffusion.phantoms import Numpy
from benchmarks.diffusion.priors import STEPS, trained
from benchmarks.diffusion.results import Scores, table, work_through
from kspace_denoise import metrics, sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.cli.methods import METHODS, Settings
from kspace_denoise.cli.sampling import Sampling
from kspace_denoise.stages import known_noise, reconstruct_slice

KINDS, ACCELERATIONS = ("equispaced", "random"), (4, 6, 8)
LAMBDAS = tuple(float(f"{x:.3g}") for x in np.geomspace(1e-3, 30, 13))
PENALTIES = ("sense", "l1-wavelet")
PRIORS = ("clean", "coils-gsure")
ROWS = (*PENALTIES, *(f"{s} {p}" for s in ("ddrm", "split-gibbs") for p in PRIORS))
SAMPLING = {
    "ddrm clean": Sampling(8, 100, bfloat16=True),
    "ddrm coils-gsure": Sampling(8, 10, bfloat16=True),
    "split-gibbs clean": Sampling(8, 5, 20, bfloat16=True),
    "split-gibbs coils-gsure": Sampling(8, 5, 10, bfloat16=True),
}


class Case(NamedTuple):
    """A data set and a family of masks."""

    data: str
    kind: str
    acceleration: int

    @property
    def name(self) -> str:
        """For tables and files."""
        return f"{self.data} {self.kind} R={self.acceleration}"


CASES = [Case(d, k, r) for d in ("phantom", "brain") for k in KINDS for r in ACCELERATIONS]


def scan(case: Case, number: int) -> tuple[kd.Scan, Numpy]:
    """Return one undersampled slice as a scan, and its reference `(y, x)`."""
    if case.data == "phantom":
        settings = (COIL_SIGMA, case.kind, case.acceleration, COIL_CALIBRATION)
        one, truth = coil_scan("test", [number], *settings)
        return one, truth[0]
    full = brain()
    kspace = np.asarray(full.kspace[number])
    noise = known_noise(full)
    reference = np.abs(to_numpy(reconstruct_slice(kspace, noise).image))
    seed = np.random.default_rng([number, case.acceleration])
    grid = kspace.shape[-2:]
    mask = sim.mask(case.kind, grid, case.acceleration, COIL_CALIBRATION, seed)[:1].astype(bool)
    one = kd.Scan(kspace=(kspace * mask)[None], mask=mask, noise_covariance=noise.covariance)
    return one, reference


@functools.cache
def brain() -> kd.Scan:
    """Return the real scan, with the noise that is measured in it."""
    found = kd.read(Path(os.environ["KSPACE_DENOISE_DATA"]) / "brain8ch_full.h5")
    return dataclasses.replace(found, noise_covariance=known_noise(found).covariance)


def results(row: str, case: Case, number: int, work: Path, steps: int) -> Scores:
    """Return the scores of a row on one slice, by λ where it has one."""
    one, reference = scan(case, number)
    method, _, name = row.partition(" ")
    noise = known_noise(one)
    base = Settings(
        noise,
        None,
        0,
        0,
        None,
        trained(name, work, steps) if name else None,
        SAMPLING.get(row, Sampling()),
    )
    found = {}
    for lam in LAMBDAS if row in PENALTIES else (None,):
        settings = base._replace(penalty=lam)
        images = METHODS[method].run(np.asarray(one.kspace[0]), one.slice_mask(0), settings)
        pair = np.abs(to_numpy(images["reconstruction"])), reference
        top = float(reference.max())
        found["" if lam is None else str(lam)] = {
            "psnr": float(metrics.psnr(*pair, data_range=top)),
            "ssim": float(metrics.ssim(*pair, data_range=top)),
        }
    return found


def main() -> None:
    """Reconstruct, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where results are kept")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the priors' training")
    parser.add_argument("--slices", type=int, default=4)
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS, metavar="ROW")
    parser.add_argument("--table", action="store_true", help="only print what there is")
    given = parser.parse_args()
    folder, cases = given.work / "multicoil", {case.name: case for case in CASES}
    slices = {"phantom": given.slices, "brain": int("KSPACE_DENOISE_DATA" in os.environ)}

    def score_of(case: str, row: str, number: int) -> Scores:
        return results(row, cases[case], number, given.work, given.steps)

    if not given.table:
        jobs = [
            (name, row, number)
            for number in range(given.slices)
            for name, case in cases.items()
            for row in given.rows
            if number < slices[case.data]
        ]
        work_through(jobs, folder, score_of)
    print(table(cases, given.rows, folder, "l1-wavelet"))


if __name__ == "__main__":
    main()
