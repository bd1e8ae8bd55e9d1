"""Methods for diffusion scans that need no training, by name."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from kspace_denoise.classical import mppca, patch2self
from kspace_denoise.dmri.prepare import check_dwi
from kspace_denoise.dmri.shells import B0
from kspace_denoise.scan import Images


def with_mppca(images: Images) -> Images:
    """Return a scan denoised by MPPCA, all volumes together.

    Raises:
        ValueError: as `mppca`.
    """
    return dataclasses.replace(images, data=mppca(images.data).image, sigma=None)


def with_patch2self(images: Images) -> Images:
    """Return a scan of magnitudes denoised by Patch2Self: volumes of b = 0 apart from the others.

    A single volume of b = 0 comes out as it is.

    Raises:
        TypeError, ValueError: as `check_dwi` and `patch2self`.
    """
    check_dwi(images)
    assert images.bval is not None
    clean = images.data.copy()
    for group in (images.bval < B0, images.bval >= B0):
        if np.count_nonzero(group) > 1:
            clean[group] = patch2self(images.data[group])
    return dataclasses.replace(images, data=clean, sigma=None)


VOLUME_METHODS: Mapping[str, Callable[[Images], Images]] = {
    "mppca": with_mppca,
    "patch2self": with_patch2self,
}
