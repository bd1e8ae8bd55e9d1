"""The doorway between images and a network: the only place where complex becomes two channels."""

import torch
from torch import Tensor, nn

from kspace_denoise.networks.architectures import Network
from kspace_denoise.phase import smooth_phase


class Doorway(nn.Module):
    """Let a network of real channels estimate the clean image from a noisy one.

    Images (batch, y, x), complex or real, in a unit in which they are of order one; noise levels
    (batch,) in that unit, per real component. The network sees `x / √(1 + level²)`, of order one at
    every level, and supplies what the linear shrinkage `x / (1 + level²)` misses (the
    preconditioning of Karras et al., NeurIPS 2022, eq. 7, with σ_data = 1), so that an untrained
    network already shrinks, by the right amount where `x` is mostly signal. With `direct` its
    output is the image itself, of the same input.

    `condition` (batch, contrasts, y, x) holds the same slices in other contrasts, of order one and
    of the dtype of `x`; the network sees them as they are. `target` (batch,) is the noise level to
    leave in, from 0 to `noise_level`; the shrinkage is then `x (1 + target²) / (1 + level²)`.

    Raises:
        ValueError: if complex images meet a network of one channel, or magnitudes one of two; if
            the number of contrasts is not the network's; if a target level is given to a network
            that has no input for it.
    """

    def __init__(self, network: Network, channels: int) -> None:
        super().__init__()
        self.network = network
        self.channels = channels

    def forward(
        self,
        x: Tensor,
        noise_level: Tensor,
        condition: Tensor | None = None,
        target: Tensor | None = None,
    ) -> Tensor:
        """Estimate the clean image, of the shape and dtype of `x`."""
        self._check(x, condition, target)
        x, phase = self._without_phase(x)
        real = _channels(x[:, None])
        others = None if condition is None else _channels(self._all_without_phase(condition))
        level = noise_level[:, None, None, None]
        kept = torch.zeros_like(level) if target is None else target[:, None, None, None]
        scale = (1 + level**2).sqrt()
        share = None if target is None else target / noise_level
        clean = self.network(real / scale, noise_level, others, share)
        if not self.network.config.direct:
            power = (1 + kept**2) / (1 + level**2)
            clean = power * real + (power * (level**2 - kept**2).clamp(min=0)).sqrt() * clean
        if x.is_complex():
            return phase * torch.view_as_complex(clean.float().movedim(1, -1).contiguous())
        magnitude: Tensor = clean[:, 0]
        return magnitude

    def _without_phase(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return images (n, y, x) without their smooth phase, and that phase as a factor."""
        width = self.network.config.phase_width
        if not (images.is_complex() and width):
            return images, torch.ones((), device=images.device)
        with torch.autocast(images.device.type, enabled=False):
            phase = smooth_phase(images, width)
        return images * phase.conj(), phase

    def _all_without_phase(self, condition: Tensor) -> Tensor:
        flat, _ = self._without_phase(condition.flatten(0, 1))
        return flat.reshape(condition.shape)

    def _check(self, x: Tensor, condition: Tensor | None, target: Tensor | None) -> None:
        config = self.network.config
        if x.is_complex() != (self.channels == 2):
            trained = "complex images" if self.channels == 2 else "magnitude images"
            raise ValueError(
                f"got {_kind(x)} images, but this network works on {trained}: "
                "pass those, or train one for these"
            )
        given = 0 if condition is None else condition.shape[1]
        if given != config.contrasts:
            raise ValueError(
                f"got {given} other contrasts, but this network was built for {config.contrasts}: "
                "give as many, in the order of training, or train one for these"
            )
        if condition is not None and condition.is_complex() != x.is_complex():
            raise ValueError(
                f"the image is {_kind(x)} and the other contrasts are {_kind(condition)}: "
                "give all of them as one or the other"
            )
        if target is not None and not config.target_level:
            raise ValueError(
                "this network cannot be told how much noise to leave in: "
                "set target_level = true in [network] and train again"
            )


def _kind(x: Tensor) -> str:
    return "complex" if x.is_complex() else "magnitude"


def _channels(images: Tensor) -> Tensor:
    """Return (batch, images, y, x) as real channels: real and imaginary part of each image."""
    if not images.is_complex():
        return images
    return torch.view_as_real(images).movedim(-1, 2).flatten(1, 2)
