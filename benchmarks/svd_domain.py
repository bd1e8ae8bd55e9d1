"""Corruption2Self on undersampled SENSE images: noise taken for white, and of its own covariance.

Phantom heads, 8 correlated coils, every R-th line and 12 calibration lines, a mask for each slice.
Trained on noisy slices alone, whole slices for both, the same steps, images without and with the
penalty of SENSE (the best noisy image on 3 validation slices, of λ = 0.003 to 0.3); scored against
the truth on others: PSNR and SSIM of the magnitude, data range the largest magnitude of the slice
(1).

    python benchmarks/svd_domain.py --work WORK --json svd_domain.json
"""

import argparse
import json
from pathlib import Path

import numpy as np

import kspace_denoise as kd
from benchmarks.diffusion.coils import coil_scan
from benchmarks.diffusion.phantoms import Numpy
from kspace_denoise import metrics

ACCELERATIONS = (2, 4)
ROWS = {"image": ("image", 0.0), "image, λ = 0.1": ("image", 0.1), "svd": ("svd", 0.0)}
"""Domain and penalty."""
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
        for row, (domain, penalty) in ROWS.items():
            denoiser = trained(domain, penalty, acceleration, arguments.work, arguments.steps)
            found = kd.denoise(scan, denoiser, regularisation=penalty)
            for name, images in ((row, found.image), (f"{row}, noisy", found.noisy)):
                each = np.array([scores(*pair) for pair in zip(images, truth, strict=True)])
                psnr, ssim = each.mean(axis=0)
                table[f"R={acceleration} {name}"] = each.tolist()
                print(f"R = {acceleration} {name:22} {psnr:.2f} dB {ssim:.3f}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
