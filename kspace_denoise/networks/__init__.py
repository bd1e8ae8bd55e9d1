"""Network architectures, one per file: real channels in, real channels out."""

from kspace_denoise.networks.doorway import Doorway
from kspace_denoise.networks.layers import differentiate_twice
from kspace_denoise.networks.unet import UNet, UNetConfig

__all__ = ["Doorway", "UNet", "UNetConfig", "differentiate_twice"]
