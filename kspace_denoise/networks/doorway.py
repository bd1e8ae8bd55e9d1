"""The doorway between images and a network: the only place where complex becomes two channels."""

import torch
from torch import Tensor, nn


class Doorway(nn.Module):
    """Let a network of real channels estimate the clean image from a noisy one.

    Images (batch, y, x), complex or real, in a unit in which they are of order one; noise levels
    (batch,) in that unit, per real component. The network sees an input of unit variance and
    supplies what the linear shrinkage `x / (1 + level²)` misses (the preconditioning of
    Karras et al., NeurIPS 2022, eq. 7, with σ_data = 1), so that an untrained network
    already shrinks by the right amount at every level.

    Raises:
        ValueError: if complex images meet a network of one channel, or magnitudes one of two.
    """

    def __init__(self, network: nn.Module, channels: int) -> None:
        super().__init__()
        self.network = network
        self.channels = channels

    def forward(self, x: Tensor, noise_level: Tensor) -> Tensor:
        """Estimate the clean image, of the shape and dtype of `x`."""
        if x.is_complex() != (self.channels == 2):
            kind = "complex" if x.is_complex() else "magnitude"
            trained = "complex images" if self.channels == 2 else "magnitude images"
            raise ValueError(
                f"got {kind} images, but this network works on {trained}: "
                "pass those, or train one for these"
            )
        real = torch.view_as_real(x).movedim(-1, 1) if x.is_complex() else x[:, None]
        level = noise_level[:, None, None, None]
        power = 1 + level**2
        noise = self.network(real / power.sqrt(), noise_level)
        clean = real / power + noise * (level / power.sqrt())
        if x.is_complex():
            return torch.view_as_complex(clean.float().movedim(1, -1).contiguous())
        magnitude: Tensor = clean[:, 0]
        return magnitude
