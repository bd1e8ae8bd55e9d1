"""A strictly blind network: one U-Net that sees a side of a pixel, for all four sides.

Laine, Karras, Lehtinen, Aila, High-quality self-supervised deep image denoising, NeurIPS 2019.
Their sides begin one pixel away; here they begin beyond the hole.
"""

import dataclasses
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kspace_denoise.networks.blind import BlindConfig, BlindNetwork
from kspace_denoise.networks.layers import Pointwise


@dataclasses.dataclass(frozen=True)
class HalfPlaneConfig(BlindConfig):
    """`width` channels on the finest of `levels` resolutions and on all coarser ones.

    The defaults fit a CPU; `published` is the paper's.
    """

    architecture: ClassVar[str] = "half-plane"

    width: int = 24
    levels: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.levels < 2:
            raise ValueError(f"levels is {self.levels}, expected 2 or more")

    @classmethod
    def published(cls, channels: int = 3) -> "HalfPlaneConfig":
        """Return that of the paper: 48 channels, and images halved five times."""
        return cls(channels=channels, level_conditioning=False, width=48, levels=6)


class HalfPlane(BlindNetwork):
    """The image is turned four ways; what each sees above a pixel is mixed pixel by pixel."""

    config: HalfPlaneConfig

    def __init__(self, config: HalfPlaneConfig) -> None:
        super().__init__(config)
        width = config.width
        self.multiple = 2 ** (config.levels - 1)
        self.above = Above(config.inputs, width, config.levels)
        self.mix = nn.Sequential(
            Pointwise(8 * width, 8 * width, 1), _ACTIVE, Pointwise(8 * width, 2 * width, 1), _ACTIVE
        )
        self.leave = self.last(2 * width, kernel=1)

    def body(self, x: Tensor) -> Tensor:
        """Look from four sides."""
        upright = self._beyond(torch.cat([x, x.rot90(2, _PLANE)]))
        sideways = self._beyond(torch.cat([x.rot90(1, _PLANE), x.rot90(3, _PLANE)]))
        seen = [*upright.chunk(2), *sideways.chunk(2)]
        sides = [side.rot90(turns, _PLANE) for side, turns in zip(seen, (0, 2, 3, 1), strict=True)]
        y: Tensor = self.leave(self.mix(torch.cat(sides, dim=1)))
        return y

    def _beyond(self, x: Tensor) -> Tensor:
        """Return what is seen above the hole."""
        return lowered(self.above(x), self.config.reach + 1)


class Above(nn.Module):
    """A U-Net that sees the row of a pixel and those above, nothing below."""

    def __init__(self, inputs: int, width: int, levels: int) -> None:
        super().__init__()
        self.enter = nn.Sequential(Upwards(inputs, width), _ACTIVE)
        self.encoders = nn.ModuleList(
            nn.Sequential(Upwards(width, width), _ACTIVE) for _ in range(levels)
        )
        wide = 2 * width
        into = [2 * width, *[wide + width] * (levels - 2)]
        self.decoders = nn.ModuleList(
            nn.Sequential(Upwards(n, wide), _ACTIVE, Upwards(wide, wide), _ACTIVE) for n in into
        )

    def forward(self, x: Tensor) -> Tensor:
        """Go down, and up again."""
        h: Tensor = self.enter(x)
        skips: list[Tensor] = []
        for encoder in self.encoders:
            if skips:  # of two rows the lower one must not be seen by the upper
                h = F.max_pool2d(lowered(h, 1), 2)
            h = encoder(h)
            skips.append(h)
        skips.pop()
        for decoder in self.decoders:
            h = decoder(torch.cat([F.interpolate(h, scale_factor=2), skips.pop()], dim=1))
        return h


class Upwards(nn.Conv2d):
    """A 3 x 3 convolution of a row and the two above it."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__(width, out, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (batch, width, y, x)."""
        return super().forward(F.pad(x, (1, 1, 2, 0)))


_PLANE = (2, 3)
_ACTIVE = nn.LeakyReLU(0.1)


def lowered(x: Tensor, rows: int) -> Tensor:
    """Return images moved down by some rows, zeros above."""
    return F.pad(x, (0, 0, rows, 0))[..., : x.shape[-2], :]
