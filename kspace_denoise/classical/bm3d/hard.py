"""The first stage of BM3D: hard thresholding of groups that are found in the noisy image."""

import math

from torch import Tensor

from kspace_denoise.classical.bm3d.blocks import take_blocks
from kspace_denoise.classical.bm3d.groups import Shrunk, collaborate, transformed
from kspace_denoise.classical.bm3d.matching import find_matches
from kspace_denoise.classical.bm3d.metric import noise_metric
from kspace_denoise.classical.bm3d.noise import GroupNoise
from kspace_denoise.classical.bm3d.profile import Profile
from kspace_denoise.classical.bm3d.transforms import block_transform, kaiser_window


def hard_threshold(
    noisy: Tensor, spectrum: Tensor | None, profile: Profile, *, joint: bool = False
) -> Tensor:
    """Return the first estimate of images `(images, parts, y, x)` whose noise has sigma = 1.

    `joint` keeps or drops a coefficient of both parts together, by its magnitude: the estimate
    then turns with the phase of the image. Else every part is thresholded by itself.
    """
    size, radius = profile.block, profile.radius
    transform = block_transform(profile.transform, size, noisy)
    blocks = take_blocks(noisy, size)
    parts = blocks.shape[-2]
    metric = noise_metric(blocks, spectrum, radius)
    matches = find_matches(
        metric.features,
        step=profile.step,
        radius=radius,
        most=profile.hard_group,
        limit=profile.hard_match * metric.noise,
        penalty=metric.penalty,
    )
    blocks = blocks @ transform.forward
    rows = blocks.flatten(0, 2).flatten(-2)
    noise = GroupNoise(transform, spectrum, size, radius)
    squared = _joint_threshold(profile.threshold) ** 2 if joint else profile.threshold**2

    def shrink(along: Tensor, places: Tensor) -> Shrunk:
        group = transformed(rows, along, places, parts)
        variance = noise.variance(along, places)
        energy = group.square().sum(-2, keepdim=True) if joint else group.square()
        kept = (energy > squared * variance).to(group.dtype)
        left = (kept * variance).sum((1, 3))
        return Shrunk(group.mul_(kept), left.expand(-1, parts))

    window = kaiser_window(size, profile.kaiser, noisy)
    return collaborate(matches, blocks, shrink, transform, window)


def _joint_threshold(threshold: float) -> float:
    """Return the threshold of a magnitude that noise exceeds as often as a real part does its."""
    return math.sqrt(-2 * math.log(math.erfc(threshold / math.sqrt(2))))
