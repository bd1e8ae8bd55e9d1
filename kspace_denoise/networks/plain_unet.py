"""A plain U-Net, the fastMRI baseline (Zbontar et al., 2018; after Ronneberger et al., 2015)."""

import dataclasses
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kspace_denoise.networks.plain import PlainConfig, PlainNetwork


@dataclasses.dataclass(frozen=True)
class PlainUNetConfig(PlainConfig):
    """`width` channels on the finest of `levels` resolutions, twice as many on each coarser one.

    The defaults fit a CPU; `published` is the fastMRI baseline.
    """

    architecture: ClassVar[str] = "plain-unet"

    width: int = 16
    levels: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1 or self.levels < 2:
            raise ValueError(
                f"width is {self.width} and levels {self.levels}, expected at least 1 and 2"
            )

    @classmethod
    def published(cls, width: int = 32, channels: int = 1) -> "PlainUNetConfig":
        """Return the baseline of fastMRI: 7.76 million weights at width 32, 124 million at 128."""
        return cls(
            channels=channels, level_conditioning=False, phase_width=0.0, direct=True,
            width=width, levels=5,
        )  # fmt: skip


class PlainUNet(PlainNetwork):
    """Two convolutions on each level, means of 2 x 2 down, transposed convolutions up."""

    config: PlainUNetConfig

    def __init__(self, config: PlainUNetConfig) -> None:
        super().__init__(config)
        widths = [config.width * 2**level for level in range(config.levels)]
        self.multiple = 2 ** (config.levels - 1)
        before = [config.inputs, *widths[:-1]]
        self.encoders = nn.ModuleList(_pair(a, b) for a, b in zip(before, widths, strict=True))
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.ups = nn.ModuleList(_doubled(coarse, fine) for coarse, fine in pairs)
        self.decoders = nn.ModuleList(_pair(2 * fine, fine) for _, fine in pairs)
        self.leave = self.last(widths[0], kernel=1)

    def body(self, x: Tensor) -> Tensor:
        """Go down, and up again."""
        skips: list[Tensor] = []
        for encoder in self.encoders:
            x = encoder(F.avg_pool2d(x, 2) if skips else x)
            skips.append(x)
        skips.pop()
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            x = decoder(torch.cat([up(x), skips.pop()], dim=1))
        y: Tensor = self.leave(x)
        return y


def _pair(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, out, 3, padding=1, bias=False), *_end(out),
        nn.Conv2d(out, out, 3, padding=1, bias=False), *_end(out),
    )  # fmt: skip


def _doubled(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(width, out, 2, stride=2, bias=False), *_end(out))


def _end(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(width), nn.LeakyReLU(0.2)
