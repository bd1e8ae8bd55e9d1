"""The third stage by Corruption2Self: images made noisier, the noise model's word beside them.

What DDM2's own third stage knows of clean images is what the noise model says of them, and what it
then denoises is one image alone. Here both are used: the noise model's word is another contrast of
the slice, and clean images are learnt from the noisy ones.
"""

import numpy as np
import torch
from torch import Tensor, nn

from kspace_denoise.denoiser import Denoiser
from kspace_denoise.dmri.networks import conditional
from kspace_denoise.dmri.volumes import Tick, Volumes, nothing
from kspace_denoise.objectives import C2S
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.images import Example, NoisyImages

OBJECTIVE = C2S()


def training_images(volumes: Volumes, told: Tensor, levels: Tensor) -> NoisyImages:
    """Return what to learn from, in SNR units, given the noise levels `(volumes, slices)`."""
    return NoisyImages.from_examples(
        Example(
            (volumes.images[v, s] / levels[v, s]).numpy(),
            None,
            (_beside(volumes, told, v, s) / levels[v, s]).numpy(),
        )
        for v, s in torch.nonzero(levels > 0).tolist()
    )


def denoised(
    trained: nn.Module,
    volumes: Volumes,
    told: Tensor,
    levels: Tensor,
    config: TrainConfig,
    device: str = "cpu",
    tick: Tick = nothing,
) -> Tensor:
    """Return the images `(volumes, slices, y, x)` without noise; blank slices as they are.

    `tick` is called before every volume.
    """
    used = config.replace(network=conditional(config, volumes.slab))
    denoiser = Denoiser(trained, OBJECTIVE, "c2s", None, used, {}, device)
    clean = volumes.images.clone()
    for volume, of_slices in enumerate(levels):
        tick()
        there = torch.nonzero(of_slices > 0)[:, 0].tolist()
        if not there:
            continue
        noise = of_slices[there, None, None].numpy()
        beside = torch.stack([_beside(volumes, told, volume, piece) for piece in there]).numpy()
        noisy = volumes.images[volume, there].numpy()
        found = denoiser(noisy, noise, beside, noise[:, None])
        clean[volume, there] = torch.from_numpy(np.asarray(found))
    return clean


def _beside(volumes: Volumes, told: Tensor, volume: int, piece: int) -> Tensor:
    """Return what stands beside a slice: the noise model's word on its slab, and its neighbours."""
    around = volumes.around(piece)
    middle = volumes.slab // 2
    own = volumes.images[volume, around[:middle] + around[middle + 1 :]]
    return torch.cat([told[volume, around], own])
