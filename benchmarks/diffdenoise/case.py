"""Phantom images and their noise: what every method is given."""

import dataclasses
from functools import cache
from typing import Any, TypeAlias

import numpy as np

import kspace_denoise as kd
from kspace_denoise import sim
from kspace_denoise.scan import Images

Numpy: TypeAlias = np.ndarray[Any, Any]

SIZE, TRAIN, TEST = 128, 96, 16
FIRST = {"train": 0, "test": 10_000}
CONTRASTS = ("T1w", "T2w", "FLAIR")
LEVEL = 13 / 255

NOISES: dict[str, Any] = {
    "gaussian": None,
    "poisson": sim.PoissonNoise(200.0),
    "gamma": sim.GammaNoise(100.0),
    "blur-0.5": sim.BlurredNoise(LEVEL, 0.5),
    "blur-1.2": sim.BlurredNoise(LEVEL, 1.2),
}
"""By name. Gaussian noise has a level of 13/255, as the blurred has."""
UNEVEN = ("poisson", "gamma")
"""Whose level follows the image: how neighbours share it cannot be told from the images."""
HOLES = {"blur-0.5": 5, "blur-1.2": 9}
"""The paper's; 1 for noise that is independent from pixel to pixel."""


@dataclasses.dataclass(frozen=True)
class Case:
    """Noisy images to learn from, others to be judged on, and the truth of both, 0 to 1."""

    name: str
    train: Images
    train_truth: Images
    test: Images
    test_truth: Numpy

    @property
    def hole(self) -> int:
        """What a blind network does not see."""
        return HOLES.get(self.name, 1)

    def scores(self, found: Numpy) -> dict[str, float]:
        """Return PSNR, SSIM, and which share of the test images' noise is in the result."""
        noise = self.test.data - self.test_truth
        return {
            "psnr_db": kd.metrics.psnr(found, self.test_truth, data_range=1.0),
            "ssim": kd.metrics.ssim(found, self.test_truth, data_range=1.0),
            "noise_share": float(np.sum((found - self.test_truth) * noise) / np.sum(noise**2)),
        }


@cache
def heads(split: str, count: int) -> Numpy:
    """Return magnitudes of phantoms, each divided by its largest."""
    images = []
    for number in range(FIRST[split], FIRST[split] + count):
        phantom = sim.phantom((SIZE, SIZE), CONTRASTS[number % 3], seed=number)
        magnitude = np.abs(phantom.image)
        images.append(magnitude / magnitude.max())
    return np.stack(images).astype(np.float32)


def noisy(name: str, clean: Numpy, seed: int) -> Numpy:
    """Return images with one draw of noise; nothing is clipped."""
    law = NOISES[name]
    if law is None:
        noise = np.random.default_rng(seed).standard_normal(clean.shape)
        return (clean + LEVEL * noise).astype(np.float32)
    return np.asarray(law.sample(clean, seed), np.float32)


def case(name: str, seed: int = 0) -> Case:
    """Return the images of one kind of noise; every method is told its true mean level."""
    learn, judge = heads("train", TRAIN), heads("test", TEST)
    given = noisy(name, learn, seed)
    sigma = float(np.sqrt(np.mean((given - learn) ** 2)))
    return Case(
        name,
        Images(data=given, sigma=sigma),
        Images(data=learn),
        Images(data=noisy(name, judge, seed + 1), sigma=sigma),
        judge,
    )
