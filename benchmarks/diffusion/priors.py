"""The priors that are compared: one network, the same steps, other data.

`gsure`, `oracle` and `naive` learn the same noise levels; `clean` is the oracle from lower ones on,
a hundredth of the image, which noisy data cannot teach. Training on images turns and flips them,
GSURE sees k-space as it was sampled.

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


PRIORS = {
    "gsure": Source("gsure", degraded),
    "gsure-aware": Source("gsure", degraded, {"smallest": SMALLEST, "mask_aware": True}),
    "oracle": Source("diffusion", clean),
    "naive": Source("diffusion", zero_filled),
    "clean": Source("diffusion", clean, {"smallest": 0.01}),
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
    with tqdm(total=steps, desc=name, unit="step", mininterval=10) as bar:

        def report(progress: Progress) -> None:
            bar.update(progress.step - bar.n)
            bar.set_postfix(loss=f"{np.mean([loss for _, loss in progress.losses[-20:]]):.4g}")

        denoiser = kd.train(
            prior.method,
            prior.scans(),
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
