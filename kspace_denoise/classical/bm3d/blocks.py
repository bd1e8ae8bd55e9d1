"""Images taken apart into all their blocks, and put together again."""

import torch
import torch.nn.functional as F
from torch import Tensor


def take_blocks(parts: Tensor, size: int) -> Tensor:
    """Return every block of images `(images, parts, y, x)`.

    Blocks `(images, rows, columns, parts, size²)` stand at their first row and column.
    """
    blocks = parts.unfold(-2, size, 1).unfold(-2, size, 1)
    return blocks.permute(0, 2, 3, 1, 4, 5).flatten(-2).contiguous()


def add_blocks(blocks: Tensor, size: int) -> Tensor:
    """Add blocks `(images, rows, columns, parts, size²)` up to images `(images, parts, y, x)`.

    The adjoint of `take_blocks`.
    """
    images, rows, columns, parts, pixels = blocks.shape
    lines = blocks.permute(0, 3, 4, 1, 2).reshape(images, parts * pixels, rows * columns)
    return F.fold(lines, (rows + size - 1, columns + size - 1), size)


def reference_grid(count: int, step: int, device: torch.device) -> Tensor:
    """Return every `step`-th of `count` positions, and the last."""
    grid = torch.arange(0, count, step, device=device)
    last = torch.tensor([count - 1], device=device)
    return grid if grid[-1] == count - 1 else torch.cat([grid, last])
