"""What `info` says of noise: of a noise scan, and of what is known of that of a scan."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from kspace_denoise import formats, recon
from kspace_denoise.cli.chain import is_free_of_noise
from kspace_denoise.cli.common import note
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.stages import KnownNoise, known_noise

_FAR = 1.25  # between the stated level of noise and that in k-space
_UNEVEN = 1.05  # noise levels whose largest and smallest differ by less are called flat


def describe_noise_scan(file: Path) -> tuple[dict[str, Any], KnownNoise]:
    """Describe a noise scan, and return its noise."""
    samples = formats.read_noise(file).samples
    assert samples is not None
    covariance = np.asarray(recon.noise_covariance(samples))
    level = np.sqrt(np.diag(covariance).real)
    correlation = np.abs(covariance / np.outer(level, level))
    others = correlation[~np.eye(len(level), dtype=bool)]
    found = {
        "content": "noise scan",
        "coils": len(samples),
        "samples_per_coil": int(np.prod(samples.shape[1:])),
        "dtype": str(samples.dtype),
        "noise_sigma": float(np.median(level) / np.sqrt(2)),
        "noise_sigma_per_coil": [float(x) for x in level / np.sqrt(2)],
        "largest_coil_correlation": float(others.max()) if others.size else None,
    }
    return found, KnownNoise(covariance)


def describe_known_noise(noise: KnownNoise | str) -> dict[str, Any]:
    """Describe the noise of a scan, or that it is not known."""
    if isinstance(noise, str):
        return {"noise_sigma": None, "noise_from": "not known"}
    return {
        "noise_sigma": noise.sigma,
        "noise_from": noise.source,
        "noise_profile": None if noise.profile is None else _range(noise.profile),
        "noise_spectrum": None if noise.spectrum is None else _range(noise.spectrum),
    }


def _range(relative: Numpy) -> list[float]:
    return [float(relative.min()), float(relative.max())]


def noise_warnings(noise: KnownNoise | str) -> list[str]:
    """Return a sentence for everything about the noise that a user should know."""
    if isinstance(noise, str):
        return [f"the noise is not known: {noise}"]
    found = []
    if noise.profile is not None:
        low, high = _range(noise.profile)
        found.append(
            f"noise is not flat over the image: a receiver filter leaves {low:.2f} to {high:.2f} "
            "of its mean level"
        )
    return [*found, *coloured(noise)]


def contradicted(scan: Scan, noise: KnownNoise | str) -> list[str]:
    """Return a sentence where k-space itself shows another noise level than the one it came with.

    As with a noise scan of another dwell time or gain. Nothing where no part of it is noise alone.
    """
    if isinstance(noise, str) or scan.noise_covariance is None or is_free_of_noise(scan.header):
        return []
    try:
        seen = known_noise(dataclasses.replace(scan, noise_covariance=None))
    except ValueError:  # not found, or NaN, which is told elsewhere
        return []
    ratio = seen.sigma / noise.sigma
    if 1 / _FAR < ratio < _FAR:
        return []
    return [
        f"the noise that the file states has sigma {noise.sigma:.4g}, but k-space itself shows "
        f"{seen.sigma:.4g}, {ratio:.2f} times as much ({seen.source}): a noise scan of another "
        "dwell time or gain?"
    ]


def coloured(noise: KnownNoise) -> list[str]:
    """Return a sentence where the spectrum of the noise is not flat."""
    if noise.spectrum is None:
        return []
    low, high = np.sqrt(_range(noise.spectrum[noise.spectrum > 0]))
    if high <= _UNEVEN * low:
        return []
    return [
        f"noise is not white: its level goes from {low:.2f} to {high:.2f} of its mean over "
        "k-space (unequal averaging or a taper)"
    ]


def note_coloured(noise: KnownNoise, path: Path) -> None:
    """Tell where denoisers will take noise for white that is not."""
    for sentence in coloured(noise):
        note(
            f"{path}: {sentence}; methods that take it for white leave or remove too "
            "much (c2s with --domain stationary and diffdenoise measure it)"
        )
