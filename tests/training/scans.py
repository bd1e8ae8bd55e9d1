"""Small multi-coil phantom scans in several contrasts and repetitions."""

import functools

import numpy as np

import kspace_denoise as kd
from kspace_denoise import sim
from kspace_denoise.networks import UNetConfig
from kspace_denoise.training.config import TrainConfig

SHAPE = (40, 36)
COILS = 4
PSI = 0.05 * sim.array_covariance(COILS, seed=1)
TINY = TrainConfig(
    network=UNetConfig(base=8, multipliers=(1,), attention=(), heads=2),
    steps=4,
    batch=2,
    patch=12,
    learning_rate=1e-2,
    warmup=1,
    checkpoint_seconds=0.0,
    symmetries=2,
    parts=1,
)


@functools.cache
def truth(contrast: str = "T2w", seed: int = 1, slices: int = 2) -> np.ndarray:
    """Return noise-free k-space (slices, coils, ky, kx): of one seed, one anatomy."""
    heads = [sim.phantom(SHAPE, contrast, seed=10 * seed + s, coils=COILS) for s in range(slices)]
    kspace = np.stack([head.kspace for head in heads])
    kspace.flags.writeable = False
    return kspace


@functools.cache
def scan(contrast: str = "T2w", seed: int = 1, noise: int = 0, slices: int = 2) -> kd.Scan:
    """Return a noisy scan; `noise` seeds its noise, so other numbers are other repetitions."""
    noisy = sim.add_noise(truth(contrast, seed, slices), PSI, np.random.default_rng([seed, noise]))
    return kd.Scan(kspace=noisy, noise_covariance=PSI)


def magnitudes(seed: int = 0, sigma: float = 0.2, size: int = 2) -> kd.Images:
    """Return Rician magnitude images with their sigma."""
    rng = np.random.default_rng(seed)
    clean = clean_magnitudes(size)
    noise = rng.standard_normal((2, *clean.shape)) * sigma
    noisy = np.abs(clean + noise[0] + 1j * noise[1]).astype(np.float32)
    return kd.Images(data=noisy, sigma=sigma)


def clean_magnitudes(size: int = 2) -> np.ndarray:
    """Return the truth behind `magnitudes`."""
    return np.stack([np.abs(sim.phantom(SHAPE, seed=s).image) for s in range(size)])
