"""Undersampling masks by name, their acceleration, and their probability E[P]."""

from kspace_denoise.sim.sampling.families import MASKS
from kspace_denoise.sim.sampling.masks import (
    achieved_acceleration,
    calibration_size,
    mask,
    mask_probability,
    poisson_probability,
)
from kspace_denoise.sim.sampling.poisson_estimate import MaskEstimate

__all__ = [
    "MASKS",
    "MaskEstimate",
    "achieved_acceleration",
    "calibration_size",
    "mask",
    "mask_probability",
    "poisson_probability",
]
