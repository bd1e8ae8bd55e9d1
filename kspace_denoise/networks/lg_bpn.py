"""LG-BPN: details from around the hole, and the whole image by attention between channels.

Wang, Fu, Liu, Zhang, LG-BPN: local and global blind-patch network for self-supervised real-world
denoising, CVPR 2023. Their hole is a diamond, and images are taken apart into subsampled ones;
here it is a square, and layers behind it see pixels so far apart that they stay beyond it.
"""

import dataclasses
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kspace_denoise.networks.blind import BlindConfig, BlindNetwork, Ring
from kspace_denoise.networks.layers import Pointwise
from kspace_denoise.networks.restormer import Block


@dataclasses.dataclass(frozen=True)
class LGBPNConfig(BlindConfig):
    """`width` channels and so many blocks in each of the two branches, `heads` of attention.

    With a hole of 5 the kernels are the paper's, 9 x 9 and 21 x 21 of every other pixel.
    """

    architecture: ClassVar[str] = "lg-bpn"

    width: int = 24
    local: int = 3
    wide: int = 2
    heads: int = 2
    hole: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % self.heads:
            raise ValueError(
                f"width is {self.width} and heads {self.heads}: expected a width that the heads "
                "divide"
            )


class LGBPN(BlindNetwork):
    """Two branches, mixed pixel by pixel.

    Attention between channels weighs them by sums over all pixels, which hold the pixel itself: as
    published it leaks, some 1e-3 of the largest slope in images of 2000 pixels.
    """

    config: LGBPNConfig

    def __init__(self, config: LGBPNConfig) -> None:
        super().__init__(config)
        width, inner = config.width, config.reach
        near = Ring(config.inputs, width, inner, inner + 2)
        far = Ring(config.inputs, width, inner, 2 * inner + 6, every=2)
        self.local = nn.Sequential(
            near, nn.ReLU(), *(Dilated(width, near.step) for _ in range(config.local))
        )
        self.wide = nn.Sequential(
            far, nn.ReLU(),
            *(Block(width, config.heads, 2.0, far.step) for _ in range(config.wide)),
        )  # fmt: skip
        self.mix = Pointwise(2 * width, width, 1)
        self.leave = self.last(width, kernel=1)

    def body(self, x: Tensor) -> Tensor:
        """Look near and far."""
        both = torch.cat([self.local(x), self.wide(x)], dim=1)
        y: Tensor = self.leave(F.relu(self.mix(both)))
        return y


class Dilated(nn.Module):
    """A residual block of pixels that are `step` apart."""

    def __init__(self, width: int, step: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=step, dilation=step)
        self.mix = Pointwise(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to (batch, width, y, x)."""
        y: Tensor = x + self.mix(F.relu(self.conv(x)))
        return y
