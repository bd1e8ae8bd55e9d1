"""From k-space to an image: noise, coil maps, SENSE and its noise map."""

from kspace_denoise.recon.coil_calibration import espirit
from kspace_denoise.recon.combine import rss
from kspace_denoise.recon.noise import noise_covariance, whiten, whitening_matrix
from kspace_denoise.recon.noise_estimate import NoiseEstimate, estimate_noise
from kspace_denoise.recon.noise_not_found import NoiseNotFound
from kspace_denoise.recon.noise_map import g_factor, pseudo_replica_sigma
from kspace_denoise.recon.sense_operator import SenseOperator
from kspace_denoise.recon.sense_solver import Reconstruction, sense

__all__ = [
    "NoiseEstimate",
    "NoiseNotFound",
    "Reconstruction",
    "SenseOperator",
    "espirit",
    "estimate_noise",
    "g_factor",
    "noise_covariance",
    "pseudo_replica_sigma",
    "rss",
    "sense",
    "whiten",
    "whitening_matrix",
]
