"""PUCA: a U-Net that does not see a pixel, by patch-unshuffle (Jang et al., NeurIPS 2023)."""

import dataclasses
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from kspace_denoise.networks.blind import BlindConfig, BlindNetwork, Ring
from kspace_denoise.networks.layers import Pointwise
from kspace_denoise.networks.nafnet import Block
from kspace_denoise.networks.plain import check_halves


@dataclasses.dataclass(frozen=True)
class PUCAConfig(BlindConfig):
    """`width` channels on the finest level, twice as many on each coarser one.

    So many blocks on the levels of the encoder, between, and on those of the decoder, the coarsest
    first. `pooling` weighs channels by their mean over all pixels, as in the paper: that holds the
    pixel itself, so that the network leaks, some 1e-4 of its largest slope; without, it is strictly
    blind. The defaults fit a CPU; `published` is the paper's.
    """

    architecture: ClassVar[str] = "puca"

    width: int = 24
    encoder: tuple[int, ...] = (1, 1)
    middle: int = 1
    decoder: tuple[int, ...] = (1, 1)
    pooling: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_halves(self.encoder, self.decoder)

    @classmethod
    def published(cls, channels: int = 3) -> "PUCAConfig":
        """Return that of the paper: 128 channels and 18 blocks."""
        return cls(
            channels=channels, level_conditioning=False,
            width=128, encoder=(3, 4), middle=4, decoder=(4, 3), pooling=True,
        )  # fmt: skip


class PUCA(BlindNetwork):
    """Behind the frame all layers see pixels one step apart; so do those of coarser levels."""

    config: PUCAConfig

    def __init__(self, config: PUCAConfig) -> None:
        super().__init__(config)
        width = config.width
        self.enter = Ring(config.inputs, width, config.reach, config.reach + 1)
        self.step = step = self.enter.step
        self.multiple = step * 2 ** len(config.encoder)
        self.encoders, self.downs = nn.ModuleList(), nn.ModuleList()
        for count in config.encoder:
            self.encoders.append(_blocks(width, count, step, config.pooling))
            self.downs.append(Pointwise(4 * width, 2 * width, 1))
            width *= 2
        self.middle = _blocks(width, config.middle, step, config.pooling)
        self.ups, self.decoders = nn.ModuleList(), nn.ModuleList()
        for count in config.decoder:
            self.ups.append(Pointwise(width, 2 * width, 1))
            width //= 2
            self.decoders.append(_blocks(width, count, step, config.pooling))
        self.mix = Pointwise(width, width, 1)
        self.leave = self.last(width, kernel=1)

    def body(self, x: Tensor) -> Tensor:
        """Go down, and up again."""
        h, skips = self.enter(x), []
        for blocks, down in zip(self.encoders, self.downs, strict=True):
            h = blocks(h)
            skips.append(h)
            h = down(patch_unshuffle(h, self.step))
        h = self.middle(h)
        for up, blocks in zip(self.ups, self.decoders, strict=True):
            h = blocks(patch_shuffle(up(h), self.step) + skips.pop())
        y: Tensor = self.leave(F.leaky_relu(self.mix(h), 0.1))
        return y


def patch_unshuffle(x: Tensor, patch: int) -> Tensor:
    """Put every four neighbouring patches on top of each other: (batch, width, y, x) to 4 width.

    A pixel keeps its place inside the patch, so that what was a multiple of the patch away is so
    still.
    """
    batch, width, height, breadth = x.shape
    rows, columns = height // (2 * patch), breadth // (2 * patch)
    patches = x.reshape(batch, width, rows, 2, patch, columns, 2, patch)
    in_order = patches.permute(0, 1, 3, 6, 2, 4, 5, 7)
    return in_order.reshape(batch, 4 * width, height // 2, breadth // 2)


def patch_shuffle(x: Tensor, patch: int) -> Tensor:
    """Undo `patch_unshuffle`."""
    batch, width, height, breadth = x.shape
    rows, columns = height // patch, breadth // patch
    patches = x.reshape(batch, width // 4, 2, 2, rows, patch, columns, patch)
    in_order = patches.permute(0, 1, 4, 2, 5, 6, 3, 7)
    return in_order.reshape(batch, width // 4, 2 * height, 2 * breadth)


def _blocks(width: int, count: int, step: int, pooling: bool) -> nn.Sequential:
    blocks = (Block(width, dilation=step, start=1.0, attention=pooling) for _ in range(count))
    return nn.Sequential(*blocks)
