"""Forward models: what physics and a scanner do to an object, on plain arrays."""

from kspace_denoise.nufft import check_trajectory
from kspace_denoise.sim.blurred_noise import BlurredNoise
from kspace_denoise.sim.coils import array_covariance, coil_maps
from kspace_denoise.sim.correlated_magnitude import (
    MagnitudeMoments,
    magnitude_moments,
    sample_magnitude,
)
from kspace_denoise.sim.diffusion import (
    DiffusionPhantom,
    GradientScheme,
    diffusion_phantom,
    gradient_scheme,
)
from kspace_denoise.sim.external_interference import Interference, interference
from kspace_denoise.sim.gamma_noise import GammaNoise
from kspace_denoise.sim.head import Phantom, phantom
from kspace_denoise.sim.lowfield import LowField, low_field
from kspace_denoise.sim.lowfield_limits import highest_field, narrowest_bandwidth
from kspace_denoise.sim.magnitude_noise import MagnitudeNoise
from kspace_denoise.sim.noise import add_noise, noise_like
from kspace_denoise.sim.poisson_noise import PoissonNoise
from kspace_denoise.sim.relaxation import relaxation_factor, relaxation_map
from kspace_denoise.sim.replay import noise_cross_spectra, replay_noise
from kspace_denoise.sim.room import Room
from kspace_denoise.sim.sampling import (
    MASKS,
    MaskEstimate,
    achieved_acceleration,
    calibration_size,
    mask,
    mask_probability,
    poisson_probability,
)
from kspace_denoise.sim.sequences import (
    SEQUENCES,
    BalancedSSFP,
    GradientEcho,
    Sequence,
    SpinEcho,
    sequence,
)
from kspace_denoise.sim.tissues import TISSUES, Tissue
from kspace_denoise.sim.trajectory import trajectory, trajectory_acceleration
from kspace_denoise.sim.trajectory_density import density_compensation

__all__ = [
    "MASKS",
    "SEQUENCES",
    "TISSUES",
    "BalancedSSFP",
    "BlurredNoise",
    "DiffusionPhantom",
    "GammaNoise",
    "GradientEcho",
    "GradientScheme",
    "Interference",
    "LowField",
    "MagnitudeMoments",
    "MagnitudeNoise",
    "MaskEstimate",
    "Phantom",
    "PoissonNoise",
    "Room",
    "Sequence",
    "SpinEcho",
    "Tissue",
    "achieved_acceleration",
    "add_noise",
    "array_covariance",
    "calibration_size",
    "check_trajectory",
    "coil_maps",
    "density_compensation",
    "diffusion_phantom",
    "gradient_scheme",
    "highest_field",
    "interference",
    "low_field",
    "magnitude_moments",
    "mask",
    "mask_probability",
    "narrowest_bandwidth",
    "noise_cross_spectra",
    "noise_like",
    "phantom",
    "poisson_probability",
    "relaxation_factor",
    "relaxation_map",
    "replay_noise",
    "sample_magnitude",
    "sequence",
    "trajectory",
    "trajectory_acceleration",
]
