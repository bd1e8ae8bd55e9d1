"""A trained denoiser as the samplers of `recon` call it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kspace_denoise.arrays import Array, is_complex, like, to_torch
from kspace_denoise.objectives import Objective


@dataclasses.dataclass(frozen=True)
class Prior:
    """`prior(x, sigma)` returns the clean images of x `(..., y, x)`, complex, of the kind of x.

    sigma is the noise of each real component of x; it, `rms`, the root mean square of the images'
    magnitude, and `smallest`, the lowest noise level that the network has learnt, are in the unit
    of x. Below it the score stays what it is there: x + (sigma / smallest)² (D(x, smallest) - x).
    Gradients are carried to tensors that ask for them. With `bfloat16` the network's layers, not
    what is done around them, are computed in it. `tick` is called before every call.
    """

    network: nn.Module
    objective: Objective[Any]
    rms: float
    smallest: float
    device: str
    tick: Callable[[], object] = lambda: None
    bfloat16: bool = False

    def __call__(self, x: Array, sigma: float) -> Array:
        """Return the mean of the clean images, as the network knows it.

        Raises:
            TypeError: if x is not complex.
            ValueError: if sigma is not a number of at least 0.
        """
        if not is_complex(x):
            raise TypeError(f"x is {x.dtype}, expected complex images")
        if np.ndim(sigma) or not 0 <= sigma < float("inf"):
            raise ValueError(f"sigma is {sigma}, expected one number of at least 0 for all images")
        self.tick()
        images: Tensor = to_torch(x).reshape(-1, *x.shape[-2:]).to(self.device, torch.complex64)
        known = max(sigma, self.smallest)
        level = torch.full((len(images),), known / self.rms, device=self.device)
        half = torch.autocast(images.device.type, torch.bfloat16, enabled=self.bfloat16)
        with torch.set_grad_enabled(images.requires_grad), half:
            clean = self.rms * self.objective.denoise(self.network, images / self.rms, level)
            if known > sigma:
                clean = images + (sigma / known) ** 2 * (clean - images)
        return like(clean.reshape(x.shape), x, x.dtype)
