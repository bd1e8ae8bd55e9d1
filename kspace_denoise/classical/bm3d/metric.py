"""In what units noisy blocks are compared: those of their noise."""

from typing import NamedTuple

from torch import Tensor

from kspace_denoise.classical.bm3d.noise import covariance_table
from kspace_denoise.classical.bm3d.transforms import block_transform

_LEAST = 0.3
"""Of sigma²: the noise of a coefficient counts for so much at least. Where there is none, the
signal of no two blocks is the same."""


class Metric(NamedTuple):
    """Features `(images, rows, columns, n)` of all blocks, and how to compare them.

    `penalty` `(2 radius + 1, 2 radius + 1)` is added to the squared distance of features, by the
    displacement of two blocks; None is 0. `noise` is the power of the noise in the features of a
    block, so that two blocks of pure noise are `2 noise` apart, penalty included.
    """

    features: Tensor
    penalty: Tensor | None
    noise: float


def noise_metric(blocks: Tensor, spectrum: Tensor | None, radius: int) -> Metric:
    """Return the metric of noisy blocks `(images, rows, columns, parts, pixels)`.

    Under white noise features are the pixels. Coloured noise is strong in some coefficients and
    weak in others, which then tell more of the signal: features are the coefficients of cosines
    over their noise. Blocks near each other share some of it and look more alike than they are; the
    penalty makes up for that.
    """
    parts, pixels = blocks.shape[-2:]
    if spectrum is None:
        return Metric(blocks.flatten(-2), None, float(parts * pixels))
    size = round(pixels**0.5)
    transform = block_transform("dct", size, blocks)
    table = covariance_table(transform.forward.T.reshape(-1, size, size), spectrum, radius)
    variance = table[len(table) // 2]
    weight = 1 / variance.clamp(min=_LEAST)
    features = (blocks @ (transform.forward * weight.sqrt())).flatten(-2)
    shared = 2 * parts * (table @ weight).view(2 * radius + 1, 2 * radius + 1)
    return Metric(features, shared, float(parts * (weight @ variance)))
