"""How noise is correlated from pixel to pixel, measured where images are flat."""

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude

from kspace_denoise.arrays import Array, complex_dtype, namespace, to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.sim.distribution import Values

REACH = 8
"""Pixels each way, beyond which noise is taken for independent."""
_SHARE = 0.3  # of the pixels, those of least slope
_WIDTH = 3.0  # pixels, of the Gaussian whose slope it is
_FEWEST = 2000  # pairs of pixels, of each distance
_UNEVEN = 4.0  # times the power; where the level is even 1.3 to 1.9 were seen, of Poisson noise 500


def noise_correlation(images: Array, reach: int = REACH) -> Values:
    """Return the correlation of noise `(2 reach + 1, 2 reach + 1)`, 1 in the middle.

    `correlation[reach + down, reach + right]` is E[n(y + down, x + right) conj n(y, x)] over the
    power of the noise: of complex images complex, as the noise of partial Fourier is, whose
    spectrum is not the same at k and -k.

    Of images `(..., y, x)`, complex or real, the 30 % of pixels are looked at where the smoothed
    magnitude has the least slope: there the difference of two pixels is noise, and half its mean
    square over that of pixels `reach` apart is 1 - the real part (a variogram); the imaginary part
    is that of the product of two such differences, or 0 where there are too few. The level of the
    noise need not be known, but has to be the same all over, as in SNR units; anatomy in flat areas
    adds some 0.01 to 0.04. Pixels of exactly 0 are blank. Of Rician magnitudes the air is what is
    flat, and its correlation is about the square of that of the parts: too little is found.

    Raises:
        ValueError: if images are too small, blank, or too few, or the level of their noise is not
            the same in dark and bright areas.
    """
    flat = to_numpy(images).reshape(-1, *images.shape[-2:])
    if min(flat.shape[-2:]) < 3 * reach:
        raise ValueError(
            f"images are {flat.shape[-2:]}, expected {3 * reach} pixels or more each way to tell "
            f"how noise is correlated over {reach}"
        )
    sums = np.zeros((2, 2, reach + 1, 2 * reach + 1))
    thirds = np.zeros((2, 3))
    for image in flat:
        level, third = _flat(image)
        sums += _differences(image, level, reach)
        thirds += _power(image, level, third)
    (squares, counts), (crossed, crossings) = sums
    if counts.min() < _FEWEST:
        raise ValueError(
            f"there are {int(counts.min())} flat pixels, expected {_FEWEST} or more to tell how "
            "noise is correlated: give more or larger images"
        )
    _check_even(thirds)
    half = squares / counts
    beyond = np.concatenate([half[-1], half[:, 0], half[:, -1]]).mean()
    if beyond == 0:
        raise ValueError("the flat pixels hold no noise: pixels that were added should be 0")
    down = 1 - half / beyond
    if np.iscomplexobj(flat):
        enough = 2 * crossings >= _FEWEST  # of as many the error is less by the root of 2
        down = down + 1j * np.where(enough, crossed, 0) / np.maximum(crossings, 1) / beyond
    return np.asarray(np.concatenate([down[:0:-1, ::-1].conj(), down]))


def correlation_reach(correlation: Values, threshold: float = 0.05) -> int:
    """Return over how many pixels noise is correlated, 0 if it is white.

    The farthest square ring around the middle whose correlations have a root mean square beyond the
    threshold: single ones are beyond it by chance.
    """
    reach = len(correlation) // 2
    away = np.abs(np.arange(-reach, reach + 1))
    distance = np.maximum(away[:, None], away)
    power = np.abs(correlation) ** 2
    rings = [np.mean(power[distance == ring]) ** 0.5 for ring in range(1, reach + 1)]
    return max((ring for ring, rms in enumerate(rings, 1) if rms > threshold), default=0)


def correlation_spectrum(correlation: Array, shape: tuple[int, int]) -> Array:
    """Return the power of such noise over k-space `shape` (ky, kx), of mean 1, DC at n // 2.

    As `BM3D(spectrum=...)` takes it. What was measured need not be the correlation of any noise:
    where its power is below 0 it is taken for 0.

    Raises:
        ValueError: if the correlation reaches over more pixels than the images have.
    """
    xp = namespace(correlation)
    rows, columns = correlation.shape
    if rows > shape[0] or columns > shape[1]:
        raise ValueError(
            f"correlation is {rows} x {columns}, expected no more than the images, {shape}"
        )
    centred = xp.zeros(shape, dtype=complex_dtype(correlation), device=correlation.device)
    first, left = shape[0] // 2 - rows // 2, shape[1] // 2 - columns // 2
    centred[first : first + rows, left : left + columns] = correlation
    power = xp.clip(xp.real(fft2c(centred)), min=0)
    return power / xp.mean(power)


def spectrum_correlation(spectrum: Array, shape: tuple[int, int], reach: int = REACH) -> Values:
    """Undo `correlation_spectrum`, up to `reach` pixels: of power that broadcasts to (ky, kx).

    Raises:
        ValueError: if k-space has fewer positions than the correlation.
    """
    side = 2 * reach + 1
    if min(shape) < side:
        raise ValueError(f"k-space is {shape}, expected {side} positions or more each way")
    power = np.broadcast_to(to_numpy(spectrum), shape).astype(np.complex128)
    correlation = ifft2c(power / power.mean()) / (shape[0] * shape[1]) ** 0.5
    first, left = (n // 2 - reach for n in shape)
    return np.asarray(correlation[first : first + side, left : left + side])


def _flat(image: Values) -> tuple[Values, Values]:
    """Return where an image is flat, and which third of that, from dark to bright, a pixel is."""
    magnitude = np.abs(image).astype(np.float64)
    there = magnitude > 0
    if not there.any():
        return there, np.zeros(image.shape, int)
    slope = gaussian_gradient_magnitude(magnitude, _WIDTH)
    level = there & (slope <= np.quantile(slope[there], _SHARE))
    smooth = gaussian_filter(magnitude, _WIDTH)
    return level, np.digitize(smooth, np.quantile(smooth[level], [1 / 3, 2 / 3]))


def _differences(image: Values, level: Values, reach: int) -> Values:
    """Return half the squared differences of flat pixels, their count, and the crossed ones.

    Summed, by distance. Crossed: how two differences from pixels far to the side turn against one
    another, in which anatomy cancels; of real images none.
    """
    sums = np.zeros((2, 2, reach + 1, 2 * reach + 1))
    turns = np.iscomplexobj(image)
    asides = [_aside(image, level, axis, reach + 2) for axis in (0, 1)] if turns else []
    for down in range(reach + 1):
        for right in range(-reach, reach + 1):
            one, other = _moved(image.shape, down, right)
            both = level[one] & level[other]
            apart = np.abs(image[one] - image[other])[both].astype(np.float64)
            sums[0, :, down, reach + right] = np.sum(apart**2) / 2, both.sum()
            if turns:
                aside, known = asides[down > abs(right)]
                one, other = _moved(aside.shape, down, right)
                both = known[one] & known[other]
                crossed = (aside[other] * aside[one].conj())[both].imag.astype(np.float64)
                sums[1, :, down, reach + right] = crossed.sum() / 2, both.sum()
    return sums


def _aside(image: Values, level: Values, axis: int, step: int) -> tuple[Values, Values]:
    """Return the differences of pixels from those `step` along an axis, and where both are flat."""
    one, other = _moved(image.shape, *((0, step) if axis else (step, 0)))
    return image[one] - image[other], level[one] & level[other]


def _power(image: Values, level: Values, third: Values) -> Values:
    """Return the squared differences of neighbours, summed, and their count, by third."""
    found = np.zeros((2, 3))
    for down, right in ((0, 1), (1, 0)):
        one, other = _moved(image.shape, down, right)
        both = level[one] & level[other]
        squares = np.abs(image[one] - image[other])[both].astype(np.float64) ** 2
        where = third[one][both]
        found += np.bincount(where, squares, 3), np.bincount(where, minlength=3)
    return found


def _check_even(thirds: Values) -> None:
    squares, counts = thirds
    power = squares / np.maximum(counts, 1)
    if power[2] > _UNEVEN * power[0]:
        raise ValueError(
            "the noise of bright areas is "
            f"{(power[2] / max(power[0], np.finfo(float).tiny)) ** 0.5:.1f} times that of dark "
            "ones: how it is correlated can be told only where its level is the same all over; "
            "divide by its level, or stabilise it (recon.vst)"
        )


def _moved(
    shape: tuple[int, ...], down: int, right: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return where pixels are, and others so far away, that both lie in the image."""
    height, width = shape
    left = slice(max(0, -right), width - max(0, right))
    moved = slice(max(0, right), width - max(0, -right))
    return (slice(0, height - down), left), (slice(down, height), moved)
