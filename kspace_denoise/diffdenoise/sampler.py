"""Sampling from the diffusion model, deterministically, from noise and its negative.

Demir et al. 2025, section 3.2 ("stabilised reverse diffusion sampling"), by DDIM (Song et al., ICLR
2021). For a denoiser that is linear in the noisy state, what comes from e and from -e has the mean
of what comes from 0, exactly and in half the time: hence the other starts, as controls.
"""

import torch
from torch import Tensor, nn

from kspace_denoise.objectives.conditional_diffusion import ConditionalDiffusion
from kspace_denoise.objectives.diffdenoise import Start, check_start
from kspace_denoise.objectives.noise_like import noise_like
from kspace_denoise.recon.diffusion_levels import ddpm_levels
from kspace_denoise.reverse_chain import reverse_chain


def starts(kind: Start, runs: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """Return what `runs` runs begin with, `(runs, *like.shape)`, of level 1.

    Raises:
        ValueError: if there is no such kind, or `runs` does not fit it.
    """
    check_start(kind, runs)
    if kind == "zero":
        return torch.zeros_like(like)[None]
    drawn = runs // 2 if kind == "symmetric" else runs
    noise = noise_like(like.expand(drawn, *like.shape), generator)
    return torch.cat([noise, -noise]) if kind == "symmetric" else noise


def sampled(
    network: nn.Module,
    model: ConditionalDiffusion,
    condition: Tensor,
    noise: Tensor,
    steps: int,
) -> Tensor:
    """Return the mean of what DDIM makes of each start `noise` (runs, n, y, x), `(n, y, x)`.

    `condition` (n, y, x) is what the blind network says, in the unit of training; the chain goes
    down `steps` levels of DDPM's linear schedule, from pure noise to the lowest.
    """
    levels = torch.tensor(ddpm_levels(steps, to_last=True), device=condition.device)
    state = noise * (1 + levels[0] ** 2).sqrt()
    mean = torch.zeros_like(condition)
    every = levels.expand(len(condition), -1)
    for run in state:
        found = reverse_chain(
            lambda x, level: model.estimate(network, x, level, condition), run, every
        )
        mean += model.decoded(found, condition) / len(state)
    return mean
