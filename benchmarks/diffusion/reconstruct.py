"""Reconstruction of single-coil phantoms: zero-filled, penalties, and samplers with two priors.

Unseen slices of largest magnitude 1, noise of 0.01 per real component, masks of the paper scaled to
128 lines. Penalties have the λ that is best on validation slices of the same mask. Samplers draw 8
samples, whose mean is scored. PSNR and SSIM of the magnitude, data range 1, the whole image.

    python -m benchmarks.diffusion.reconstruct --work WORK --slices 8

Every slice is kept as it is done; killed, it goes on there. `--table` prints what there is.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import kspace_denoise as kd
from benchmarks.diffusion.phantoms import FIRST, SHAPE, SIGMA, Numpy, calibration_of, head
from benchmarks.diffusion.priors import STEPS, trained
from kspace_denoise import metrics, recon, sim
from kspace_denoise.formats.atomic import atomic
from kspace_denoise.fourier import ifft2c

SAMPLES = 8
PENALTIES = {"l1-wavelet": recon.l1_wavelet, "tv": recon.tv}
LAMBDAS = (0.1, 0.3, 1.0, 3.0, 10.0)
SAMPLERS: dict[str, Callable[..., recon.Posterior]] = {
    "ddrm": recon.ddrm,
    "split-gibbs": recon.split_gibbs,
}
PRIORS = ("oracle", "gsure")
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


def scan(case: Case, split: str, number: int) -> tuple[Numpy, Numpy, Numpy]:
    """Return k-space `(1, ky, kx)` in SNR units, its mask and the truth in the same unit."""
    drawn = head(split, number)
    mask = case.mask(split, number)
    seed = np.random.default_rng([FIRST[split], number, 6])
    noisy = sim.add_noise(drawn.kspace, np.array([[2 * SIGMA**2]]), seed=seed)
    return noisy / np.float32(SIGMA) * mask, mask, drawn.image / np.float32(SIGMA)


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
def best_lambda(name: str, case: Case, slices: int = 3) -> float:
    """Return the λ of the highest PSNR on validation slices."""

    def mean(lam: float) -> float:
        scans = [scan(case, "validation", number) for number in range(slices)]
        return float(np.mean([score(penalised(name, lam, k, m), x)["psnr"] for k, m, x in scans]))

    return max(LAMBDAS, key=mean)


@cache
def prior(name: str, work: Path, steps: int) -> kd.Denoiser:
    """Return a trained prior."""
    return trained(name, work, steps)


def reconstructed(row: str, case: Case, kspace: Numpy, mask: Numpy, work: Path, steps: int) -> Any:
    """Return the image of one row of the table, and its λ if it has one."""
    if row == "zero-filled":
        return ifft2c(kspace[0]), None
    if row in PENALTIES:
        lam = best_lambda(row, case)
        return penalised(row, lam, kspace, mask), lam
    sampler, name = row.split()
    maps = np.ones((1, *SHAPE), np.complex64)
    denoise = prior(name, work, steps).prior(recon.signal_rms(kspace, mask))
    found = SAMPLERS[sampler](
        kspace, maps, mask, denoise, noise_covariance=2 * np.eye(1), samples=SAMPLES, seed=0
    )
    return found.mean, None


def work_through(rows: list[str], cases: list[Case], slices: int, work: Path, steps: int) -> None:
    """Do what is not done yet, slice by slice."""
    for number in range(slices):
        for case in cases:
            for row in rows:
                path = work / "reconstruct" / case.name / f"{row} {number}.json"
                if path.exists():
                    continue
                kspace, mask, truth = scan(case, "test", number)
                started = time.perf_counter()
                image, lam = reconstructed(row, case, kspace, mask, work, steps)
                result = {**score(image, truth), "lambda": lam, "steps": steps}
                result["seconds"] = time.perf_counter() - started
                print(f"{case.name} {row} {number}: {result['psnr']:.2f} dB", flush=True)
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic(path) as temporary:
                    temporary.write_text(json.dumps(result))


def table(work: Path) -> str:
    """Return the means of all slices that every row has, as Markdown."""
    lines = ["| mask | slices | " + " | ".join(ROWS) + " |", "| --- " * (len(ROWS) + 2) + "|"]
    for case in CASES:
        kept: dict[str, dict[int, dict[str, float]]] = {row: {} for row in ROWS}
        for path in (work / "reconstruct" / case.name).glob("*.json"):
            row, _, number = path.stem.rpartition(" ")
            kept[row][int(number)] = json.loads(path.read_text())
        common = set.intersection(*(set(found) for found in kept.values()))
        if not common:
            continue
        cells = []
        for row in ROWS:
            psnr, ssim = (np.mean([kept[row][n][k] for n in common]) for k in ("psnr", "ssim"))
            cells.append(f"{psnr:.2f}, {ssim:.3f}")
        lines.append(f"| {case.name} | {len(common)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Reconstruct, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where results are kept")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the priors' training")
    parser.add_argument("--slices", type=int, default=8)
    parser.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS, metavar="ROW")
    parser.add_argument("--table", action="store_true", help="only print what there is")
    arguments = parser.parse_args()
    if not arguments.table:
        rows = list(arguments.rows)
        work_through(rows, CASES, arguments.slices, arguments.work, arguments.steps)
    print(table(arguments.work))


if __name__ == "__main__":
    main()
