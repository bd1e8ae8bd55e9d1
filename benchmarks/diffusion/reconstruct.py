"""Reconstruction of single-coil phantoms: zero-filled, penalties, and samplers with two priors.

Unseen slices of largest magnitude 1, noise of 0.01 per real component, masks of the paper scaled to
128 lines. Penalties have, for each mask, the λ of 13 whose PSNR is best on the very slices that are
scored. Samplers draw 8 samples, whose mean is scored, by 100 calls of the prior each: DDRM in 100
steps, split Gibbs in 20 sweeps of 5; the network in bfloat16. PSNR and SSIM of the magnitude, data
range 1, the whole image; gains over L1-wavelet with their 95 % interval, paired over slices.

    python -m benchmarks.diffusion.reconstruct --work WORK --slices 8

Every slice is kept as it is done; killed, it goes on there. `--table` prints what there is.
"""

import argparse
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import kspace_denoise as kd
from benchmarks.diffusion.phantoms import FIRST, SHAPE, SIGMA, Numpy, calibration_of, head
from benchmarks.diffusion.priors import STEPS, trained
from benchmarks.diffusion.results import Scores, table, work_through
from kspace_denoise import metrics, recon, sim
from kspace_denoise.fourier import ifft2c

SAMPLES = 8
PENALTIES = {"l1-wavelet": recon.l1_wavelet, "tv": recon.tv}
LAMBDAS = tuple(float(f"{x:.3g}") for x in np.geomspace(0.03, 30, 13))
SAMPLERS: dict[str, Callable[..., recon.Posterior]] = {
    "ddrm": partial(recon.ddrm, steps=100),
    "split-gibbs": partial(recon.split_gibbs, sweeps=20, steps=5),
}
PRIORS = ("clean", "gsure")
ROWS = ("zero-filled", *PENALTIES, *(f"{s} {p}" for s in SAMPLERS for p in PRIORS))


class Case(NamedTuple):
    """A family of masks."""

    kind: str
    acceleration: float
    calibration: int | None

    @property
    def name(self) -> str:
        """For tables and files."""
        return f"{self.kind} R={self.acceleration:g}"

    def mask(self, split: str, number: int) -> Numpy:
        """Draw the mask of a slice, `(ky, kx)`."""
        seed = np.random.default_rng([FIRST[split], number, 5])
        drawn = sim.mask(self.kind, SHAPE, self.acceleration, self.calibration, seed)
        return drawn.astype(np.float32)


CASES = [Case("gsure", r, calibration_of(r)) for r in (4, 6, 8, 10, 12)] + [
    Case("gaussian", 8, 5),
    Case("poisson", 15, None),
]


def scan(case: Case, split: str, number: int, sigma: float = SIGMA) -> tuple[Numpy, Numpy, Numpy]:
    """Return k-space `(1, ky, kx)` in SNR units, its mask and the truth in the same unit."""
    drawn = head(split, number)
    mask = case.mask(split, number)
    seed = np.random.default_rng([FIRST[split], number, 6])
    noisy = sim.add_noise(drawn.kspace, np.array([[2 * sigma**2]]), seed=seed)
    return noisy / np.float32(sigma) * mask, mask, drawn.image / np.float32(sigma)


def score(image: Numpy, truth: Numpy) -> dict[str, float]:
    """Return PSNR and SSIM of the magnitude; both images are in SNR units."""
    pair = SIGMA * np.abs(image), SIGMA * np.abs(truth)
    return {
        "psnr": float(metrics.psnr(*pair, data_range=1.0)),
        "ssim": float(metrics.ssim(*pair, data_range=1.0)),
    }


def penalised(name: str, lam: float, kspace: Numpy, mask: Numpy) -> Numpy:
    """Return the image of L1-wavelet or TV."""
    maps = np.ones((1, *SHAPE), np.complex64)
    options: dict[str, Any] = {"seed": 0} if name == "l1-wavelet" else {}
    return np.asarray(PENALTIES[name](kspace, maps, mask, lam=lam, **options))


@cache
def prior(name: str, work: Path, steps: int) -> kd.Denoiser:
    """Return a trained prior."""
    return trained(name, work, steps)


def results(row: str, case: Case, number: int, work: Path, steps: int) -> Scores:
    """Return the scores of a row on one slice, by λ where it has one."""
    kspace, mask, truth = scan(case, "test", number)
    if row == "zero-filled":
        return {"": score(ifft2c(kspace[0]), truth)}
    if row in PENALTIES:
        return {str(x): score(penalised(row, x, kspace, mask), truth) for x in LAMBDAS}
    sampler, name = row.split()
    maps = np.ones((1, *SHAPE), np.complex64)
    denoise = prior(name, work, steps).prior(recon.signal_rms(kspace, mask), bfloat16=True)
    found = SAMPLERS[sampler](
        kspace, maps, mask, denoise, noise_covariance=2 * np.eye(1), samples=SAMPLES, seed=0
    )
    return {"": score(found.mean, truth)}


def main() -> None:
    """Reconstruct, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where results are kept")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the priors' training")
    parser.add_argument("--slices", type=int, default=8)
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS, metavar="ROW")
    parser.add_argument("--table", action="store_true", help="only print what there is")
    arguments = parser.parse_args()
    folder, cases = arguments.work / "reconstruct", {case.name: case for case in CASES}

    def score_of(case: str, row: str, number: int) -> Scores:
        return results(row, cases[case], number, arguments.work, arguments.steps)

    if not arguments.table:
        numbers = range(arguments.slices)
        jobs = [(case, row, n) for n in numbers for case in cases for row in arguments.rows]
        work_through(jobs, folder, score_of)
    print(table(cases, arguments.rows, folder, "l1-wavelet"))


if __name__ == "__main__":
    main()
