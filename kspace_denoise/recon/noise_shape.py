"""Noise that is not flat: its profile over the image and its spectrum over k-space.

A receiver filter leaves the noise stationary in k-space and lets it fall towards the readout edges
of the image: a profile. Unequal averaging or a taper makes its power vary over k-space and leaves
it stationary, but correlated, in the image: a spectrum.
"""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy import ndimage

from kspace_denoise.fourier import fft2c, ifft2c

Map: TypeAlias = np.ndarray[Any, Any]

FLAT_PROFILE = 0.03  # rms variation below which noise counts as flat over the image
_LAGS = 16  # image lags whose correlation makes the spectrum: its resolution is n / 16


class Colour(NamedTuple):
    """The autocorrelation of image noise along the two axes, lags 0 ... 16, and its size in 2-D.

    `rho` holds complex `(lags,)` along y and x, `excess` is 1 + the sum of |rho|² over all other
    lags: by this factor correlated samples are worth less than independent ones. `pairs` is the
    number of pixels times coils behind it.
    """

    rho: tuple[Map, Map]
    excess: float
    pairs: float


class Spectrum(NamedTuple):
    """Relative noise power along ky or kx: `power`, mean 1 over the acquired lines.

    `variation` is its relative standard deviation there; `smooth_share` the share of the noise
    that is in no narrow peak at the centre, where faint signal hides, or at the edges, where
    ringing does.
    """

    power: Map
    variation: float
    smooth_share: float


def spectrum_of(found: Colour, axis: int, passed: Map) -> Spectrum:
    """Return the noise spectrum along ky (-2) or kx (-1).

    Transforms the correlations under a Parzen window, which keeps the power from going below zero
    and has the resolution n / 16. `passed` `(ky, kx)` is the noise power that each sample passes on
    to the images: white noise would show as that, smoothed alike, and it is divided out.
    """
    share = passed.mean(axis=-3 - axis)
    size, lags = len(share), len(found.rho[axis])
    lag = np.arange(1, lags)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(size) - size // 2, lag) / size)
    window = _parzen(lag / lags)
    sampling = waves.conj().T @ share / share.sum()  # the correlations of white noise
    measured, expected = (
        np.maximum(1 + 2 * np.real(waves @ (window * rho)), 0.02)
        for rho in (found.rho[axis][1:], sampling)
    )
    lines = np.flatnonzero(share)
    known = share > 0.05 * share.max()
    power = np.interp(lines, np.flatnonzero(known), (measured / expected)[known])
    offset = np.abs(lines - size // 2)
    chance = math.sqrt(2 * float(np.sum(window**2)) * found.excess / found.pairs)
    reach = 1.5 * size / lags
    centre = offset <= reach
    edges = (lines < lines[0] + reach) | (lines > lines[-1] - reach)
    trusted = np.interp(lines, lines[~(centre | edges)], power[~(centre | edges)])
    smooth = power.copy()
    for place in (centre, edges):
        if np.mean(power[place] - trusted[place]) > 2 * chance:
            smooth[place] = np.minimum(power, trusted)[place]
    relative = np.ones(size)
    relative[lines] = smooth / smooth.mean()
    variation = max(0.0, float(np.var(relative[lines])) - chance**2)
    return Spectrum(
        relative,
        math.sqrt(variation),
        float(smooth.mean() / power.mean()),
    )


def colour(images: Map, pixels: Map) -> Colour:
    """Measure the colour of noise in the pixels `(slices, y, x)` of `(slices, coils, y, x)`."""
    ny, nx = images.shape[-2:]
    nothing: Map = np.zeros((1, 1))
    products = sum((_power(x * here) for x, here in zip(images, pixels, strict=True)), nothing)
    pairs = sum((_power(here[None].astype(np.complex64)) for here in pixels), nothing)
    correlation, count = _correlation(products), np.real(_correlation(pairs)) * images.shape[1]
    rho = correlation / np.maximum(count, 1) / (correlation[0, 0].real / count[0, 0])
    near = [np.r_[0 : min(_LAGS, n // 2) + 1] for n in (ny, nx)]
    lags = [np.r_[-a[-1] : a[-1] + 1] for a in near]
    enough = count[np.ix_(*lags)] > 0.1 * count[0, 0]
    square = np.abs(rho[np.ix_(*lags)]) ** 2 - 1 / np.maximum(count[np.ix_(*lags)], 1)
    # Only lags whose correlation stands out count: the rest would add up to nothing but noise.
    square = np.where(enough & (square > 8 / count[0, 0]), square, 0)
    excess = max(1.0, float(square.sum()))
    return Colour((rho[near[0], 0], rho[0, near[1]]), excess, float(count[0, 0]))


def _power(images: Map) -> Map:
    """Return the power spectrum, summed over coils; the margin keeps lags from wrapping."""
    padded = np.pad(images, ((0, 0), (0, _LAGS + 1), (0, _LAGS + 1)))
    return np.asarray(np.sum(np.abs(fft2c(padded)) ** 2, axis=0, dtype=np.float64))


def _correlation(power: Map) -> Map:
    """Return the sums of image(r + lag) conj(image(r)), lag 0 at index 0."""
    centred = ifft2c(power.astype(np.complex128)) * math.sqrt(power.size)
    return np.roll(centred, [-(n // 2) for n in power.shape], axis=(0, 1))


def line_profile(power: Map, pixels: Map, readout_axis: int) -> Map:
    """Return the relative standard deviation along the readout, `(y, 1)` or `(1, x)`.

    The mean power of each line's pixels; lines with few or no pixels follow their neighbours.
    """
    across = -1 if readout_axis == -2 else -2
    axes = (0, 3 + across)
    total = np.sum(power * pixels, axis=axes)
    count = np.sum(pixels, axis=axes)
    seen = count >= 0.1 * np.max(count)
    lines = np.arange(seen.size)
    square = np.interp(lines, lines[seen], total[seen] / count[seen])
    return np.sqrt(smooth_lines(np.expand_dims(square, across), readout_axis))


def smooth_lines(values: Map, readout_axis: int) -> Map:
    """Smooth positive values along the readout; ends keep their slope.

    A running median, as a ghost on a single line is no filter, then a running mean, of logarithms.
    """
    width = smoothing_width(values.shape[readout_axis])
    lines = np.log(np.ravel(values))
    lines = ndimage.median_filter(lines, width, mode="nearest")
    lines = np.pad(lines, width, mode="reflect", reflect_type="odd")
    lines = ndimage.uniform_filter1d(lines, width)[width:-width]
    return np.asarray(np.reshape(np.exp(lines), values.shape))


def smoothing_width(size: int) -> int:
    """Return over how many lines a profile is smoothed."""
    return max(3, size // 32) | 1


def unit_rms(profile: Map) -> Map:
    """Scale a profile to root mean square 1."""
    return np.asarray(profile / np.sqrt(np.mean(profile**2)))


def _parzen(u: Map) -> Map:
    return np.asarray(np.where(u < 0.5, 1 - 6 * u**2 * (1 - u), 2 * (1 - u) ** 3))
