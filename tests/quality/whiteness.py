"""How the noise inside a mask compares with white noise."""

import numpy as np

from kspace_denoise.fourier import fft2c


def neighbours(image: np.ndarray, mask: np.ndarray, axis: int) -> tuple[float, int]:
    """Return the correlation of neighbours inside a mask, and how many there are."""
    moved = [np.moveaxis(x, axis, -1) for x in (image, mask)]
    both = moved[1][..., 1:] & moved[1][..., :-1]
    one, other = moved[0][..., 1:][both], moved[0][..., :-1][both]
    power = np.sum(np.abs(one) ** 2) + np.sum(np.abs(other) ** 2)
    return float(2 * np.sum((one * other.conj()).real) / power), int(both.sum())


def bands(image: np.ndarray, mask: np.ndarray, axis: int) -> list[float]:
    """Return the power of an image in thirds of k-space, from the centre out, over its mean."""
    power = np.abs(fft2c(np.where(mask, image, 0))) ** 2
    line = np.moveaxis(power, axis, -1).mean(axis=(0, 1))
    distance = np.abs(np.arange(line.size) - line.size // 2)
    return [
        float(part.mean() / line.mean()) for part in np.array_split(line[distance.argsort()], 3)
    ]


def check_white(difference: np.ndarray, mask: np.ndarray) -> None:
    """Hold the noise (slices, y, x) of sigma 1 to white noise, within what its pixels allow."""
    level = np.sqrt(np.mean(np.abs(difference[mask]) ** 2) / 2)
    assert abs(level - 1) < 5 / np.sqrt(4 * mask.sum())
    for axis in (-2, -1):
        correlation, count = neighbours(difference, mask, axis)
        assert abs(correlation) < 4 / np.sqrt(2 * count)
        # A third of k-space holds a third of the masked image's degrees of freedom.
        for power in bands(difference, mask, axis):
            assert abs(power - 1) < 4 / np.sqrt(mask.sum() / 3)
