"""The second stage of BM3D: a Wiener filter of groups, with the first estimate for the signal."""

from torch import Tensor

from kspace_denoise.classical.bm3d.blocks import take_blocks
from kspace_denoise.classical.bm3d.groups import Shrunk, collaborate, transformed
from kspace_denoise.classical.bm3d.matching import find_matches
from kspace_denoise.classical.bm3d.noise import GroupNoise
from kspace_denoise.classical.bm3d.profile import Profile
from kspace_denoise.classical.bm3d.transforms import block_transform, kaiser_window


def wiener_filter(
    noisy: Tensor, pilot: Tensor, spectrum: Tensor | None, profile: Profile
) -> Tensor:
    """Return the second estimate of images `(images, parts, y, x)` whose noise has sigma = 1.

    `pilot` is the first estimate: matches are found in it, and it tells the power of the signal in
    every coefficient of every part.
    """
    size, radius = profile.block, profile.radius
    transform = block_transform("dct", size, noisy)
    blocks = take_blocks(noisy, size) @ transform.forward
    pilots = take_blocks(pilot, size) @ transform.forward
    parts, pixels = blocks.shape[-2:]
    matches = find_matches(
        pilots.flatten(-2),
        step=profile.step,
        radius=radius,
        most=profile.wiener_group,
        limit=profile.wiener_match * parts * pixels,
    )
    rows, known = (b.flatten(0, 2).flatten(-2) for b in (blocks, pilots))
    noise = GroupNoise(transform, spectrum, size, radius)

    def shrink(along: Tensor, places: Tensor) -> Shrunk:
        signal = transformed(known, along, places, parts).square_()
        variance = noise.variance(along, places)
        gain = signal / (signal + variance)
        group = transformed(rows, along, places, parts)
        left = (gain.square() * variance).sum((1, 3))
        return Shrunk(group.mul_(gain), left)

    window = kaiser_window(size, profile.kaiser, noisy)
    return collaborate(matches, blocks, shrink, transform, window)
