"""Slices out of nothing: the third stage of DDM2 as a generative model."""

import math

import numpy as np
import torch

from kspace_denoise.dmri.chain import even_levels, schedule_levels
from kspace_denoise.dmri.denoiser import VolumeDenoiser
from kspace_denoise.dmri.schedule import signal_left
from kspace_denoise.reverse_chain import reverse_chain
from kspace_denoise.scan import Numpy

_PURE = 5.0
"""Noise over signal from which on an image is as good as pure noise."""


def generate(
    denoiser: VolumeDenoiser,
    count: int,
    shape: tuple[int, int],
    bval: float | None = None,
    seed: int = 0,
    steps: int = 100,
) -> Numpy:
    """Draw `count` slices `(count, y, x)` of a shell, in the unit that its network has.

    From pure noise, by `steps` levels in even ratios, or with `chain="steps"` all those of the
    schedule; of the noise all is drawn anew at each. `bval` names the shell; None: the last.

    Raises:
        ValueError: if there is no such shell, or the third stage was not trained as in the paper
            (`diffusion="shuffled"`), or not up to pure noise (`largest` of at least 5).
    """
    method = denoiser.method
    models = {model.bval: model for model in denoiser.shells}
    wanted = max(models) if bval is None else bval
    if wanted not in models:
        raise ValueError(f"there is no shell of b = {wanted:g}, but {', '.join(map(str, models))}")
    left = signal_left(method.schedule)
    steepest = float((1 - left[-1] ** 2).sqrt() / left[-1])
    largest = steepest if method.levels == "steps" else method.largest
    network = models[wanted].diffusion
    if method.diffusion != "shuffled" or network is None or largest < _PURE:
        raise ValueError(
            f'the third stage is "{method.diffusion}", trained up to a noise of {largest:g}: to '
            f'generate, train with diffusion = "shuffled" and largest = {_PURE:g} or more'
        )
    generator = torch.Generator(denoiser.device).manual_seed(seed)
    top = torch.full((count,), largest, device=denoiser.device)
    smallest = method.smallest / largest
    levels = (
        schedule_levels(top, left) if method.chain == "steps" else even_levels(top, steps, smallest)
    )
    size = (count, method.slab, *shape)
    noise = torch.randn(size, generator=generator, device=denoiser.device)
    network.eval().to(device=denoiser.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.no_grad():
        limit = 1.0 if method.unit == "range" else math.inf
        drawn = reverse_chain(network, largest * noise, levels, 1.0, generator, limit)
    return np.asarray(drawn[:, method.slab // 2].cpu().numpy())
