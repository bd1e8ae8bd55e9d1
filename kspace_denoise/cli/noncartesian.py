"""`simulate --trajectory`: k-space resampled along radial spokes, spirals and the like."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import click
import numpy as np

from kspace_denoise import sim
from kspace_denoise.cli.common import Decorator, note
from kspace_denoise.cli.options import group, together
from kspace_denoise.fourier import ifft2c
from kspace_denoise.nufft import Nufft
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.stages import KnownNoise, check_cartesian

_option = group("Trajectory")
_KINDS = ("radial", "golden-angle", "spiral", "rosette")
_NOTICEABLE = 0.01
_ACCURACY = 1e-6


class TrajectoryRequest(NamedTuple):
    """The options of a trajectory."""

    trajectory: str | None
    readouts: int | None
    samples: int | None


class Resampling(NamedTuple):
    """A trajectory, and how a slice of k-space `(coils, ky, kx)` is resampled along it."""

    trajectory: Numpy
    image_shape: tuple[int, int]
    resample: Callable[[Numpy], Numpy]


def trajectory_options() -> Decorator:
    """The options of `TrajectoryRequest`."""
    return together(
        _option(
            "--trajectory",
            metavar="KIND",
            help=f"{', '.join(_KINDS)}: sample the images of IN along it.",
        ),
        _option(
            "--readouts",
            type=int,
            metavar="N",
            help="Spokes, interleaves or petals.  [default: full sampling]",
        ),
        _option(
            "--samples",
            type=int,
            metavar="N",
            help="Samples on each readout.  [default: twice as dense as need be]",
        ),
    )


def check_trajectory(request: TrajectoryRequest) -> None:
    """Refuse options of a trajectory without one.

    Raises:
        click.UsageError: naming the option.
    """
    if request.trajectory is not None:
        return
    for name in ("readouts", "samples"):
        if getattr(request, name) is not None:
            raise click.UsageError(f"--{name} needs --trajectory KIND")


def plan_trajectory(scan: Scan, request: TrajectoryRequest, seed: int) -> Resampling:
    """Return the trajectory through the k-space of a scan.

    Raises:
        ValueError: if the scan is not fully sampled, or the trajectory cannot be.
    """
    check_cartesian(scan, "--trajectory")
    if scan.mask is not None and not scan.mask.all():
        raise ValueError("the scan is undersampled; --trajectory needs a fully sampled one")
    assert request.trajectory is not None
    ny, nx = (int(n) for n in scan.kspace.shape[-2:])
    keywords = {n: v for n in ("readouts", "samples") if (v := getattr(request, n)) is not None}
    trajectory = sim.trajectory(request.trajectory, (ny, nx), seed=seed, **keywords)
    transform = Nufft(trajectory, (ny, nx), accuracy=_ACCURACY)
    return Resampling(trajectory, (ny, nx), functools.partial(_resample, transform))


def _resample(transform: Nufft, kspace: Numpy) -> Numpy:
    return np.asarray(transform.forward(ifft2c(kspace)), kspace.dtype)


def _check_filled(scan: Scan) -> None:
    """Refuse zero-filled k-space, which holds no noise for the trajectory to pass through."""
    kspace = scan.kspace[len(scan.kspace) // 2]
    empty = float(np.mean(~kspace.any(axis=0)))
    if kspace.any() and empty > _NOTICEABLE:
        raise ValueError(
            f"{empty:.0%} of the k-space of IN is zero-filled and holds no noise, so not all "
            "samples of a trajectory would have the noise that OUT states; simulate from data "
            "without gaps, or to a field so low that the noise of IN hardly counts"
        )


def correlated_share(
    scan: Scan, known: KnownNoise, noise: KnownNoise, gain: float
) -> dict[str, Any]:
    """Record, and tell, how much of the noise of resampled k-space the source brought along.

    The source's noise is resampled with its signal, scaled by `gain`: each sample holds its
    covariance, but neighbouring samples hold the same noise, which a scanner would draw anew.

    Raises:
        ValueError: if that noise is missing where the source is zero-filled.
    """
    total = float(np.trace(noise.covariance).real)
    brought = gain**2 * float(np.trace(known.covariance).real)
    share = brought / total if total > 0 else 0.0
    if share > _NOTICEABLE:
        _check_filled(scan)
        note(
            f"{share:.0%} of the noise variance comes from IN and is correlated between "
            "neighbouring samples of the trajectory; a better source, or more added noise, "
            "makes this less"
        )
    remark = "the noise of the source is resampled with its signal; added noise is white"
    if known.profile is not None or known.spectrum is not None:
        remark += ", without the profile and the spectrum of the source's"
    return {"correlated_noise_share": share, "trajectory_noise": remark}
