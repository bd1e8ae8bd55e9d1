"""The priors that are compared: one network, the same steps, other data.

`gsure`, `oracle` and `naive` learn the same noise levels; `clean` is the oracle from lower ones on,
a hundredth of the image, which noisy data cannot teach. Training on images turns and flips them,
GSURE sees k-space as it was sampled. `gsure-second` learns from images that DDRM draws from the
same degraded scans with `gsure`: a round of expectation maximisation (Rozet et al., NeurIPS 2024).

    python -m benchmarks.diffusion.priors --work WORK gsure oracle naive clean coils-gsure

Each is trained once and kept in WORK; killed, it goes on from its checkpoint.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

import kspace_denoise as kd
from benchmarks.diffusion.coils import COIL_CALIBRATION, COIL_SIGMA, coil_scan
from benchmarks.diffusion.phantoms import SIGMA, TRAINING, single_coil
from kspace_denoise import recon
from kspace_denoise.fourier import ifft2c
from kspace_denoise.training.trainer import Progress

STEPS = 4000
SMALLEST = 0.05
"""Lowest level of all: above the noise over signal of the faintest training slice."""
ACCELERATION = 4.0


class Source(NamedTuple):
    """A method, what it is trained on, and its hyper-parameters."""

    method: str
    scans: Callable[[], kd.Scan | kd.Images]
    objective: Mapping[str, float] = {"smallest": SMALLEST}
    completed_by: str | None = None
    """A prior, of whose samples given the scans is learnt in their place."""


def degraded() -> kd.Scan:
    """Return what GSURE learns from: noise, and a mask of its own for each slice."""
    return single_coil("train", TRAINING, SIGMA, ACCELERATION)


def clean() -> kd.Scan:
    """Return the same slices without noise and in full."""
    return single_coil("train", TRAINING, 0, None)


def zero_filled() -> kd.Images:
    """Return the images of the degraded scans, taken for clean."""
    return kd.Images(data=ifft2c(degraded().kspace[:, 0]), sigma=SIGMA)


def degraded_coils() -> kd.Scan:
    """Return multi-coil scans: noise, every R-th line and 12 calibration lines."""
    return coil_scan(
        "train", range(TRAINING), COIL_SIGMA, "equispaced", ACCELERATION, COIL_CALIBRATION
    )[0]


def completed(scan: kd.Scan, denoiser: kd.Denoiser) -> kd.Images:
    """Return one image for each scan of one coil, drawn by DDRM with a prior."""
    maps = np.ones((1, *scan.kspace.shape[-2:]), np.complex64)
    images = np.empty((len(scan.kspace), *maps.shape[1:]), np.complex64)
    for row, kspace in enumerate(tqdm(scan.kspace, "completed", mininterval=10)):
        white, mask = kspace / np.float32(SIGMA), scan.slice_mask(row)
        denoise = denoiser.prior(recon.signal_rms(white, mask), bfloat16=True)
        drawn = recon.ddrm(
            white, maps, mask, denoise,
            noise_covariance=2 * np.eye(1), steps=20, schedule="ddpm", samples=1, seed=row,
        )  # fmt: skip
        images[row] = SIGMA * drawn.mean
    return kd.Images(data=images, sigma=SIGMA)


PRIORS = {
    "gsure": Source("gsure", degraded),
    "oracle": Source("diffusion", clean),
    "naive": Source("diffusion", zero_filled),
    "clean": Source("diffusion", clean, {"smallest": 0.01}),
    "gsure-second": Source("diffusion", degraded, completed_by="gsure"),
    "coils-gsure": Source("gsure", degraded_coils),
}


def settings(steps: int, objective: Mapping[str, float]) -> kd.TrainConfig:
    """Return how every prior is trained."""
    return kd.TrainConfig(
        steps=steps,
        batch=2,
        patch=128,
        learning_rate=2e-3,
        objective=dict(objective),
        symmetries=1,
    )


def trained(name: str, work: Path, steps: int = STEPS) -> kd.Denoiser:
    """Return a prior, trained now or before."""
    path = work / f"{name}_{steps}.safetensors"
    if path.exists():
        return kd.load(path)
    work.mkdir(parents=True, exist_ok=True)
    checkpoint = path.with_suffix(".checkpoint")
    prior = PRIORS[name]
    config = settings(steps, prior.objective)
    scans = prior.scans()
    if prior.completed_by:
        assert isinstance(scans, kd.Scan)
        scans = completed(scans, trained(prior.completed_by, work, steps))
    with tqdm(total=steps, desc=name, unit="step", mininterval=10) as bar:

        def report(progress: Progress) -> None:
            bar.update(progress.step - bar.n)
            bar.set_postfix(loss=f"{np.mean([loss for _, loss in progress.losses[-20:]]):.4g}")

        denoiser = kd.train(
            prior.method,
            scans,
            config=config,
            checkpoint=checkpoint,
            resume=checkpoint.exists(),
            report=report,
        )
    denoiser.save(path)
    checkpoint.unlink()
    return denoiser


def main() -> None:
    """Train what is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=PRIORS, metavar="PRIOR")
    parser.add_argument("--work", type=Path, required=True, help="where trained networks are kept")
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    for name in arguments.names:
        trained(name, arguments.work, arguments.steps)


if __name__ == "__main__":
    main()
