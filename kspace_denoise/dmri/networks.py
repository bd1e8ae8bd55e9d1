"""The networks of DDM2, untrained, with weights that depend on the seed alone."""

import dataclasses

import torch
from torch import nn

from kspace_denoise.denoiser import build_network
from kspace_denoise.networks import NetworkConfig, build
from kspace_denoise.networks.architectures import Network
from kspace_denoise.networks.slab import Denoising, Mapping
from kspace_denoise.objectives.ddm2 import DDM2
from kspace_denoise.training.config import TrainConfig


def noise_network(config: TrainConfig, count: int, slab: int, seed: int = 0) -> nn.Module:
    """Return the noise model: from the slabs of `count` other volumes to that of a volume."""
    channels = count * slab
    shown = dataclasses.replace(config.network, channels=channels, direct=config.paper)
    return Mapping(_seeded(shown, seed))


def diffusion_network(config: TrainConfig, method: DDM2, seed: int = 0) -> nn.Module:
    """Return the network of the third stage, by how it is trained."""
    if method.diffusion == "corrupted":
        return build_network(conditional(config, method.slab), 1, seed)
    shown = dataclasses.replace(config.network, channels=method.slab, direct=config.paper)
    return Denoising(_seeded(shown, seed))


def _seeded(config: NetworkConfig, seed: int) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # noqa: TID251 - inside fork_rng: the global state is put back
        return build(config)


def conditional(config: TrainConfig, slab: int) -> NetworkConfig:
    """Return the shape of a network with other images beside a slice.

    These are what the noise model says of its slab, and the other slices of that.
    """
    return dataclasses.replace(config.network, channels=1, contrasts=2 * slab - 1)
