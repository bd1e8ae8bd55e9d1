"""Corruption2Self on undersampled SENSE images: noise taken for white, and of its own covariance.

Phantom heads, 8 correlated coils, every R-th line and 12 calibration lines, a mask for each slice.
Trained on noisy slices alone, whole slices for both, the same steps; images without and with the
penalty of SENSE whose noisy images are best on 3 validation slices. Scored against the truth on
others: PSNR and SSIM of the magnitude, data range the largest magnitude of the slice (1); gains
over the first row with their 95 % interval, paired over slices. One training seed.

    python benchmarks/svd_domain.py --work WORK --json svd_domain.json
"""

import argparse
import json
from pathlib import Path

import numpy as np
import scipy.stats

import kspace_denoise as kd
from benchmarks.diffusion.coils import coil_scan
from benchmarks.diffusion.phantoms import Numpy
from kspace_denoise import metrics
from kspace_denoise.stages import known_noise, sense_slice, whiten_slice

ACCELERATIONS = (2, 4)
ROWS = {"image": "image", "image, best λ": "image", "svd": "svd"}
"""The domain of each row."""
LAMBDAS = tuple(float(f"{x:.2g}") for x in np.geomspace(1e-3, 3, 13))
TRAINING, TEST, STEPS, SEED = 64, 16, 1000, 0
SIGMA = 0.05
"""Of the SENSE image without undersampling, per real component; the largest magnitude is 1."""


def trained(domain: str, penalty: float, acceleration: int, work: Path, steps: int) -> kd.Denoiser:
    """Return a denoiser, trained now or before."""
    path = work / f"c2s_{domain}_{penalty}_{acceleration}_{steps}.safetensors"
    if path.exists():
        return kd.load(path)
    config = kd.TrainConfig(steps=steps, batch=2, patch=128, domain=domain)
    checkpoint = path.with_suffix(".checkpoint")
    scan, _ = coil_scan("train", range(TRAINING), SIGMA, "equispaced", acceleration, 12)
    found = kd.train(
        "c2s",
        scan,
        config=config,
        checkpoint=checkpoint,
        resume=checkpoint.exists(),
        seed=SEED,
        regularisation=penalty,
    )
    found.save(path)
    checkpoint.unlink()
    return found


def scores(image: Numpy, truth: Numpy) -> tuple[float, float]:
    """Return PSNR and SSIM of the magnitude of one slice."""
    pair = np.abs(image), np.abs(truth)
    return float(metrics.psnr(*pair, data_range=1.0)), float(metrics.ssim(*pair, data_range=1.0))


def best_penalty(acceleration: int) -> float:
    """Return the λ whose noisy SENSE images of validation slices have the highest PSNR."""
    scan, truth = coil_scan("validation", range(3), SIGMA, "equispaced", acceleration, 12)
    noise = known_noise(scan)
    white = [whiten_slice(k, noise, m) for k, m in zip(scan.kspace[:], scan.mask, strict=True)]

    def mean(lam: float) -> float:
        images = (
            sense_slice(*pair, noise, mask, regularisation=lam).image
            for pair, mask in zip(white, scan.mask, strict=True)
        )
        return float(np.mean([scores(x, t)[0] for x, t in zip(images, truth, strict=True)]))

    return max(LAMBDAS, key=mean)


def main() -> None:
    """Train, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where trained networks are kept")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    table = {}
    for acceleration in ACCELERATIONS:
        scan, truth = coil_scan("test", range(TEST), SIGMA, "equispaced", acceleration, 12)
        base: Numpy | None = None
        for row, domain in ROWS.items():
            penalty = best_penalty(acceleration) if "best" in row else 0.0
            denoiser = trained(domain, penalty, acceleration, arguments.work, arguments.steps)
            found = kd.denoise(scan, denoiser, regularisation=penalty)
            for name, images in ((row, found.image), (f"{row}, noisy", found.noisy)):
                each = np.array([scores(*pair) for pair in zip(images, truth, strict=True)])
                base = each[:, 0] if base is None else base
                gain = each[:, 0] - base
                half = scipy.stats.t.ppf(0.975, TEST - 1) * scipy.stats.sem(gain)
                psnr, ssim = each.mean(axis=0)
                table[f"R={acceleration} {name} λ={penalty}"] = each.tolist()
                line = f"{psnr:.2f} dB ({gain.mean():+.2f} ± {half:.2f}) {ssim:.3f}"
                print(f"R = {acceleration} {name:22} λ {penalty:g}: {line}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
