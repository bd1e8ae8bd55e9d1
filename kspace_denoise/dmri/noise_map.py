"""What MPPCA tells of a diffusion scan before any training: its noise and its phase."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from kspace_denoise.classical.mppca import MPPCAResult, mppca
from kspace_denoise.phase import smooth_phase
from kspace_denoise.scan import Images, Numpy

FEWEST = 10
"""Volumes: of fewer MPPCA's noise level scatters by more than some percent."""
_WIDTH = 3.0  # voxels
_PHASE = 1.5  # pixels, of the phase of volumes that MPPCA has denoised
_NOISY_PHASE = 3.0  # of those that it has not: narrower, the noise turns the phase to itself


def first_guess(images: Images) -> MPPCAResult | None:
    """Return what MPPCA makes of a scan, or None for fewer than ten volumes."""
    return mppca(images.data) if len(images.data) >= FEWEST else None


def noise_map(images: Images, guess: MPPCAResult | None) -> Numpy | None:
    """Return the standard deviation of the noise per real component, `(slices, y, x)`, or None.

    That of the images where they have one, of all their volumes; else MPPCA's, smoothed in the
    plane by a Gaussian of three voxels; None where there is neither. Where it is 0, as in blank
    voxels, it is set to its median.

    Raises:
        ValueError: if it is 0 everywhere.
    """
    if images.sigma is not None:
        squared = np.broadcast_to(np.asarray(images.sigma, np.float64) ** 2, images.data.shape)
        return _positive(np.sqrt(squared.mean(axis=0)))
    if guess is None:
        return None
    found = np.asarray(guess.sigma, np.float64)
    used = found > 0
    widths = (0, _WIDTH, _WIDTH)
    share = gaussian_filter(used.astype(np.float64), widths)
    smooth = gaussian_filter(np.where(used, found, 0), widths)
    return _positive(np.where(used, smooth / np.maximum(share, 1e-12), 0))


def volume_phase(images: Images, guess: MPPCAResult | None) -> Tensor | None:
    """Return the smooth phase of every volume as a factor, `(volumes, slices, y, x)`, or None.

    Of what MPPCA has denoised: the phase of noisy volumes turns with their noise, which then has a
    mean other than 0. None for magnitudes.
    """
    if not np.iscomplexobj(images.data):
        return None
    seen, width = (images.data, _NOISY_PHASE) if guess is None else (guess.image, _PHASE)
    flat = torch.from_numpy(np.ascontiguousarray(seen)).to(torch.complex64).flatten(0, 1)
    return smooth_phase(flat, width).view(images.data.shape)


def _positive(sigma: Numpy) -> Numpy:
    """Return the map with its median where it is 0, as outside the coil maps."""
    there = sigma > 0
    if not there.any():
        raise ValueError("the noise is 0 everywhere: there is nothing to denoise")
    return np.asarray(np.where(there, sigma, np.median(sigma[there])))
