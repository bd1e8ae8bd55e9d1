"""The layers of the U-Net: residual blocks, attention, changes of resolution."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Layer(nn.Module):
    """One residual block, followed by self-attention where `heads` is not 0.

    `features` is the width of the noise level's embedding, 0 where the block is not told the level.
    `level_attention` lets the attention see it too.
    """

    def __init__(
        self, width: int, out: int, features: int, heads: int, level_attention: bool = True
    ) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(8, width, eps=1e-6)
        self.conv1 = nn.Conv2d(width, out, 3, padding=1)
        self.project = nn.Linear(features, 2 * out) if features else None
        self.norm2 = nn.GroupNorm(8, out, eps=1e-6)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.skip = Pointwise(width, out, 1) if width != out else nn.Identity()
        told = features if level_attention else 0
        self.attention = Attention(out, told, heads) if heads else None

    def forward(self, x: Tensor, features: Tensor | None) -> Tensor:
        """Apply the block to (batch, width, y, x) with level features (batch, features)."""
        h = self.norm2(self.conv1(F.silu(self.norm1(x))))
        if self.project is not None:
            scale, shift = self.project(features)[:, :, None, None].chunk(2, dim=1)
            h = torch.addcmul(shift, h, 1 + scale)
        y: Tensor = self.skip(x) + self.conv2(F.silu(h))
        return y if self.attention is None else self.attention(y, features)


class Pointwise(nn.Conv2d):
    """A 1x1 convolution as one matrix product: PyTorch's own is slow on one core."""

    def forward(self, x: Tensor) -> Tensor:
        """Mix the channels of (batch, width, y, x)."""
        mixed = F.linear(x.movedim(1, -1), self.weight.flatten(1), self.bias)
        return mixed.movedim(-1, 1)


class Depthwise(nn.Conv2d):
    """A 3x3 convolution of each channel with itself, of pixels `dilation` apart.

    On a CPU the pixels that see one another are brought together first: PyTorch's own dilated
    gradient is some four times slower.
    """

    def __init__(self, width: int, dilation: int = 1, bias: bool = True) -> None:
        super().__init__(
            width, width, 3, padding=dilation, dilation=dilation, groups=width, bias=bias
        )

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (batch, width, y, x)."""
        step = self.dilation[0]
        if step == 1 or x.device.type != "cpu":
            return super().forward(x)
        batch, width, height, breadth = x.shape
        rows, columns = -(-height // step), -(-breadth // step)
        whole = F.pad(x, (0, columns * step - breadth, 0, rows * step - height))
        apart = whole.movedim(1, -1).reshape(batch, rows, step, columns, step, width)
        grids = apart.permute(0, 2, 4, 1, 3, 5).reshape(-1, rows, columns, width)
        mixed = F.conv2d(grids.movedim(-1, 1), self.weight, self.bias, padding=1, groups=width)
        apart = mixed.movedim(1, -1).reshape(batch, step, step, rows, columns, width)
        together = apart.permute(0, 3, 1, 4, 2, 5).reshape(batch, rows * step, -1, width)
        return together[:, :height, :breadth].movedim(-1, 1)


class Attends(nn.Module):
    """A layer with attention, which is fused unless it has to be differentiated twice."""

    differentiable_twice = False


class Attention(Attends):
    """Self-attention over pixels whose queries are biased by the noise level (NVC-MSA).

    The paper adds such a bias to queries, keys and values. On keys it adds the same number to all
    logits of a query and cancels in the softmax; on values it adds a number per channel
    that depends on the level alone, as the shifts of the residual blocks already do. Only the
    queries' bias does something new, so only that is here. With
    `features` 0 there is none: plain attention.
    """

    def __init__(self, width: int, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width)
        self.query_bias = nn.Linear(features, width) if features else None
        self.out = zeroed(nn.Linear(width, width))

    def forward(self, x: Tensor, features: Tensor | None) -> Tensor:
        """Apply attention to (batch, width, y, x)."""
        batch, width, height, breadth = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)
        query, key, value = self.qkv(tokens).chunk(3, dim=2)
        if self.query_bias is not None:
            query = query + self.query_bias(features)[:, None]
        per_head = [
            t.unflatten(2, (self.heads, width // self.heads)).transpose(1, 2)
            for t in (query, key, value)
        ]
        mixed = attend(*per_head, twice=self.differentiable_twice).transpose(1, 2).flatten(2)
        y: Tensor = x + self.out(mixed).transpose(1, 2).reshape(batch, width, height, breadth)
        return y


def attend(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None, *, twice: bool
) -> Tensor:
    """Return softmax(query · key / √width + bias) · value over the last two axes.

    Fused, unless it has to be differentiated `twice`.
    """
    if not twice:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    logits = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    return (logits if bias is None else logits + bias).softmax(dim=-1) @ value


def differentiate_twice(network: nn.Module) -> nn.Module:
    """Let a network be differentiated twice, as fused attention cannot be on a CPU; return it."""
    for module in network.modules():
        if isinstance(module, Attends):
            module.differentiable_twice = True
    return network


class Downsample(nn.Module):
    """Halve the resolution with a strided convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x: Tensor, _features: Tensor | None) -> Tensor:
        """Map (batch, width, y, x) to half the size."""
        y: Tensor = self.conv(x)
        return y


class Upsample(nn.Module):
    """Double the resolution: nearest neighbour, then a convolution to the width of that level.

    Computed as one transposed convolution, whose 4x4 kernel is the 3x3 kernel summed over the
    pixels that repeat: the same numbers from 4/9 of the products.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, out, 3, padding=1)

    def forward(self, x: Tensor, _features: Tensor | None) -> Tensor:
        """Map (batch, width, y, x) to twice the size."""
        kernel = F.pad(self.conv.weight.flip(-2, -1).transpose(0, 1), (1, 1, 1, 1))
        kernel = kernel[..., 1:, :] + kernel[..., :-1, :]
        kernel = kernel[..., 1:] + kernel[..., :-1]
        return F.conv_transpose2d(x, kernel, self.conv.bias, stride=2, padding=1)


def zeroed(module: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """Start a layer at zero, so that each block begins as the identity."""
    nn.init.zeros_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module


def pad(x: Tensor, multiple: int, mode: str = "reflect") -> Tensor:
    """Continue the lower and right borders up to a multiple, by reflection or with zeros.

    Tiny images are replicated where reflection would need more than there is.
    """
    bottom, right = (-x.shape[-2]) % multiple, (-x.shape[-1]) % multiple
    if not (bottom or right):
        return x
    if mode == "zeros":
        return F.pad(x, (0, right, 0, bottom))
    tiny = bottom >= x.shape[-2] or right >= x.shape[-1]
    return F.pad(x, (0, right, 0, bottom), mode="replicate" if tiny else mode)
