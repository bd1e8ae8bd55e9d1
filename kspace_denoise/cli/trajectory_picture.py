"""How a scan along a trajectory is drawn: its gridded image, its samples, and where they lie."""

from typing import Any

import numpy as np

from kspace_denoise import recon
from kspace_denoise.cli.noise_picture import INK, PAPER, logarithm, show
from kspace_denoise.scan import Numpy, Scan

_MOST_READOUTS = 24  # that are drawn: more would fill the panel


def gridded(scan: Scan, kspace: Numpy) -> Numpy:
    """Return the coil images of one slice by gridding."""
    assert scan.image_shape is not None
    return np.asarray(recon.gridding(kspace, scan.trajectory, scan.image_shape))


def draw_trajectory(figure: Any, trajectory: Numpy, kspace: Numpy, coil_images: Numpy) -> None:
    """Draw the root sum of squares, the magnitude of the samples, and some of the readouts."""
    figure.set_facecolor(PAPER)
    left, middle, right = figure.subplots(1, 3)
    show(left, recon.rss(coil_images), "root sum of squares, gridded")
    readouts, samples = trajectory.shape[:2]
    show(middle, logarithm(kspace), f"log magnitude, {readouts} x {samples} samples", cmap="magma")
    middle.set_aspect("auto")
    shown = np.linspace(0, readouts - 1, min(readouts, _MOST_READOUTS)).astype(int)
    for readout in trajectory[shown]:
        right.plot(readout[:, 1], readout[:, 0], linewidth=0.6, color="#6fa8c9")
    right.plot(*trajectory[0, :, ::-1].T, linewidth=1.2, color="#e0a070")
    right.set_aspect("equal")
    right.set_axis_off()
    right.set_title(f"{len(shown)} of {readouts} readouts", color=INK, fontsize=9)
