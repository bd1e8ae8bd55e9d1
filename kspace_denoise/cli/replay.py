"""`simulate --sigma --replay`: the noise that is added is that of a recording."""

import functools
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kspace_denoise import formats, recon, sim
from kspace_denoise.arrays import Array, namespace, to_numpy
from kspace_denoise.cli.common import PATH, Decorator
from kspace_denoise.cli.degrade import Plan
from kspace_denoise.cli.options import group
from kspace_denoise.random import Seed
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.stages import KnownNoise

_option = group("Noise")


def replay_option() -> Decorator:
    """`--replay FILE`."""
    return _option(
        "--replay",
        type=PATH,
        metavar="FILE",
        help="Let the noise that --sigma adds be that of this noise scan, readout by readout: its "
        "spectrum, lines and bursts, scaled to S in the median coil.",
    )


def plan_replay(scan: Scan, known: KnownNoise, sigma: float, path: Path) -> Plan:
    """Add recorded noise of standard deviation `sigma` per real component in the median coil.

    Raises:
        ValueError: if the recording cannot be read, has other coils or shorter readouts, or the
            readout axis is not known, or the source's noise has a spectrum of its own.
    """
    axis = scan.readout_axis
    if axis is None:
        raise ValueError("a recording follows the readout, whose axis is not known: --readout-axis")
    if known.spectrum is not None and known.covariance.any():
        raise ValueError("--replay cannot be joined with source noise that is not white in k-space")
    samples = _recorded(path)
    covariance = to_numpy(recon.noise_covariance(samples))
    scale = sigma / float(np.sqrt(np.median(np.diag(covariance).real) / 2))
    added = covariance * scale**2
    length = scan.kspace.shape[axis]
    mode: Literal["readouts", "spectrum"] = (
        "readouts" if samples.shape[-1] >= length else "spectrum"
    )
    replay = functools.partial(sim.replay_noise, samples, readout_axis=axis, mode=mode)
    try:
        replay(scan.kspace[0], seed=0)  # refuses what does not fit
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error

    def degrade(kspace: Array, seed: Seed, mask: Array | None, _noise: KnownNoise) -> Array:
        noise = scale * replay(kspace, seed)
        return kspace + (
            noise if mask is None else noise * namespace(kspace).astype(mask, kspace.dtype)
        )

    level = _level(samples, length)
    profile = _joined(known, added, level if axis == -1 else level[:, None])
    noise = known._replace(covariance=known.covariance + added, profile=profile)
    return Plan(
        degrade,
        noise,
        {"added_sigma": sigma, "replayed": str(path), "replay": mode, "scale": scale},
    )


def _recorded(path: Path) -> Numpy:
    samples = formats.read_noise(path).samples
    if samples is None:
        raise ValueError(f"{path} holds a covariance, and --replay needs recorded samples")
    return samples


def _level(samples: Numpy, length: int) -> Numpy:
    """Return the relative level of recorded noise over an image of `length` pixels.

    A pixel x along the readout holds the frequency -x, DC at n // 2.
    """
    several = samples.shape[-1] >= 2 * length
    cross = sim.noise_cross_spectra(samples if several else samples[..., :length], length)
    power = np.einsum("fii->fi", cross).real
    relative = np.mean(power / np.mean(power, axis=0), axis=1)
    return np.asarray(np.sqrt(relative[(2 * (length // 2) - np.arange(length)) % length]))


def _joined(known: KnownNoise, added: Numpy, profile: Numpy) -> Numpy:
    """Return the profile of two noises together, each with the power of its covariance."""
    powers: list[Any] = [np.trace(psi).real for psi in (known.covariance, added)]
    own = np.ones(1) if known.profile is None else known.profile
    joined = (powers[0] * own**2 + powers[1] * profile**2) / sum(powers)
    return np.asarray(np.sqrt(joined / np.mean(joined)))
