"""What methods share that hide pixels: values from around a pixel in its place."""

import torch
import torch.nn.functional as F
from torch import Tensor

_AROUND = torch.tensor([[0.5, 1.0, 0.5], [1.0, 0.0, 1.0], [0.5, 1.0, 0.5]]) / 6


def from_around(image: Tensor) -> Tensor:
    """Return for each pixel of images (batch, y, x) a weighted mean of its eight neighbours.

    Those at an edge weigh twice those at a corner; beyond the border the image is reflected. An
    image of one line or column is refused by name, as it has no such neighbours.
    """
    if min(image.shape[-2:]) < 2:
        raise ValueError(
            f"images are {tuple(image.shape[-2:])}, expected 2 pixels or more each way: a pixel is "
            "replaced by its neighbours"
        )
    real = torch.view_as_real(image).movedim(-1, 1) if image.is_complex() else image[:, None]
    channels = real.shape[1]
    kernel = _AROUND.to(real).expand(channels, 1, 3, 3)
    padded = F.pad(real, (1, 1, 1, 1), mode="reflect")
    mean = F.conv2d(padded, kernel, groups=channels)
    if image.is_complex():
        return torch.view_as_complex(mean.movedim(1, -1).contiguous())
    return mean[:, 0]
