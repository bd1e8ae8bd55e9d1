"""Network architectures, one per file: real channels in, real channels out."""

from kspace_denoise.networks.architectures import (
    ARCHITECTURES,
    Network,
    NetworkConfig,
    build,
    network_config,
)
from kspace_denoise.networks.blind import BlindConfig, leak
from kspace_denoise.networks.doorway import Doorway
from kspace_denoise.networks.half_plane import HalfPlane, HalfPlaneConfig
from kspace_denoise.networks.layers import differentiate_twice
from kspace_denoise.networks.lg_bpn import LGBPN, LGBPNConfig
from kspace_denoise.networks.nafnet import NAFNet, NAFNetConfig
from kspace_denoise.networks.plain_unet import PlainUNet, PlainUNetConfig
from kspace_denoise.networks.puca import PUCA, PUCAConfig
from kspace_denoise.networks.restormer import Restormer, RestormerConfig
from kspace_denoise.networks.swinir import SwinIR, SwinIRConfig
from kspace_denoise.networks.unet import UNet, UNetConfig

__all__ = [
    "ARCHITECTURES",
    "LGBPN",
    "PUCA",
    "BlindConfig",
    "Doorway",
    "HalfPlane",
    "HalfPlaneConfig",
    "LGBPNConfig",
    "NAFNet",
    "NAFNetConfig",
    "Network",
    "NetworkConfig",
    "PUCAConfig",
    "PlainUNet",
    "PlainUNetConfig",
    "Restormer",
    "RestormerConfig",
    "SwinIR",
    "SwinIRConfig",
    "UNet",
    "UNetConfig",
    "build",
    "differentiate_twice",
    "leak",
    "network_config",
]
