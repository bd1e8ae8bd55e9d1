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
        if self.levels < 2:
            raise ValueError(f"levels is {self.levels}, expected 2 or more")

    @classmethod
    def published(cls, width: int = 32, channels: int = 1) -> "PlainUNetConfig":
        """Return the baseline of fastMRI: 7.76 million weights at width 32, 124 million at 128."""
        return cls(
            channels=channels, level_conditioning=False, phase_width=0.0, direct=True,
            width=width, levels=5,
        )  # fmt: skip


class PlainUNet(PlainNetwork):
    """Two convolutions on each level, means of 2 x 2 down, transposed convolutions up.

    Instance norms take a constant channel off again, so what the network is told of noise levels is
    added behind them.
    """

    config: PlainUNetConfig

    def __init__(self, config: PlainUNetConfig) -> None:
        super().__init__(config)
        widths = [config.width * 2**level for level in range(config.levels)]
        self.multiple = 2**config.levels  # the coarsest has 2 x 2 pixels: one has no variance
        self.told = told = int(config.level_conditioning) + int(config.target_level)
        before = [config.inputs, *widths[:-1]]
        self.encoders = nn.ModuleList(
            _Pair(a, b, told) for a, b in zip(before, widths, strict=True)
        )
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.ups = nn.ModuleList(_doubled(coarse, fine) for coarse, fine in pairs)
        self.decoders = nn.ModuleList(_Pair(2 * fine, fine, told) for _, fine in pairs)
        self.leave = self.last(widths[0], kernel=1)

    def body(self, x: Tensor) -> Tensor:
        """Go down, and up again."""
        levels = x[:, -self.told :, 0, 0] if self.told else None
        skips: list[Tensor] = []
        for encoder in self.encoders:
            x = encoder(F.avg_pool2d(x, 2) if skips else x, levels)
            skips.append(x)
        skips.pop()
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            x = decoder(torch.cat([up(x), skips.pop()], dim=1), levels)
        y: Tensor = self.leave(x)
        return y


class _Pair(nn.Module):
    """Two convolutions; the noise level is added behind each norm, which would take it off."""

    def __init__(self, width: int, out: int, told: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, out, 3, padding=1, bias=False) for inputs in (width, out)
        )
        self.norm = nn.InstanceNorm2d(out)
        self.told = nn.ModuleList(nn.Linear(told, out) for _ in range(2 if told else 0))

    def forward(self, x: Tensor, levels: Tensor | None) -> Tensor:
        for number, convolution in enumerate(self.convolutions):
            x = self.norm(convolution(x))
            if levels is not None:
                x = x + self.told[number](levels)[:, :, None, None]
            x = F.leaky_relu(x, 0.2)
        return x


def _doubled(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(width, out, 2, stride=2, bias=False), *_end(out))


def _end(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(width), nn.LeakyReLU(0.2)
