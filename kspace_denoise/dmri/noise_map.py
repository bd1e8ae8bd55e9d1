"""The noise of a diffusion scan: given, or by MPPCA where there are volumes enough."""

import numpy as np
from scipy.ndimage import gaussian_filter

from kspace_denoise.classical.mppca import mppca
from kspace_denoise.scan import Images, Numpy

FEWEST = 10
"""Volumes: of fewer MPPCA's noise level scatters by more than some percent."""
_WIDTH = 3.0  # voxels


def noise_map(images: Images) -> Numpy | None:
    """Return the standard deviation of the noise per real component, `(slices, y, x)`, or None.

    That of the images where they have one, of all their volumes; else MPPCA's, smoothed in the
    plane by a Gaussian of three voxels; None for fewer than ten volumes. Where it is 0, as in blank
    voxels, it is set to its median.

    Raises:
        ValueError: if it is 0 everywhere.
    """
    if images.sigma is not None:
        squared = np.broadcast_to(np.asarray(images.sigma, np.float64) ** 2, images.data.shape)
        return _positive(np.sqrt(squared.mean(axis=0)))
    if len(images.data) < FEWEST:
        return None
    found = np.asarray(mppca(images.data).sigma, np.float64)
    used = found > 0
    widths = (0, _WIDTH, _WIDTH)
    share = gaussian_filter(used.astype(np.float64), widths)
    smooth = gaussian_filter(np.where(used, found, 0), widths)
    return _positive(np.where(used, smooth / np.maximum(share, 1e-12), 0))


def _positive(sigma: Numpy) -> Numpy:
    """Return the map with its median where it is 0, as outside the coil maps."""
    there = sigma > 0
    if not there.any():
        raise ValueError("the noise is 0 everywhere: there is nothing to denoise")
    return np.asarray(np.where(there, sigma, np.median(sigma[there])))
