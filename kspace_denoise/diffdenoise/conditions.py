"""What networks say of whole images, and whether one is blind."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from kspace_denoise.networks import leak
from kspace_denoise.training.images import NoisyImages

_LEAK, _LEAK_SIDE = 0.01, 64
OfImage = Callable[[Tensor, Tensor], Tensor]
"""What becomes of images `(1, y, x)` of noise levels `(1,)`, both in the unit of training."""


def residual_scale(conditioned: NoisyImages) -> float:
    """Return the root mean square of image - condition over that of the image, over all images."""
    assert conditioned.pairs is not None
    shares = [
        float((image - told).abs().square().mean() / image.abs().square().mean())
        for image, told in zip(conditioned.images, conditioned.pairs, strict=True)
    ]
    return float((sum(shares) / len(shares)) ** 0.5)


def each(
    images: NoisyImages,
    of_image: OfImage,
    network: nn.Module,
    device: str,
    of: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, ...]:
    """Return what becomes of each image, or of what stands beside it, in the unit of the image."""
    network.eval().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = []
    with torch.no_grad():
        for image, scale in zip(of or images.images, images.facts.scale, strict=True):
            level = (1 / scale)[None].to(device)
            clean = of_image((image / scale)[None].to(device), level)
            found.append((clean[0] * scale.to(device)).cpu())
    return tuple(found)


def check_blind(network: nn.Module, channels: int, hole: int) -> None:
    """Refuse a condition network whose pixels follow themselves: what it tells holds their noise.

    Raises:
        ValueError: telling how much, if it is more than a hundredth of the largest slope.
    """
    exact = copy.deepcopy(network).double().cpu()
    shape = (1, channels, _LEAK_SIDE, _LEAK_SIDE)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    level = torch.ones(1, dtype=torch.float64)

    def told(x: Tensor) -> Tensor:
        if channels == 1:
            return torch.as_tensor(exact(x[:, 0], level))[:, None]
        image = torch.view_as_complex(x.movedim(1, -1).contiguous())
        return torch.view_as_real(exact(image, level)).movedim(-1, 1)

    found = leak(told, noise, hole, count=4)
    if found > _LEAK:
        raise ValueError(
            f"of the condition network a pixel follows itself by {found:.2g} of the largest slope, "
            f"expected {_LEAK:g} or less: it brings the noise back that the diffusion model is to "
            "take off; take another network"
        )
