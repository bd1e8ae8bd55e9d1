"""New noise from a recording of a receiver without signal: its own spectrum, lines and bursts."""

from typing import Any, Literal

import numpy as np

from kspace_denoise.arrays import Array, is_complex, to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.random import Seed, numpy_generator
from kspace_denoise.sim.coil_data import check_coil_data
from kspace_denoise.sim.readouts import check_readout_axis, from_readouts, readout_shape

Recording = np.ndarray[Any, Any]

_SEGMENTS_PER_COIL = 4  # a cross-spectrum of fewer is little but chance


def replay_noise(
    recording: Array,
    kspace: Array,
    seed: Seed,
    *,
    readout_axis: int,
    mode: Literal["readouts", "spectrum"] = "readouts",
) -> Array:
    """Draw noise of the shape of `kspace` from a noise scan, in the unit of the noise scan.

    `readouts` copies measured readouts, each from a random place of the recording, all coils
    together: interference, bursts and correlations stay as they were. Two readouts of the result
    may repeat the same recorded samples. `spectrum` draws new Gaussian noise with the recording's
    cross-spectra (`noise_cross_spectra`): any length, nothing repeated; bursts and the shape of
    the amplitude distribution are lost. It is periodic over the longer of the readout and the
    recorded segment, so the ends of a readout of the recorded length are as alike as neighbours.

    Samples stay samples: the readout is taken to have the bandwidth of the recording. At b times
    that bandwidth, white noise has b times the power, and a line at f cycles per sample lies at
    f/b; nothing here changes either.

    Args:
        recording: complex `(coils, repeats, samples)`, or one stretch `(coils, samples)`.
        kspace: complex `(..., coils, ky, kx)`; only shape, kind and precision count.
        seed: integer or numpy generator.
        readout_axis: -1 or -2, where the samples of a readout lie in `kspace`.
        mode: `readouts` or `spectrum`.

    Raises:
        TypeError: if an array is not complex.
        ValueError: if recording and k-space disagree on the coils, if `readouts` is asked to make
            a readout longer than the recorded ones, if the recording is too short for `spectrum`,
            or holds NaN.
    """
    check_coil_data(kspace, "k-space")
    check_readout_axis(readout_axis)
    recorded = _recorded(recording)
    if recorded.shape[0] != kspace.shape[-3]:
        raise ValueError(
            f"the recording has {recorded.shape[0]} coils, the k-space {kspace.shape[-3]}; "
            "a recording can be replayed into the coils it was made with"
        )
    draw = {"readouts": _measured_readouts, "spectrum": _gaussian_readouts}.get(mode)
    if draw is None:
        raise ValueError(f"mode is {mode!r}, expected 'readouts' or 'spectrum'")
    slices, encodings, samples = readout_shape(kspace, readout_axis)
    readouts = draw(recorded, slices * encodings, samples, numpy_generator(seed))
    readouts = readouts.reshape(len(recorded), slices, encodings, samples)
    return from_readouts(np.moveaxis(readouts, 0, 1), kspace, readout_axis)


def noise_cross_spectra(recording: Array, samples: int) -> Recording:
    """Return the mean cross-periodograms of a noise scan, complex128 `(n, coils, coils)`.

    Entry [f, i, j] is E[N_i(f) conj(N_j(f))] of orthonormal transforms with DC at n // 2, so white
    noise of level sigma has 2 sigma^2 I at every f and the mean over f is the coil covariance. The
    recording is cut into segments of `samples`, or, if it is shorter, filled up with zeros to
    `samples` (n is `samples` or the recorded length, whichever is longer, where it does not hold
    two segments). Averaging K segments leaves each power uncertain by 1/sqrt(K).

    Raises:
        TypeError: if the recording is not complex.
        ValueError: if it holds NaN, or fewer than four segments for each coil; if `samples` is not
            a whole number of at least 1.
    """
    if samples < 1 or samples != int(samples):
        raise ValueError(f"samples is {samples!r}, expected a whole number of at least 1")
    recorded = _recorded(recording)
    coils, repeats, length = recorded.shape
    pieces = max(length // samples, 1)
    segment = samples if pieces > 1 else length
    segments = recorded[..., : pieces * segment].reshape(coils, repeats * pieces, segment)
    if segments.shape[1] < _SEGMENTS_PER_COIL * coils:
        raise ValueError(
            f"the recording holds {segments.shape[1]} segments of {segment} samples, expected at "
            f"least {_SEGMENTS_PER_COIL * coils} for the cross-spectra of {coils} coils; record "
            "longer, or use mode 'readouts'"
        )
    grid = max(samples, segment)
    filled = np.zeros((*segments.shape[:2], grid), np.complex128)
    filled[..., :segment] = segments * np.sqrt(grid / segment)
    spectra = np.moveaxis(fft2c(filled, axes=(-1,)), -1, 0)
    cross: Recording = spectra @ np.conj(np.swapaxes(spectra, 1, 2)) / segments.shape[1]
    return cross


def _recorded(recording: Array) -> Recording:
    """Return the recording as (coils, repeats, samples), complex128."""
    if not is_complex(recording):
        raise TypeError(
            f"recording has dtype {recording.dtype}, expected complex64 or complex128: noise of a "
            "receiver is complex"
        )
    values = to_numpy(recording)
    if values.ndim not in (2, 3) or values.size == 0:
        raise ValueError(
            f"recording has shape {values.shape}, expected (coils, repeats, samples) or "
            "(coils, samples)"
        )
    if not np.all(np.isfinite(values)):
        raise ValueError("recording holds values that are NaN or infinite; remove those readouts")
    return values[:, None] if values.ndim == 2 else values


def _measured_readouts(
    recorded: Recording, count: int, samples: int, generator: np.random.Generator
) -> Recording:
    """Return (coils, count, samples) copied from random places of the recording."""
    _, repeats, length = recorded.shape
    if samples > length:
        raise ValueError(
            f"the recorded readouts have {length} samples, fewer than the {samples} of the k-space;"
            " use mode 'spectrum', which makes readouts of any length"
        )
    which = generator.integers(repeats, size=count)
    start = generator.integers(length - samples + 1, size=count)
    copied: Recording = recorded[:, which[:, None], start[:, None] + np.arange(samples)]
    return copied


def _gaussian_readouts(
    recorded: Recording, count: int, samples: int, generator: np.random.Generator
) -> Recording:
    """Return (coils, count, samples) of stationary Gaussian noise with the recorded spectra."""
    cross = noise_cross_spectra(recorded, samples)
    values, vectors = np.linalg.eigh(cross)
    roots = vectors * np.sqrt(np.maximum(values, 0) / 2)[:, None]
    pairs = generator.standard_normal((len(cross), len(recorded), count, 2))
    spectra = roots @ pairs.view(np.complex128)[..., 0]
    readouts: Recording = ifft2c(np.moveaxis(spectra, 0, -1), axes=(-1,))[..., :samples]
    return readouts
