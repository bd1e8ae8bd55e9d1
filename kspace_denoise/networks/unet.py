"""The DDPM U-Net with noise-level conditioning, noise-conditioned attention and other contrasts.

Ho, Jain, Abbeel, NeurIPS 2020 (the U-Net); Tu et al., Corruption2Self, ICLR 2025 (attention whose
projections see the noise level, further contrasts).
"""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from kspace_denoise.networks.common import CommonConfig
from kspace_denoise.networks.embedding import NoiseEmbedding, TargetEmbedding
from kspace_denoise.networks.layers import Downsample, Layer, Pointwise, Upsample, pad, zeroed


@dataclasses.dataclass(frozen=True)
class UNetConfig(CommonConfig):
    """Shape of the U-Net.

    `base` channels times `multipliers`, one level each, halving the resolution between levels;
    `blocks` residual blocks per level; self-attention on the levels named in `attention`
    (0 is the finest). For an ablation `level_attention=False` makes attention plain.
    """

    architecture: ClassVar[str] = "unet"

    base: int = 16
    multipliers: tuple[int, ...] = (1, 2, 2, 4)
    blocks: int = 1
    attention: tuple[int, ...] = (3,)
    heads: int = 4
    level_attention: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.base % 8 or self.base < 8:
            raise ValueError(f"base is {self.base}, expected a multiple of 8 (group normalisation)")
        if self.base % self.heads:
            raise ValueError(f"base {self.base} is not a multiple of the {self.heads} heads")
        if any(not 0 <= level < len(self.multipliers) for level in self.attention):
            raise ValueError(
                f"attention levels {self.attention} do not exist: "
                f"the network has levels 0 to {len(self.multipliers) - 1}"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at each level."""
        return tuple(self.base * m for m in self.multipliers)

    @property
    def features(self) -> int:
        """Width of the embedding of the noise level, 0 for a network that is not told it."""
        return 4 * self.base if self.level_conditioning else 0

    def layer(self, width: int, out: int, level: int) -> Layer:
        """Return a residual block for a level, with attention where this level has it."""
        heads = self.heads if level in self.attention else 0
        return Layer(width, out, self.features, heads, self.level_attention)


class UNet(nn.Module):
    """`network(x, noise_level, condition, target) -> y`, real channels (batch, channels, y, x).

    Any size: reflected up to a multiple of the coarsest pixel, cropped on the way out. Each further
    contrast has an encoder of its own, whose features join those of the noisy image at every
    resolution, before they go to the bottom and across to the decoder.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        features, widths = config.features, config.widths
        self.embedding = NoiseEmbedding(features) if features else None
        self.enter, self.down, skips = _encoder(config)
        self.up = nn.ModuleList()
        width = skips[-1]
        self.middle = nn.ModuleList(
            [
                Layer(width, width, features, config.heads, config.level_attention),
                Layer(width, width, features, 0),
            ]
        )
        remaining = list(skips)
        for level, out in reversed(list(enumerate(widths))):
            for _ in range(config.blocks + 1):
                self.up.append(config.layer(width + remaining.pop(), out, level))
                width = out
            if level:
                self.up.append(Upsample(width, widths[level - 1]))
                width = widths[level - 1]
        self.leave = nn.Sequential(
            nn.GroupNorm(8, width, eps=1e-6),
            nn.SiLU(),
            zeroed(nn.Conv2d(width, config.channels, 3, padding=1)),
        )
        self.target = TargetEmbedding(features) if config.target_level else None
        self.others = nn.ModuleList(Encoder(config) for _ in range(config.contrasts))
        self.fuse = nn.ModuleList(
            Pointwise(config.contrasts * width, width, 1)
            for width in (skips if config.contrasts else ())
        )

    def forward(
        self,
        x: Tensor,
        noise_level: Tensor,
        condition: Tensor | None = None,
        target: Tensor | None = None,
    ) -> Tensor:
        """Map (batch, channels, y, x) at noise levels (batch,) to the same shape.

        `condition` (batch, contrasts * channels, y, x) holds the other contrasts one after the
        other; `target` (batch,) is the noise level to leave in, as a share of `noise_level`.
        """
        height, width = x.shape[-2:]
        features = None if self.embedding is None else self.embedding(noise_level)
        if self.target is not None and target is not None:
            features = features + self.target(target)
        skips = _encode(self.enter, self.down, self._prepare(x), features)
        if condition is not None:
            skips = self._fuse(skips, condition, features)
        x = skips[-1]
        for module in self.middle:
            x = module(x, features)
        for module in self.up:
            if isinstance(module, Layer):
                x = torch.cat([x, skips.pop()], dim=1)
            x = module(x, features)
        y: Tensor = self.leave(x)
        return y[..., :height, :width]

    def _fuse(
        self, skips: list[Tensor], condition: Tensor, features: Tensor | None
    ) -> list[Tensor]:
        """Add what the other contrasts say to the features, resolution by resolution."""
        images = torch.split(condition, self.config.channels, dim=1)
        others = [
            encoder(self._prepare(image), features)
            for encoder, image in zip(self.others, images, strict=True)
        ]
        return [
            skip + fuse(torch.cat(level, dim=1))
            for skip, fuse, *level in zip(skips, self.fuse, *others, strict=True)
        ]

    def _prepare(self, x: Tensor) -> Tensor:
        coarsest = 2 ** (len(self.config.multipliers) - 1)
        return pad(x, coarsest).contiguous(memory_format=torch.channels_last)


class Encoder(nn.Module):
    """The descending half of the U-Net, for one further contrast."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.enter, self.down, _ = _encoder(config)

    def forward(self, x: Tensor, features: Tensor | None) -> list[Tensor]:
        """Return the features of (batch, channels, y, x) after every module, finest first."""
        return _encode(self.enter, self.down, x, features)


def _encoder(config: UNetConfig) -> tuple[nn.Conv2d, nn.ModuleList, list[int]]:
    """Build the descending half; beside it, the width after each of its modules."""
    widths = config.widths
    enter, down = nn.Conv2d(config.channels, widths[0], 3, padding=1), nn.ModuleList()
    skips = [widths[0]]
    for level, out in enumerate(widths):
        for _ in range(config.blocks):
            down.append(config.layer(skips[-1], out, level))
            skips.append(out)
        if level < len(widths) - 1:
            down.append(Downsample(out))
            skips.append(out)
    return enter, down, skips


def _encode(
    enter: nn.Conv2d, down: nn.ModuleList, x: Tensor, features: Tensor | None
) -> list[Tensor]:
    skips: list[Tensor] = [enter(x)]
    for module in down:
        skips.append(module(skips[-1], features))
    return skips
