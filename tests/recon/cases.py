"""A small imaging case that several tests share."""

import numpy as np


def smooth_maps(coils: int, size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Return smooth complex sensitivities of unit norm over the coils, complex64 (coils, y, x)."""
    rng = np.random.default_rng(seed)
    y, x = (np.linspace(-1, 1, n) for n in size)
    angles = 2 * np.pi * (np.arange(coils) + rng.uniform(0, 1)) / coils
    distance = (y[:, None] - 1.2 * np.sin(angles)[:, None, None]) ** 2
    distance = distance + (x - 1.2 * np.cos(angles)[:, None, None]) ** 2
    phase = rng.uniform(-1, 1, (3, coils, 1, 1))
    phase = 3 * phase[0] + phase[1] * y[:, None] + phase[2] * x
    maps = np.exp(-distance / 0.8 + 1j * phase)
    return (maps / np.linalg.norm(maps, axis=0)).astype(np.complex64)


def disc(size: tuple[int, int]) -> np.ndarray:
    """Return a soft-edged disc with a hole and a smooth phase, complex64 (y, x)."""
    y, x = (np.linspace(-1, 1, n) for n in size)
    radius = np.hypot(y[:, None], x)
    image = 1 / (1 + np.exp((radius - 0.75) * 25)) - 0.5 / (1 + np.exp((radius - 0.3) * 25))
    return (image * np.exp(1j * (0.7 * y[:, None] + x**2))).astype(np.complex64)
