"""What an objective is given: images with their noise level."""

import dataclasses

from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Batch:
    """Noisy images and their noise.

    `image` is (batch, y, x), complex64 or float32; `sigma` is (batch,): the standard deviation of
    each real component of the noise, in the image's unit.
    """

    image: Tensor
    sigma: Tensor
