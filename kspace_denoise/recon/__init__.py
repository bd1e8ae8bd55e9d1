"""From k-space to an image: noise, coil maps, SENSE and its noise map."""

from kspace_denoise.recon.adaptive import adaptive_combine, walsh_maps
from kspace_denoise.recon.amplification import g_factor
from kspace_denoise.recon.cg_sense import cg_sense
from kspace_denoise.recon.coil_calibration import espirit
from kspace_denoise.recon.combine import rss
from kspace_denoise.recon.ddrm import ddrm
from kspace_denoise.recon.dds import dds
from kspace_denoise.recon.generation import generate
from kspace_denoise.recon.gridding import gridding
from kspace_denoise.recon.joint_sense import jsense
from kspace_denoise.recon.koay import Koay, koay
from kspace_denoise.recon.l1_wavelet import l1_wavelet
from kspace_denoise.recon.magnitude_noise import MagnitudeNoise, rss_noise
from kspace_denoise.recon.noise import noise_covariance, whiten, whitening_matrix
from kspace_denoise.recon.noise_correlation import (
    correlation_reach,
    correlation_spectrum,
    noise_correlation,
)
from kspace_denoise.recon.noise_estimate import NoiseEstimate, estimate_noise
from kspace_denoise.recon.noise_level import NoiseLevel, estimate_sigma
from kspace_denoise.recon.noise_not_found import NoiseNotFound
from kspace_denoise.recon.nufft_operator import NufftOperator
from kspace_denoise.recon.pigdm import pigdm
from kspace_denoise.recon.posterior import Posterior
from kspace_denoise.recon.replicas import noise_map
from kspace_denoise.recon.restoration import restore
from kspace_denoise.recon.sense_operator import SenseOperator
from kspace_denoise.recon.sense_solver import Reconstruction, sense
from kspace_denoise.recon.signal_rms import signal_rms
from kspace_denoise.recon.spectral import FourierSampling, PixelSampling, SpectralOperator
from kspace_denoise.recon.split_gibbs import split_gibbs
from kspace_denoise.recon.tv import tv
from kspace_denoise.recon.vst import inverse_vst, vst

__all__ = [
    "FourierSampling",
    "Koay",
    "MagnitudeNoise",
    "NoiseEstimate",
    "NoiseLevel",
    "NoiseNotFound",
    "NufftOperator",
    "PixelSampling",
    "Posterior",
    "Reconstruction",
    "SenseOperator",
    "SpectralOperator",
    "adaptive_combine",
    "cg_sense",
    "correlation_reach",
    "correlation_spectrum",
    "ddrm",
    "dds",
    "espirit",
    "estimate_noise",
    "estimate_sigma",
    "g_factor",
    "generate",
    "gridding",
    "inverse_vst",
    "jsense",
    "koay",
    "l1_wavelet",
    "noise_correlation",
    "noise_covariance",
    "noise_map",
    "pigdm",
    "restore",
    "rss",
    "rss_noise",
    "sense",
    "signal_rms",
    "split_gibbs",
    "tv",
    "vst",
    "walsh_maps",
    "whiten",
    "whitening_matrix",
]
