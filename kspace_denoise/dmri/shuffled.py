"""The third stage as in the paper: the noise model's word with shuffled noise, and the way back."""

import dataclasses
import math

import torch
from torch import Tensor, nn

from kspace_denoise.dmri.chain import even_levels, schedule_levels
from kspace_denoise.dmri.schedule import signal_left
from kspace_denoise.dmri.volumes import Tick, Volumes, nothing
from kspace_denoise.objectives.ddm2 import DDM2
from kspace_denoise.reverse_chain import reverse_chain
from kspace_denoise.symmetry import symmetric_mean
from kspace_denoise.training.config import TrainConfig

_AT_ONCE = 8


def training_volumes(volumes: Volumes, told: Tensor, states: Tensor) -> Volumes:
    """Return what to learn from; slices that the noise model foretells exactly have no noise."""
    return dataclasses.replace(volumes, expected=told, states=states)


def denoised(
    trained: nn.Module,
    volumes: Volumes,
    states: Tensor,
    levels: Tensor,
    method: DDM2,
    config: TrainConfig,
    device: str = "cpu",
    generator: torch.Generator | None = None,
    tick: Tick = nothing,
) -> Tensor:
    """Return the images `(volumes, slices, y, x)` without noise; blank slices as they are.

    `tick` is called before every volume.
    """
    clean = volumes.images.clone()
    slabs = torch.tensor([volumes.around(piece) for piece in range(clean.shape[1])])
    for volume, of_slices in enumerate(levels):
        tick()
        for pieces in torch.split(torch.nonzero(of_slices > 0)[:, 0], _AT_ONCE):
            images = volumes.images[volume, slabs[pieces]]
            signal = states[volume, pieces, 0][:, None, None, None]
            found = from_state(
                trained, images / signal, of_slices[pieces], method, config, device, generator
            )
            clean[volume, pieces] = found[:, volumes.slab // 2].cpu()
    return clean


def from_state(
    trained: nn.Module,
    start: Tensor,
    level: Tensor,
    method: DDM2,
    config: TrainConfig,
    device: str = "cpu",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Go back from images `(n, slab, y, x)` at noise levels `(n,)` to clean ones."""
    trained.eval().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if method.chain == "steps":
        levels = schedule_levels(level, signal_left(method.schedule))
    else:
        levels = even_levels(level, method.chain_steps, method.last)
    limit = 1.0 if method.unit == "range" else math.inf

    def estimate(x: Tensor, now: Tensor) -> Tensor:
        return symmetric_mean(lambda turned: trained(turned, now), x, config.passes)

    with torch.no_grad():
        return reverse_chain(
            estimate, start.to(device), levels.to(device), method.eta, generator, limit
        )
