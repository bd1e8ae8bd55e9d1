"""SwinIR: residual groups of shifted-window transformers (Liang et al., ICCV workshops 2021)."""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from kspace_denoise.networks.layers import Attends, attend
from kspace_denoise.networks.plain import PlainConfig, PlainNetwork


@dataclasses.dataclass(frozen=True)
class SwinIRConfig(PlainConfig):
    """Shape of SwinIR: groups of transformer layers, so many in each of `layers`.

    `width` channels, `heads` of attention in windows of `window` pixels, `expansion` of the
    feed-forward networks. The defaults fit a CPU; `published` is the paper's for denoising.
    """

    architecture: ClassVar[str] = "swinir"

    width: int = 32
    layers: tuple[int, ...] = (2, 2)
    heads: int = 4
    window: int = 8
    expansion: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of the {self.heads} heads")
        if self.window < 2 or self.window % 2:
            raise ValueError(f"window is {self.window}, expected an even number of pixels")

    @classmethod
    def published(cls, channels: int = 1) -> "SwinIRConfig":
        """Return the network of the paper: 11.50 million weights for grey images."""
        return cls(
            channels=channels, level_conditioning=False, phase_width=0.0, direct=True,
            residual=True, width=180, layers=(6,) * 6, heads=6,
        )  # fmt: skip


class SwinIR(PlainNetwork):
    """Every other layer shifts its windows by half, so that neighbours meet."""

    config: SwinIRConfig

    def __init__(self, config: SwinIRConfig) -> None:
        super().__init__(config)
        width = config.width
        self.multiple = config.window
        self.enter = nn.Conv2d(config.inputs, width, 3, padding=1)
        self.norm_in, self.norm_out = nn.LayerNorm(width), nn.LayerNorm(width)
        self.groups = nn.ModuleList(Group(config, count) for count in config.layers)
        self.after = nn.Conv2d(width, width, 3, padding=1)
        self.leave = self.last(width)

    def body(self, x: Tensor) -> Tensor:
        """Apply the groups to what the first convolution makes."""
        shallow = self.enter(x)
        masks = shifted_masks(x.shape[-2:], self.config.window, x.device)
        h = self.norm_in(shallow.movedim(1, -1))
        for group in self.groups:
            h = group(h, masks)
        y: Tensor = self.leave(shallow + self.after(self.norm_out(h).movedim(-1, 1)))
        return y


class Group(nn.Module):
    """Transformer layers and a convolution, residual; images are (batch, y, x, width) here."""

    def __init__(self, config: SwinIRConfig, count: int) -> None:
        super().__init__()
        shifts = [config.window // 2 * (number % 2) for number in range(count)]
        self.layers = nn.ModuleList(Layer(config, shift) for shift in shifts)
        self.conv = nn.Conv2d(config.width, config.width, 3, padding=1)

    def forward(self, x: Tensor, masks: Tensor) -> Tensor:
        """Apply the group; `masks` are those of shifted windows."""
        h = x
        for layer in self.layers:
            h = layer(h, masks)
        y: Tensor = x + self.conv(h.movedim(-1, 1)).movedim(1, -1)
        return y


class Layer(nn.Module):
    """Attention in windows, moved by `shift`, and a feed-forward network, both residual."""

    def __init__(self, config: SwinIRConfig, shift: int) -> None:
        super().__init__()
        width, hidden = config.width, int(config.expansion * config.width)
        self.window, self.shift = config.window, shift
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = WindowAttention(width, config.heads, config.window)
        self.forward_network = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width)
        )

    def forward(self, x: Tensor, masks: Tensor) -> Tensor:
        """Apply the layer to (batch, y, x, width)."""
        moved = self.norm1(x).roll((-self.shift, -self.shift), (1, 2))
        tokens = windows(moved, self.window)
        mixed = self.attention(tokens, masks if self.shift else None)
        x = x + images(mixed, x.shape, self.window).roll((self.shift, self.shift), (1, 2))
        y: Tensor = x + self.forward_network(self.norm2(x))
        return y


class WindowAttention(Attends):
    """Self-attention between the pixels of a window, with a learnt bias for each displacement."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.bias = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.bias, std=0.02)
        self.index: Tensor
        self.register_buffer("index", displacements(window), persistent=False)

    def forward(self, tokens: Tensor, masks: Tensor | None) -> Tensor:
        """Apply attention to (batch, windows, pixels, width)."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for part in self.qkv(tokens).chunk(3, dim=-1)
        )
        bias = self.bias[self.index].permute(2, 0, 1)
        if masks is not None:
            bias = bias + masks[:, None]
        bias = bias.to(query.dtype)
        mixed = attend(query, key, value, bias, twice=self.differentiable_twice)
        y: Tensor = self.out(mixed.transpose(-3, -2).flatten(-2))
        return y


def windows(x: Tensor, window: int) -> Tensor:
    """Cut (batch, y, x, width) into (batch, windows, pixels, width)."""
    batch, height, breadth, width = x.shape
    cut = x.reshape(batch, height // window, window, breadth // window, window, width)
    return cut.transpose(2, 3).reshape(batch, -1, window**2, width)


def images(tokens: Tensor, shape: torch.Size, window: int) -> Tensor:
    """Put windows together again as (batch, y, x, width)."""
    batch, height, breadth, width = shape
    cut = tokens.reshape(batch, height // window, breadth // window, window, window, width)
    return cut.transpose(2, 3).reshape(shape)


def displacements(window: int) -> Tensor:
    """Return the number of the displacement between any two pixels of a window."""
    places = torch.cartesian_prod(torch.arange(window), torch.arange(window))
    apart = places[:, None] - places + window - 1
    return apart[..., 0] * (2 * window - 1) + apart[..., 1]


def shifted_masks(shape: torch.Size, window: int, device: torch.device) -> Tensor:
    """Return what keeps pixels apart that only a shift has brought into one window.

    0 or -100 for each pair of pixels, (windows, pixels, pixels).
    """
    sides = []
    for length in shape:
        side = torch.zeros(length, device=device)
        side[length - window :] = 1
        side[length - window // 2 :] = 2
        sides.append(side)
    regions = 3 * sides[0][:, None] + sides[1]
    cut = windows(regions[None, ..., None], window)[0, ..., 0]
    return (cut[:, None] != cut[:, :, None]).float() * -100.0
