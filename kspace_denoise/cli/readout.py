"""`--readout-axis`: along which axis a file was read out, where it does not say."""

import dataclasses

import click

from kspace_denoise.cli.common import Decorator
from kspace_denoise.scan import Scan


def readout_option() -> Decorator:
    """`--readout-axis -1|-2`."""
    return click.option(
        "--readout-axis",
        "readout",
        type=click.Choice(["-1", "-2"]),
        callback=lambda _ctx, _option, value: None if value is None else int(value),
        help="Axis of k-space (ky, kx) that was read out, where the file does not say: -1 is kx.",
    )


def with_readout(scan: Scan, readout: int | None) -> Scan:
    """Return the scan with this readout axis; None leaves what the file says.

    Raises:
        ValueError: if the file says another.
    """
    if readout is None:
        return scan
    if scan.readout_axis not in (None, readout):
        raise ValueError(f"--readout-axis {readout}, but the file says {scan.readout_axis}")
    return dataclasses.replace(scan, readout_axis=readout)
