"""Slices that were sampled along a trajectory: coil maps by gridding, images by CG-SENSE."""

from typing import Any

import numpy as np

from kspace_denoise import recon
from kspace_denoise.arrays import Array
from kspace_denoise.calibration import CALIBRATION
from kspace_denoise.fourier import fft2c
from kspace_denoise.recon.noise import combine_coils
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.stages import unit_in_raw

REGULARISATION = 0.1
"""λ unless another is given: spokes and spirals leave the corners of k-space empty."""


def reconstruct_samples(
    scan: Scan,
    kspace: Array,
    noise_covariance: Numpy | None = None,
    calibration: int | None = None,
    regularisation: float | None = None,
    **options: Any,
) -> recon.Reconstruction:
    """Reconstruct a slice `(coils, readouts, samples)` of a scan that has a trajectory.

    Coil maps are those that ESPIRiT finds in the centre of the gridded and whitened data; the image
    is that of `recon.cg_sense`, to which `options` go, in the unit of the raw data and with the
    intensities of the root sum of squares.

    Raises:
        ValueError: if the scan has no trajectory, if `replicas` are asked for and the noise is not
            known, or as `recon.cg_sense`.
    """
    if scan.trajectory is None or scan.image_shape is None:
        raise ValueError("this scan is Cartesian: reconstruct it with recon.sense")
    if noise_covariance is None and options.get("replicas"):
        raise ValueError("replicas draw the noise of the scan: give its noise_covariance")
    coils = kspace.shape[-3]
    psi = 2 * np.eye(coils) if noise_covariance is None else noise_covariance
    matrix = recon.whitening_matrix(psi)
    white = combine_coils(matrix, kspace)
    gridded = fft2c(recon.gridding(white, scan.trajectory, scan.image_shape))
    size = min(CALIBRATION, *scan.image_shape) if calibration is None else calibration
    maps = unit_in_raw(recon.espirit(gridded, size), matrix)
    strength = REGULARISATION if regularisation is None else regularisation
    return recon.cg_sense(white, maps, scan.trajectory, regularisation=strength, **options)
