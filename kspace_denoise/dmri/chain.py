"""From a noisy image to a clean one: the diffusion process backwards from its own state."""

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
        clean = estimate(image, now).clamp(-limit, limit)
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


def even_levels(first: Tensor, steps: int, last: float) -> Tensor:
    """Return levels `(n, steps)` from `first` `(n,)` to `last` of it, in even ratios."""
    exponents = (
        torch.linspace(0, 1, steps, device=first.device) if steps > 1 else first.new_zeros(1)
    )
    return first[:, None] * last**exponents


def schedule_levels(first: Tensor, signal_left: Tensor) -> Tensor:
    """Return levels `(n, steps)` of a diffusion process, from the step nearest `first` to 1.

    Those of images with less noise repeat their first until all have the same number left: a step
    between equal levels changes nothing.
    """
    a = signal_left.to(first.device)[1:]
    of_steps = ((1 - a**2).sqrt() / a).float()
    start = (of_steps[None] - first[:, None]).abs().argmin(dim=1)
    down = torch.arange(int(start.max()), -1, -1, device=first.device)
    return of_steps[torch.minimum(down[None], start[:, None])]
