"""What the noise model says of every volume, slice by slice."""

import torch
from torch import Tensor, nn

from kspace_denoise.dmri.volumes import Volumes

_AT_ONCE = 8


def expected(network: nn.Module, volumes: Volumes, device: str = "cpu") -> Tensor:
    """Return Φ of the other volumes for every volume, `(volumes, slices, y, x)`; 0 where blank."""
    images, neighbours = volumes.images, volumes.neighbours
    slabs = [volumes.around(piece) for piece in range(images.shape[1])]
    told = torch.zeros_like(images)
    network.eval().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.no_grad():
        for volume, others in enumerate(neighbours):
            stack = images[others][:, slabs].movedim(1, 0)  # (slices, n, slab, y, x)
            for start in range(0, len(stack), _AT_ONCE):
                part = slice(start, start + _AT_ONCE)
                said = network(stack[part].to(device))
                told[volume, part] = said[:, volumes.slab // 2].cpu()
    return torch.where(images != 0, told, 0)
