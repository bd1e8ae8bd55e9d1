"""From a noisy image to a clean one: the diffusion process backwards, level by level."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Estimate = Callable[[Tensor, Tensor], Tensor]
"""The clean images `(n, ...)` of noisy ones at levels `(n,)`."""


def reverse_chain(
    estimate: Estimate,
    image: Tensor,
    levels: Tensor,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
    limit: float = math.inf,
) -> Tensor:
    """Return the clean images of noisy ones `(n, ...)` by way of falling levels `(n, steps)`.

    The first level is that of the image; each next state is the estimate of the clean image and
    what is left of the noise, of which a share `eta` is drawn anew: with 1 the steps are those of
    DDPM (Ho et al., NeurIPS 2020, eq. 7, of images over √ᾱ), with 0 of DDIM. Estimates are kept
    within ± `limit`. The result is the estimate at the last level; one level asks once.
    """
    for step in range(levels.shape[1]):
        now = levels[:, step]
        clean = estimate(image, now)
        if math.isfinite(limit):
            clean = clean.clamp(-limit, limit)
        if step + 1 == levels.shape[1]:
            return clean
        after = levels[:, step + 1]
        fresh = (eta * after) ** 2 * (1 - (after / now) ** 2)
        kept = (after**2 - fresh).clamp(min=0).sqrt() / now
        shape = (-1, *(1,) * (image.ndim - 1))
        image = clean + kept.view(shape) * (image - clean)
        if eta:
            noise = torch.randn(image.shape, generator=generator, device=image.device)
            image = image + fresh.sqrt().view(shape) * noise
    raise ValueError("levels are none, expected at least one")
