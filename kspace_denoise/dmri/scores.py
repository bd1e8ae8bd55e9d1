"""Scores of a denoised diffusion scan, with a truth and without one."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation, uniform_filter

from kspace_denoise.dmri.shells import B0
from kspace_denoise.dmri.tensor import TensorMaps
from kspace_denoise.scan import Images, Numpy

CALLOSUM = (0.6, 0.1)
"""Red of the colour FA at least, green and blue at most (Xiang et al., DDM2, section 4)."""
_CENTRE = 0.6  # of the brain's extent along x and y: where the callosum is looked for
_BOX = 5
_FAR = 10  # pixels between brain and background
_TINY = 1e-30
_FREE = 0.02  # of the noise: what a fit leaves must be more to tell it


class FAError(NamedTuple):
    """Of FA against a truth, over the voxels of a mask."""

    rms: float
    bias: float
    spread: float
    """Standard deviation of the error around the bias."""


def fa_error(fa: Numpy, truth: Numpy, mask: Numpy) -> FAError:
    """Return how far FA is from the truth: rms² = bias² + spread²."""
    error = (fa - truth)[mask]
    return FAError(float(np.sqrt(np.mean(error**2))), float(error.mean()), float(error.std()))


def corpus_callosum(tensors: TensorMaps, mask: Numpy) -> Numpy:
    """Return the voxels `(slices, y, x)` of the callosum: left-right fibres in the middle.

    Colour FA of red in 0.6 to 1, green and blue below 0.1, in the central box of the mask.
    """
    red, others = CALLOSUM
    colour = tensors.colour
    found = (colour[..., 0] > red) & (colour[..., 1:] < others).all(axis=-1) & mask
    box = np.zeros_like(mask)
    sides = [slice(None)]
    for axis in (1, 2):
        inside = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        low, high = inside[0], inside[-1] + 1
        cut = round((1 - _CENTRE) / 2 * (high - low))
        sides.append(slice(int(low) + cut, int(high) - cut))
    box[tuple(sides)] = True
    return np.asarray(found & box)


class Repeatability(NamedTuple):
    """Signal of the callosum over the noise that is left, of the volumes of b = 0 and of b > 0."""

    snr_b0: float | None
    """Over the scatter of the volumes of b = 0, which repeat; None for a single one."""
    snr: float | None
    """Of b > 0, over what a tensor does not explain; None where it explains all."""
    cnr: float | None
    """Likewise of the difference between the callosum and the rest of the mask."""
    noise_b0: float | None
    noise: float | None


def repeatability(
    images: Images, tensors: TensorMaps, callosum: Numpy, mask: Numpy
) -> Repeatability:
    """Return SNR and CNR without a truth or a background: noise by repeats and by the tensor fit.

    `tensors` are fitted to `images`. The scatter is that over the whole mask, whose voxels are
    many; what the fit leaves of b > 0 is corrected for the part that it follows. It tells how well
    volumes agree, not whether they are right: who blurs all of them alike agrees best.
    """
    assert images.bval is not None
    weighted, magnitude = images.bval >= B0, np.abs(images.data)
    repeats = magnitude[~weighted]
    noise_b0 = noise = None
    if len(repeats) > 1:
        noise_b0 = float(np.sqrt(repeats.var(axis=0, ddof=1)[mask].mean()))
    free = float(tensors.left_free[weighted].mean())
    if free > _FREE:
        left = (magnitude - tensors.signal)[weighted][:, mask]
        noise = float(np.sqrt((left**2).mean() / free))

    def over(signal: float, level: float | None) -> float | None:
        return signal / level if level and callosum.any() else None

    inside = _mean(magnitude[weighted], callosum)
    apart = abs(inside - _mean(magnitude[weighted], mask & ~callosum))
    return Repeatability(
        over(_mean(repeats, callosum), noise_b0), over(inside, noise), over(apart, noise),
        noise_b0, noise,
    )  # fmt: skip


def _mean(volumes: Numpy, mask: Numpy) -> float:
    return float(volumes[:, mask].mean()) if mask.any() else 0.0


class Contrast(NamedTuple):
    """Signal of the callosum over the noise of the background."""

    snr: float
    cnr: float


def over_background(volumes: Numpy, callosum: Numpy, mask: Numpy) -> Contrast:
    """Return SNR and CNR of magnitudes `(volumes, slices, y, x)` by the paper's rule.

    The mean over the callosum, over the standard deviation ten pixels and more away from the mask;
    for CNR the mean there is taken off. Means over slices that show the callosum, which are not
    scaled one by one. Who blanks the background is infinitely good (Xiang et al., DDM2, section 4).

    Raises:
        ValueError: if there is no callosum, or no background so far away.
    """
    found = []
    for piece in np.flatnonzero(callosum.any(axis=(1, 2))):
        far = ~binary_dilation(mask[piece], iterations=_FAR)
        if not far.any():
            raise ValueError(f"slice {piece} has no pixel {_FAR} pixels away from the mask")
        inside, outside = volumes[:, piece, callosum[piece]], volumes[:, piece, far]
        signal, noise = inside.mean(axis=1), np.maximum(outside.std(axis=1), _TINY)
        found.append([signal / noise, (signal - outside.mean(axis=1)) / noise])
    if not found:
        raise ValueError("the mask of the callosum is empty")
    both = np.mean(found, axis=(0, 2))
    return Contrast(float(both[0]), float(both[1]))


class Structure(NamedTuple):
    """Of what was taken away: 1 where it is white noise, independent from volume to volume."""

    shared: float
    """By the mean over n volumes: n times its variance over that of one; up to n for anatomy that
    is taken from all alike."""
    smooth: float
    """By sums over 5 × 5 voxels: their variance per voxel over that of one; up to 25 for
    anatomy, less than 1 where mostly fine noise was taken."""


def residual_structure(noisy: Numpy, denoised: Numpy, mask: Numpy) -> Structure:
    """Return how much of what was taken away from volumes `(n, slices, y, x)` is no noise.

    Of complex images the part in phase with the denoised one counts.
    """
    residual = ((noisy - denoised) * np.conj(np.sign(denoised))).real.astype(np.float64)
    inside = residual[:, mask]
    inside = inside - inside.mean(axis=1, keepdims=True)
    alone = inside.var()
    if alone == 0:
        return Structure(0.0, 0.0)
    within = np.zeros_like(residual)
    within[:, mask] = inside
    box = (1, _BOX, _BOX)
    voxels = uniform_filter(mask.astype(np.float64), box, mode="constant") * _BOX**2
    sums = np.stack([uniform_filter(one, box, mode="constant") for one in within]) * _BOX**2
    per_voxel = (sums[:, mask] ** 2).mean() / voxels[mask].mean()
    shared = len(inside) * inside.mean(axis=0).var() / alone
    return Structure(float(shared), float(per_voxel / alone))
