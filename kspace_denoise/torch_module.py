"""A trained denoiser as a module of torch."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from kspace_denoise.sigma import check_image, checked_sigma

if TYPE_CHECKING:
    from kspace_denoise.denoiser import Denoiser


class DenoiserModule(nn.Module):
    """A denoiser in somebody else's torch code: `module(image, sigma)`, gradients included.

    Tensors stay where they are; `module.to(device)` moves the network.

    Raises:
        ValueError: if the denoiser looks at other contrasts, or works on stabilised magnitudes or
            in the svd domain.
    """

    def __init__(self, denoiser: "Denoiser") -> None:
        super().__init__()
        if denoiser.needs_condition or denoiser.config.vst or denoiser.domain == "svd":
            raise ValueError(
                f"this denoiser ({denoiser.method}) needs more than an image and its noise (other "
                "contrasts, stabilised magnitudes, or the svd domain): call it itself"
            )
        self.network = denoiser.network.eval()
        self._denoiser = denoiser

    def forward(self, image: Tensor, sigma: Tensor | float) -> Tensor:
        """Denoise images `(..., y, x)`, with `sigma` as `Denoiser` takes it.

        Raises:
            ValueError, TypeError: if image and sigma are not what the denoiser takes.
        """
        check_image(image)
        checked_sigma(sigma.detach() if isinstance(sigma, Tensor) else sigma, image.shape)
        level = torch.as_tensor(sigma, dtype=image.real.dtype, device=image.device)
        inside = (level > 0).expand(image.shape)
        unit = torch.where(inside, image / torch.where(level > 0, level, 1), 0)
        clean = self._denoiser.in_unit(unit.reshape(-1, *image.shape[-2:]))
        return clean.reshape(image.shape) * level
