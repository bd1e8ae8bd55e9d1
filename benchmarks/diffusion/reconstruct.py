"""Reconstruction of single-coil phantoms: zero-filled, penalties, and samplers with two priors.

Unseen slices of largest magnitude 1, noise of 0.01 per real component, masks of the paper scaled to
128 lines. Penalties have, for each mask, the λ of 13 whose PSNR is best on the very slices that are
scored. Samplers draw 8 samples, whose mean is scored. PSNR and SSIM of the magnitude, data range 1,
the whole image; gains over L1-wavelet with their 95 % interval, paired over slices.

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
import scipy.stats

import kspace_denoise as kd
from benchmarks.diffusion.phantoms import FIRST, SHAPE, SIGMA, Numpy, calibration_of, head
from benchmarks.diffusion.priors import STEPS, trained
from kspace_denoise import metrics, recon, sim
from kspace_denoise.formats.atomic import atomic
from kspace_denoise.fourier import ifft2c

SAMPLES = 8
PENALTIES = {"l1-wavelet": recon.l1_wavelet, "tv": recon.tv}
LAMBDAS = tuple(float(f"{x:.3g}") for x in np.geomspace(0.03, 30, 13))
SAMPLERS: dict[str, Callable[..., recon.Posterior]] = {
    "ddrm": recon.ddrm,
    "split-gibbs": recon.split_gibbs,
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
def prior(name: str, work: Path, steps: int) -> kd.Denoiser:
    """Return a trained prior."""
    return trained(name, work, steps)


def results(
    row: str, case: Case, number: int, work: Path, steps: int
) -> dict[str, dict[str, float]]:
    """Return the scores of a row on one slice, by λ where it has one."""
    kspace, mask, truth = scan(case, "test", number)
    if row == "zero-filled":
        return {"": score(ifft2c(kspace[0]), truth)}
    if row in PENALTIES:
        return {str(x): score(penalised(row, x, kspace, mask), truth) for x in LAMBDAS}
    sampler, name = row.split()
    maps = np.ones((1, *SHAPE), np.complex64)
    denoise = prior(name, work, steps).prior(recon.signal_rms(kspace, mask))
    found = SAMPLERS[sampler](
        kspace, maps, mask, denoise, noise_covariance=2 * np.eye(1), samples=SAMPLES, seed=0
    )
    return {"": score(found.mean, truth)}


def work_through(rows: list[str], cases: list[Case], slices: int, work: Path, steps: int) -> None:
    """Do what is not done yet, slice by slice."""
    for number in range(slices):
        for case in cases:
            for row in rows:
                path = work / "reconstruct" / case.name / f"{row} {number}.json"
                if path.exists():
                    continue
                started = time.perf_counter()
                scores = results(row, case, number, work, steps)
                result = {"scores": scores, "seconds": time.perf_counter() - started}
                best = max(x["psnr"] for x in scores.values())
                print(f"{case.name} {row} {number}: {best:.2f} dB", flush=True)
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic(path) as temporary:
                    temporary.write_text(json.dumps(result))


def kept(case: Case, row: str, work: Path) -> dict[int, dict[str, dict[str, float]]]:
    """Return the scores of a row by slice."""
    folder = work / "reconstruct" / case.name
    return {
        int(path.stem.rpartition(" ")[2]): json.loads(path.read_text())["scores"]
        for path in folder.glob(f"{row} *.json")
    }


def table(work: Path) -> str:
    """Return the means over all slices that every row has, as Markdown."""
    lines = ["| mask | slices | " + " | ".join(ROWS) + " |", "| --- " * (len(ROWS) + 2) + "|"]
    for case in CASES:
        found = {row: kept(case, row, work) for row in ROWS}
        common = sorted(set.intersection(*(set(slices) for slices in found.values())))
        if not common:
            continue
        cells, base = [], psnr_of(found["l1-wavelet"], common)[0]
        for row in ROWS:
            psnr, ssim, lam = psnr_of(found[row], common)
            gain = psnr - base
            half = scipy.stats.t.ppf(0.975, len(common) - 1) * scipy.stats.sem(gain)
            at = f", λ {lam}" if lam else ""
            cells.append(f"{psnr.mean():.2f} ({gain.mean():+.2f} ± {half:.2f}), {ssim:.3f}{at}")
        lines.append(f"| {case.name} | {len(common)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def psnr_of(
    found: dict[int, dict[str, dict[str, float]]], slices: list[int]
) -> tuple[Numpy, float, str]:
    """Return PSNR by slice, mean SSIM, and the λ of the best mean PSNR, marked if at an end."""
    lambdas = list(found[slices[0]])
    by_lambda = np.array([[found[n][lam]["psnr"] for n in slices] for lam in lambdas])
    best = int(by_lambda.mean(axis=1).argmax())
    at_end = len(lambdas) > 1 and best in (0, len(lambdas) - 1)
    ssim = float(np.mean([found[n][lambdas[best]]["ssim"] for n in slices]))
    return by_lambda[best], ssim, lambdas[best] + (" (at an end)" if at_end else "")


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
