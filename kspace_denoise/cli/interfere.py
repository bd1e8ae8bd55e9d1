"""`simulate --interference`: the lines of an unshielded room, with detectors beside the coils."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import click
import numpy as np

from kspace_denoise import sim
from kspace_denoise.cli.common import Decorator
from kspace_denoise.cli.options import group
from kspace_denoise.formats.fastmri import DETECTORS
from kspace_denoise.scan import Numpy
from kspace_denoise.stages import KnownNoise

_option = group("Noise")


class Interfere(NamedTuple):
    """`add(kspace, seed)` returns k-space with interference, and what the detectors record."""

    add: Callable[[Numpy, Any], tuple[Numpy, Numpy]]
    detectors: int


def interference_option() -> Decorator:
    """`--interference R`."""
    return _option(
        "--interference",
        type=click.FloatRange(min=0, min_open=True),
        metavar="R",
        help="Add the interference of an unshielded room, of R times the standard deviation of "
        f"the noise in OUT; what detectors record of it is written as `{DETECTORS}`.",
    )


def plan_interference(
    ratio: float, noise: KnownNoise, readout_axis: int | None, seed: int
) -> tuple[Interfere, dict[str, Any]]:
    """Return how interference is added to a slice, and what to record of it.

    Raises:
        ValueError: if the noise or the readout axis is not known.
    """
    if not noise.covariance.any():
        raise ValueError("--interference is relative to the noise, and OUT would have none")
    if readout_axis is None:
        raise ValueError(
            "interference follows the readout, whose axis is not known: give --readout-axis"
        )
    room = sim.Room()
    sigma = ratio * noise.sigma
    record = {
        "ratio": ratio,
        "sigma": sigma,
        "readout_axis": readout_axis,
        "room": room.record(),
        "couplings": "those of one room for all slices; the sources are drawn for each",
        "noise_covariance": "that of the thermal noise alone",
    }
    interfere = functools.partial(
        sim.interference, sigma=sigma, readout_axis=readout_axis, room=room, couplings_seed=seed
    )

    def add(kspace: Numpy, seed: Any) -> tuple[Numpy, Numpy]:
        done = interfere(kspace, seed=seed)
        return np.asarray(done.kspace), np.asarray(done.detectors)

    return Interfere(add, room.detectors), {"interference": record}
