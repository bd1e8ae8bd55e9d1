"""`simulate --acceleration`: undersampling masks along the phase encoding, or over both axes."""

from typing import Any, NamedTuple

import click
import numpy as np

from kspace_denoise import sim
from kspace_denoise.cli.common import Decorator
from kspace_denoise.cli.options import group, together
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.stages import check_cartesian

_option = group("Undersampling")
DEFAULT_KIND = "random"
_MASKS = 3  # streams 0 to 2 of a seed and a slice are those of heads and noise


class MaskRequest(NamedTuple):
    """The options of undersampling."""

    acceleration: float | None
    mask_kind: str | None
    calibration: int | None
    mask_per_slice: bool

    @property
    def kind(self) -> str:
        """Return the kind of mask."""
        return self.mask_kind or DEFAULT_KIND


def mask_options() -> Decorator:
    """The options of `MaskRequest`."""
    return together(
        _option("--acceleration", type=float, metavar="R", help="Undersample by this factor."),
        _option(
            "--mask",
            "mask_kind",
            metavar="KIND",
            help=f"Which lines or points, see below.  [default: {DEFAULT_KIND}]",
        ),
        _option(
            "--calibration",
            type=int,
            metavar="N",
            help="Central lines, or the side of the central block, that stay fully sampled.  "
            "[default: the kind's own, for most 8 % of the lines, 4 % beyond R = 6]",
        ),
        _option(
            "--mask-per-slice",
            is_flag=True,
            help="Draw another mask for each slice, in place of one for all.",
        ),
    )


def check_mask(request: MaskRequest) -> None:
    """Refuse options of undersampling without --acceleration.

    Raises:
        click.UsageError: naming the option.
    """
    if request.acceleration is not None:
        return
    for name, value in (
        ("--mask", request.mask_kind),
        ("--calibration", request.calibration),
        ("--mask-per-slice", request.mask_per_slice or None),
    ):
        if value is not None:
            raise click.UsageError(f"{name} needs --acceleration R")


def draw_mask(scan: Scan, request: MaskRequest, seed: int) -> tuple[Numpy, dict[str, Any]]:
    """Return a mask, and what to record of it.

    Lines run along the phase encoding: `(kx,)`, or `(ky, 1)` where ky is the phase axis. Masks of
    both axes are `(ky, kx)`, and where every slice has its own these stand in front.

    Raises:
        ValueError: if the scan is not fully sampled, or there is no such mask.
    """
    check_cartesian(scan, "--acceleration")
    if scan.mask is not None and not scan.mask.all():
        raise ValueError("the scan is undersampled already; --acceleration needs a full one")
    assert request.acceleration is not None
    axis = -2 if scan.readout_axis == -1 else -1
    grid = scan.kspace.shape[-2:]
    count = len(scan.kspace) if request.mask_per_slice else 1
    masks = np.stack(
        [
            sim.mask(
                request.kind,
                grid,
                request.acceleration,
                request.calibration,
                np.random.default_rng([seed, index, _MASKS]) if request.mask_per_slice else seed,
                axis=axis,
            )
            for index in range(count)
        ]
    )
    record = {
        "acceleration": request.acceleration,
        "achieved_acceleration": float(sim.achieved_acceleration(masks)),
        "mask": request.kind,
        "calibration": _calibration(request, grid, axis),
        "mask_axis": axis,
        "mask_per_slice": request.mask_per_slice,
    }
    return _shortest(masks if request.mask_per_slice else masks[0]), record


def _calibration(request: MaskRequest, grid: tuple[int, ...], axis: int) -> int:
    """Return the calibration that was asked for, or that the kind of mask takes by itself."""
    assert request.acceleration is not None
    return sim.calibration_size(
        request.kind, grid, request.acceleration, request.calibration, axis=axis
    )


def _shortest(mask: Numpy) -> Numpy:
    """Drop the axis along which a mask is constant; that of the slices stays."""
    rows, columns = mask[..., :1, :], mask[..., :1]
    if np.all(mask == rows):
        return np.asarray(rows if mask.ndim == 3 else rows[0])
    return np.asarray(columns if np.all(mask == columns) else mask)
