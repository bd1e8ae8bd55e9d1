"""The diffusion tensor of every voxel, fitted by dipy, and what is read from it."""

from typing import Any, NamedTuple

import numpy as np

from kspace_denoise.dmri.prepare import check_dwi
from kspace_denoise.dmri.shells import B0
from kspace_denoise.optional import optional
from kspace_denoise.scan import Images, Numpy

_FEWEST = 6


class TensorMaps(NamedTuple):
    """Each `(slices, y, x)`, 0 outside the mask; diffusivities in mm²/s where b is in s/mm²."""

    fa: Numpy
    """Fractional anisotropy."""
    md: Numpy
    """Mean diffusivity."""
    ad: Numpy
    """Diffusivity along the fibres."""
    rd: Numpy
    """Mean diffusivity across them."""
    direction: Numpy
    """Of the fibres, `(slices, y, x, 3)`, as the directions of the scan are."""
    signal: Numpy
    """What the tensors foretell of every volume, `(volumes, slices, y, x)`."""
    left_free: Numpy
    """The part of the noise of each volume that the fit leaves in it, as variance, `(volumes,)`."""

    @property
    def colour(self) -> Numpy:
        """FA in the colours of the direction, `(slices, y, x, 3)` from 0 to 1."""
        return np.asarray(np.clip(np.abs(self.direction) * self.fa[..., None], 0, 1))


def fit_tensor(images: Images, mask: Numpy, directions: Numpy | None = None) -> TensorMaps:
    """Fit a tensor to the magnitudes of the voxels of a mask `(slices, y, x)`.

    By weighted least squares. `directions` are the numbers of the volumes to use; None: all.

    Raises:
        ModuleNotFoundError: if dipy is missing (extra `dmri`).
        ValueError: if the scan has no b = 0 or fewer than six other volumes, or as `check_dwi`.
    """
    check_dwi(images)
    assert images.bval is not None
    assert images.bvec is not None
    chosen = np.arange(len(images.bval)) if directions is None else np.asarray(directions)
    bval, bvec = images.bval[chosen], images.bvec[chosen]
    weighted = int((bval >= B0).sum())
    if weighted == len(bval) or weighted < _FEWEST:
        raise ValueError(
            f"of {len(bval)} volumes {weighted} have b > 0: a tensor needs one of b = 0 and "
            f"{_FEWEST} others"
        )
    gradients, dti = _dipy("core.gradients"), _dipy("reconst.dti")
    length = np.linalg.norm(bvec, axis=1, keepdims=True)
    unit = np.divide(bvec, length, out=np.zeros_like(bvec), where=length > 0)
    table = gradients.gradient_table(
        np.where(bval < B0, 0, bval), bvecs=np.where(bval[:, None] < B0, 0, unit), b0_threshold=B0
    )
    magnitude = np.moveaxis(np.abs(images.data[chosen]).astype(np.float64), 0, -1)
    model = dti.TensorModel(table, fit_method="WLS", return_S0_hat=True)
    fit = model.fit(magnitude, mask=mask)
    maps = {name: _finite(getattr(fit, name)) for name in ("fa", "md", "ad", "rd")}
    signal = np.zeros(images.data[chosen].shape)
    signal[:, mask] = fit.predict(table)[mask].T
    direction = _finite(fit.evecs[..., :, 0])
    left = 1 - _leverage(np.where(bval < B0, 0, bval), unit, magnitude[mask].mean(axis=0))
    return TensorMaps(**maps, direction=direction, signal=np.nan_to_num(signal), left_free=left)


def _leverage(bval: Numpy, unit: Numpy, signal: Numpy) -> Numpy:
    """Return how much of its own noise each volume's fitted value follows, from 0 to 1.

    Of least squares for the logarithm of S0 and the six entries of the tensor, weighted by the
    square of the signal, which is taken to be the mean of all voxels.
    """
    pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
    columns = [unit[:, i] * unit[:, j] * (1 + (i != j)) for i, j in pairs]
    design = np.column_stack([np.ones_like(bval), *(-bval * one for one in columns)])
    weighted = (design / np.abs(design).max(axis=0)) * signal[:, None]
    basis, sizes, _ = np.linalg.svd(weighted, full_matrices=False)
    return np.asarray((basis[:, sizes > 1e-10 * sizes[0]] ** 2).sum(axis=1))


def spread_directions(images: Images, count: int = _FEWEST) -> Numpy:
    """Return the numbers of all volumes of b = 0 and of `count` others, of directions far apart.

    From the first on, the next is that whose nearest chosen direction is farthest.

    Raises:
        ValueError: if there are fewer, or as `check_dwi`.
    """
    check_dwi(images)
    assert images.bval is not None
    assert images.bvec is not None
    weighted = np.flatnonzero(images.bval >= B0)
    if len(weighted) < count:
        raise ValueError(f"the scan has {len(weighted)} volumes of b > 0, fewer than {count}")
    alike = np.abs(images.bvec[weighted] @ images.bvec[weighted].T)
    chosen = [0]
    while len(chosen) < count:
        chosen.append(int(alike[:, chosen].max(axis=1).argmin()))
    return np.sort(np.concatenate([np.flatnonzero(images.bval < B0), weighted[chosen]]))


def _finite(values: Any) -> Numpy:
    return np.asarray(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0))


def _dipy(part: str) -> Any:
    return optional(f"dipy.{part}", "the tensor fit needs", "dmri")
