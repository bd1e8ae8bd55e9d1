"""Complex images in two real parts, which are denoised apart once their smooth phase is off."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from kspace_denoise.phase import smooth_phase
from kspace_denoise.stages import Numpy


def denoise_apart(images: Tensor, phase: Tensor, denoise: Callable[[Tensor], Tensor]) -> Tensor:
    """Take `phase` off complex images `(images, y, x)`, denoise their parts, and put it back.

    `denoise` takes and returns parts `(images, 2, y, x)`.
    """
    return to_image(denoise(to_parts(images * phase.conj()))) * phase


def denoise_each(images: Numpy, phase_width: float, denoise: Callable[[Numpy], Numpy]) -> Numpy:
    """Denoise images `(images, y, x)` by a function of one image `(y, x)`.

    Real and imaginary part of a complex image, without its smooth phase, are an image each; with
    `phase_width` 0 the complex image is one.
    """
    if not (np.iscomplexobj(images) and phase_width):
        return np.stack([denoise(image) for image in images])

    def all_parts(parts: Tensor) -> Tensor:
        clean = [denoise(part) for part in parts.flatten(0, 1).numpy()]
        return torch.from_numpy(np.stack(clean)).view(parts.shape)

    noisy = torch.from_numpy(images)
    return np.asarray(denoise_apart(noisy, smooth_phase(noisy, phase_width), all_parts).numpy())


def to_parts(images: Tensor) -> Tensor:
    """Return complex images `(images, y, x)` as `(images, 2, y, x)`."""
    return torch.stack([images.real, images.imag], dim=1)


def to_image(parts: Tensor) -> Tensor:
    """Return `(images, 2, y, x)` as complex images `(images, y, x)`."""
    return torch.complex(parts[:, 0], parts[:, 1])
