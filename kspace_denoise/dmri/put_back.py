"""Signal that a denoiser took for noise: what its residuals have in common across volumes."""

import torch
from torch import Tensor

from kspace_denoise.classical.mppca import mppca
from kspace_denoise.dmri.noise_map import FEWEST
from kspace_denoise.dmri.prepare import Prepared


def put_back(prepared: Prepared, clean: Tensor) -> Tensor:
    """Return clean images `(volumes, slices, y, x)` with the signal that is left in the residual.

    Noise has no components that stand out from patches of all volumes, so that those beyond the
    largest of noise are signal, as what single directions show. Of fewer than ten volumes, or where
    the noise is not known, nothing is put back.
    """
    noisy = prepared.volumes.images
    left = torch.where(noisy != 0, noisy - clean, 0)
    if prepared.level is None or len(left) < FEWEST or not left.any():
        return clean
    found: Tensor = mppca(left, sigma=prepared.level).image
    return clean + found
