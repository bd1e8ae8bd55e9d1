"""How strong the signal of a scan is, from k-space that may be undersampled."""

import math
import warnings

from kspace_denoise.arrays import Array, namespace, to_torch
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.recon.sense_operator import sampling_mask

_LEAST = 0.5  # share of the noise's power, below which it is not white noise of sigma 1


def signal_rms(kspace: Array, mask: Array | None = None) -> float:
    """Return the root mean square of the image behind whitened k-space `(coils, ky, kx)`.

    Of the magnitude, over the whole field of view, of the image through coil maps of unit norm,
    without its noise: by Parseval's theorem the power of k-space, less two per coil and sample.
    Positions that were not sampled are taken to be as strong as the sampled ones at their distance
    from the centre. Never 0: at least the noise of a single sample counts as signal. A warning
    tells of k-space that is not whitened.

    Raises:
        TypeError: if the k-space is not complex.
        ValueError: if it is of several slices, or the mask does not fit.
    """
    check_kspace(kspace)
    if kspace.ndim != 3:
        raise ValueError(f"kspace has shape {tuple(kspace.shape)}, expected one slice")
    given = sampling_mask(mask, kspace)
    data = to_torch(kspace)
    xp = namespace(data)
    power = (data.abs().double() ** 2).sum(0) - 2 * len(data)
    sampled = xp.ones_like(power) if given is None else to_torch(given).double()
    sampled = xp.broadcast_to(sampled, power.shape)
    y, x = (xp.arange(n, device=data.device) - n // 2 for n in power.shape)
    ring = xp.sqrt((y[:, None] ** 2 + x**2).double()).round().long().flatten()
    of_ring = xp.bincount(ring, (power * sampled).flatten())
    share = xp.bincount(ring, sampled.flatten()) / xp.bincount(ring).clamp(min=1)
    kept = sampled.sum() * len(data)
    if 0 < float(((power + 2 * len(data)) * sampled).sum()) < _LEAST * 2 * float(kept):
        warnings.warn(
            "this k-space has less power than white noise of sigma 1 alone: whiten it first "
            "(recon.whiten), the signal is measured in that unit",
            UserWarning,
            stacklevel=2,
        )
    total = xp.where(share > 0, of_ring / xp.where(share > 0, share, 1.0), 0.0).sum()
    return math.sqrt(max(float(total), 2.0) / power.numel())


def component_rms(kspace: Array, maps: Array, mask: Array | None = None) -> float:
    """Return the root mean square per real component of the image through whitened maps.

    Near enough for the schedule of a sampler: as if the coils were everywhere as strong as in the
    root mean square over the pixels that they see.
    """
    strength = to_torch(maps).abs().square().sum(0)
    typical = strength[strength > 0].mean().sqrt()
    return signal_rms(kspace, mask) / math.sqrt(2) / float(typical)
