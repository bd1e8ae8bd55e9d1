"""How noise is correlated from pixel to pixel, measured where images are flat."""

import numpy as np
from scipy.ndimage import gaussian_gradient_magnitude

from kspace_denoise.arrays import Array, to_numpy
from kspace_denoise.sim.distribution import Values

REACH = 8
"""Pixels each way, beyond which noise is taken for independent."""
_SHARE = 0.3  # of the pixels, those of least slope
_WIDTH = 3.0  # pixels, of the Gaussian whose slope it is
_FEWEST = 2000  # pairs of pixels, of each distance


def noise_correlation(images: Array, reach: int = REACH) -> Values:
    """Return the correlation of noise `(2 reach + 1, 2 reach + 1)`, 1 in the middle.

    Of images `(..., y, x)`, complex or real, the 30 % of pixels are looked at where the smoothed
    magnitude has the least slope: there the difference of two pixels is noise, and half its mean
    square over that of pixels `reach` apart is 1 - correlation (a variogram). The level of the
    noise need not be known, but has to be the same all over, as in SNR units; anatomy in flat areas
    adds some 0.01. Pixels of exactly 0 are blank. Of Rician magnitudes the air is what is flat, and
    its correlation is about the square of that of the parts: too little is found.

    Raises:
        ValueError: if images are too small, blank, or too few.
    """
    flat = to_numpy(images).reshape(-1, *images.shape[-2:])
    if min(flat.shape[-2:]) < 3 * reach:
        raise ValueError(
            f"images are {flat.shape[-2:]}, expected {3 * reach} pixels or more each way to tell "
            f"how noise is correlated over {reach}"
        )
    sums = np.zeros((2, reach + 1, 2 * reach + 1))
    for image in flat:
        sums += _differences(image, reach)
    squares, counts = sums
    if counts.min() < _FEWEST:
        raise ValueError(
            f"there are {int(counts.min())} flat pixels, expected {_FEWEST} or more to tell how "
            "noise is correlated: give more or larger images"
        )
    half = squares / counts
    beyond = np.concatenate([half[-1], half[:, 0], half[:, -1]]).mean()
    down = 1 - half / beyond
    return np.asarray(np.concatenate([down[:0:-1, ::-1], down]))


def correlation_reach(correlation: Values, threshold: float = 0.05) -> int:
    """Return over how many pixels noise is correlated, 0 if it is white.

    The farthest square ring around the middle whose correlations have a root mean square beyond the
    threshold: single ones are beyond it by chance.
    """
    reach = len(correlation) // 2
    away = np.abs(np.arange(-reach, reach + 1))
    distance = np.maximum(away[:, None], away)
    rings = [np.mean(correlation[distance == ring] ** 2) ** 0.5 for ring in range(1, reach + 1)]
    return max((ring for ring, rms in enumerate(rings, 1) if rms > threshold), default=0)


def _differences(image: Values, reach: int) -> Values:
    """Return half the squared differences of flat pixels, summed, and their count by distance."""
    magnitude = np.abs(image)
    there = magnitude > 0
    sums = np.zeros((2, reach + 1, 2 * reach + 1))
    if not there.any():
        return sums
    slope = gaussian_gradient_magnitude(magnitude.astype(np.float64), _WIDTH)
    level = there & (slope <= np.quantile(slope[there], _SHARE))
    for down in range(reach + 1):
        for right in range(-reach, reach + 1):
            one, other = _moved(image.shape, down, right)
            both = level[one] & level[other]
            apart = np.abs(image[one] - image[other])[both]
            sums[:, down, right + reach] = np.sum(apart.astype(np.float64) ** 2) / 2, both.sum()
    return sums


def _moved(
    shape: tuple[int, ...], down: int, right: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where pixels are, and others so far away, that both lie in the image."""
    height, width = shape
    left = slice(max(0, -right), width - max(0, right))
    moved = slice(max(0, right), width - max(0, -right))
    return (slice(0, height - down), left), (slice(down, height), moved)
