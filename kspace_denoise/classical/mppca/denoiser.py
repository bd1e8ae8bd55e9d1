"""MPPCA: patches of all volumes as matrices, of which the components above the noise are kept.

Veraart, Novikov, Christiaens, Ades-aron, Sijbers, Fieremans, NeuroImage 142:394, 2016.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from kspace_denoise.arrays import Array, is_complex, like, to_torch
from kspace_denoise.classical.mppca.checks import checked
from kspace_denoise.classical.mppca.patches import Box, centred_patches, patch_voxels
from kspace_denoise.classical.mppca.spectrum import Law

_BYTES = 2**25  # of patches at once


class MPPCAResult(NamedTuple):
    """Denoised volumes and what was found of their noise, of the kind of what was given."""

    image: Array
    """`(volumes, slices, y, x)`, of the dtype of what was given."""
    sigma: Array
    """Standard deviation of the noise per real component, `(slices, y, x)`; 0 where blank."""
    components: Array
    """How many components around a voxel rise above the noise, on average, `(slices, y, x)`."""


def mppca(
    volumes: Array,
    patch: int | Box | None = None,
    stride: int | Box | None = None,
    *,
    sigma: float | None = None,
    paper: bool = False,
) -> MPPCAResult:
    """Denoise `(volumes, slices, y, x)`, real or complex, of white noise that need not be known.

    A patch is a matrix, its voxels by the volumes, of which the components that do not rise above
    the noise are dropped. Every voxel is the mean over the patches that hold it, each weighing
    1 / (1 + components) (Manjón et al., PLoS One 8:e73021, 2013).

    Blank voxels, 0 in all volumes, are left out and stay 0, and so are blank volumes. Noise has to
    be of mean 0: where magnitudes are of low SNR, give complex images, or stabilise them first.

    Args:
        volumes: at least two.
        patch: `(slices, y, x)`, or one number for a cube; None: the smallest odd cube of more
            voxels than volumes, and of 60, wider in the plane where slices are few.
        stride: from patch to patch, as `patch`; None: half a patch. 1 costs most.
        sigma: the standard deviation of the noise per real component, if it is known: components
            are then told from noise of that level, not of the level of what is left.
        paper: a patch around every voxel, of which the voxel alone is kept, and the paper's law,
            see `Law`; without `stride`.

    Raises:
        TypeError: if the volumes are neither real floating nor complex numbers.
        ValueError: if they do not have four axes, are fewer than two, not finite or all blank; if
            a patch is of one voxel, does not fit, or strides leave voxels out; if sigma is not
            positive, or given with paper.
    """
    grid, patch, stride = checked(volumes, patch, stride, sigma, paper)
    parts = 2 if is_complex(volumes) else 1
    known = None if sigma is None else parts * sigma**2
    data = to_torch(volumes).detach().flatten(1).T.contiguous()
    used = (data != 0).any(dim=1)
    if paper:
        indices, places = centred_patches(grid, patch)
        chosen = used.nonzero()[:, 0]
        places = places.to(data.device)[chosen]
    else:
        indices, places = patch_voxels(grid, patch, stride), None
        chosen = used[indices.to(data.device)].any(dim=1).nonzero()[:, 0]
    indices = indices.to(data.device)[chosen]
    sums = _Sums(data)
    at_once = max(1, _BYTES // (indices.shape[1] * data.shape[1] * data.element_size()))
    for start in range(0, len(indices), at_once):
        part = slice(start, start + at_once)
        clean, power, kept = _clean(
            data[indices[part]], used[indices[part]].sum(dim=1), paper, known
        )
        if places is None:
            sums.add(indices[part], clean, 1 / (1 + kept.to(power.dtype)), power, kept)
        else:
            own = clean.gather(1, places[part, None, None].expand(-1, 1, data.shape[1]))
            sums.add(chosen[part, None], own, torch.ones_like(power), power, kept)
    image, power, components = sums.means(used)
    image = image * (data != 0).any(dim=0)  # rounding leaves next to nothing in blank volumes
    found = (power / parts).sqrt()
    maps = (like(x.reshape(grid).contiguous(), volumes) for x in (found, components))
    return MPPCAResult(like(image.T.reshape(volumes.shape).contiguous(), volumes), *maps)


def _clean(
    patches: Tensor, voxels: Tensor, paper: bool, known: float | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return patches `(n, voxels, volumes)` without noise, its power and the components kept."""
    tall = patches.shape[1] >= patches.shape[2]
    volumes = (patches != 0).any(dim=1).sum(dim=1)
    gram = patches.mH @ patches if tall else patches @ patches.mH
    values, vectors = torch.linalg.eigh(gram)
    values, vectors = values.flip(-1), vectors.flip(-1)
    law = Law(voxels, volumes, paper, known)
    kept = law.signal_components(values)
    is_signal = torch.arange(values.shape[1], device=values.device) < kept[:, None]
    projection = (vectors * is_signal[:, None]) @ vectors.mH
    clean = patches @ projection if tall else projection @ patches
    return clean, law.noise_power(values, kept), kept


class _Sums:
    """What patches add up to in every voxel, and their weights."""

    def __init__(self, data: Tensor) -> None:
        self.image = torch.zeros_like(data)
        self.facts = torch.zeros((len(data), 3), dtype=data.real.dtype, device=data.device)

    def add(
        self, voxels: Tensor, clean: Tensor, weight: Tensor, power: Tensor, kept: Tensor
    ) -> None:
        """Add `clean` `(n, k, volumes)` to `voxels` `(n, k)`, and the facts of each patch."""
        flat = voxels.flatten()
        self.image.index_add_(0, flat, (weight[:, None, None] * clean).flatten(0, 1))
        facts = torch.stack([weight * power, weight * kept, weight], dim=-1)
        every = facts[:, None].expand(-1, voxels.shape[1], -1).flatten(0, 1)
        self.facts.index_add_(0, flat, every)

    def means(self, used: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the mean image, noise power and number of components; 0 where not used."""
        share = torch.where(used, 1 / self.facts[:, 2].clamp(min=1e-30), 0)
        return self.image * share[:, None], self.facts[:, 0] * share, self.facts[:, 1] * share
