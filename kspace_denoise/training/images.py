"""The noisy images that training draws from, and how a batch is cut from them."""

import dataclasses
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from kspace_denoise.objectives.batch import Batch
from kspace_denoise.symmetry import SYMMETRIES, rotate_phase, turn


def signal_scale(image: Tensor) -> Tensor:
    """Return the root mean square of each image (..., y, x), shape (...): its unit for a network.

    A positive scalar per image, noise included; 1 for an image that is zero everywhere.
    """
    power = image.abs().square().mean(dim=(-2, -1))
    return torch.where(power > 0, power, torch.ones_like(power)).sqrt()


@dataclasses.dataclass(frozen=True)
class NoisyImages:
    """Images in SNR units (sigma = 1 per real component), possibly of different sizes."""

    images: tuple[Tensor, ...]

    @classmethod
    def from_arrays(cls, arrays: Iterable[np.ndarray]) -> "NoisyImages":
        """Collect images (y, x), complex64 or float32, dropping blank ones.

        Raises:
            ValueError: if nothing is left, an image holds NaN or infinity, or complex and
                magnitude images are mixed.
        """
        arrays = list(arrays)
        images = tuple(torch.from_numpy(np.array(a)) for a in arrays if np.any(a))
        if not images:
            raise ValueError(f"nothing to train on: all of the {len(arrays)} images are zero")
        for index, image in enumerate(images):
            if not torch.isfinite(torch.view_as_real(image) if image.is_complex() else image).all():
                raise ValueError(f"training image {index} holds NaN or infinity: leave it out")
        if len({image.dtype for image in images}) > 1:
            raise ValueError(
                "complex and magnitude images are mixed: train one denoiser for each kind"
            )
        return cls(images)

    @property
    def channels(self) -> int:
        """2 for complex images, 1 for magnitudes."""
        return 2 if self.images[0].is_complex() else 1

    def draw(self, count: int, patch: int, generator: torch.Generator) -> Batch:
        """Draw `count` random square crops, flipped and turned at random, in units of their scale.

        The side is `patch`, or less where an image is smaller. A random phase turns complex crops:
        circular noise stays what it is.
        """
        chosen = [self.images[i] for i in _integers(len(self.images), count, generator)]
        side = min(patch, *(min(image.shape) for image in chosen))
        numbers = _integers(SYMMETRIES, count, generator)
        crops = torch.stack(
            [
                turn(_crop(image, side, generator), number)
                for image, number in zip(chosen, numbers, strict=True)
            ]
        )
        sigma = 1 / torch.stack([signal_scale(image) for image in chosen])
        crops = crops * sigma[:, None, None]
        angle = 2 * torch.pi * torch.rand(count, generator=generator)
        return Batch(rotate_phase(crops, angle), sigma)


def _integers(below: int, count: int, generator: torch.Generator) -> list[int]:
    return [int(i) for i in torch.randint(below, (count,), generator=generator)]


def _crop(image: Tensor, side: int, generator: torch.Generator) -> Tensor:
    top = _integers(image.shape[0] - side + 1, 1, generator)[0]
    left = _integers(image.shape[1] - side + 1, 1, generator)[0]
    return image[top : top + side, left : left + side]
