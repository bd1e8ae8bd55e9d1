"""Coil maps from the calibration region of k-space: ESPIRiT with one or two sets of maps.

Uecker et al., Magn. Reson. Med. 71:990 (2014). Windows of k-space over all coils span a small
subspace. Projecting every window on it and putting the windows back (operator W of equation 7) is
one convolution, hence one coils x coils matrix per pixel, whose eigenvector of eigenvalue 1 holds
the sensitivities there. Where the object is folded over itself two eigenvalues are 1.
"""

import math
import warnings

import numpy as np

from kspace_denoise.arrays import Array, like, namespace, to_torch
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.recon.eigenmaps import EigenPair, dominant_pair, fourier_rows
from kspace_denoise.recon.phase_reference import phase_to, reference_coil

_FOLDED = 0.9  # of the first eigenvalue: a second one above it belongs to folded signal
_FOLDED_SHARE = 0.02  # of the energy of the image
_ALL_NOISE = 0.7  # mean eigenvalue above which noise passed for signal


def espirit(
    kspace: Array,
    calibration: int | tuple[int, int] = 24,
    sets: int = 1,
    *,
    kernel: int = 5,
    threshold: float = 0.01,
    sigma: float | None = None,
    crop: float = 0.0,
    second_crop: float = 0.85,
) -> Array:
    """Estimate coil maps `(..., coils, y, x)` from the centre of k-space `(..., coils, ky, kx)`.

    Every pixel's map has the norm 1 over the coils, and its phase relative to a combination of
    coils that is blind nowhere in the object, so maps and images are smooth and no single coil
    must see everything. One coil: the map is 1. Slices are calibrated one by one.

    A field of view smaller than the object folds it, and the folded pixels have two sensitivities.
    `sets=2` returns `(..., sets, coils, y, x)`: a second map, orthogonal to the first, where the
    second eigenvalue is nearly the first, and 0 elsewhere, as a second image that holds noise
    alone would cost SNR. `sets=1` warns where one set is not enough.

    A singular vector of the calibration matrix with singular value s has the weight
    1 - (cutoff/s)^2, or 0 below the cutoff. The cutoff is `threshold` times the largest s or, if
    higher, the largest s that noise alone reaches.

    Args:
        kspace: k-space, best whitened, with a fully sampled centre.
        calibration: size of that centre in samples, one number or (ky, kx).
        sets: number of sets of maps, 1 or 2.
        kernel: side of the k-space windows in samples.
        threshold: relative singular value below which nothing counts as signal.
        sigma: noise of the k-space per real component, 1 after `whiten`; None if unknown.
        crop: pixels whose eigenvalue is below it get zero maps. The default drops none, because
            a denoiser needs the background too; 0.8 to 0.95 keep the object only.
        second_crop: the second map of a pixel is zero if its eigenvalue is below this fraction of
            the first. Where nothing is folded, our scans exceed the default in 0.5 % of the object
            at most; lower values find more of what is folded, and more that is not.

    Warns:
        UserWarning: if sets is 1 and over 2 % of the image's energy lies where the second
            eigenvalue exceeds 0.9 of the first, unless noise of unknown sigma explains it.

    Raises:
        TypeError: if the k-space is not complex.
        ValueError: if the calibration region is smaller than the kernel, larger than the matrix
            or not fully sampled, if sets is neither 1 nor 2, or the k-space is malformed or holds
            NaN, or threshold or a crop is not from 0 to below 1.
    """
    check_kspace(kspace)
    _check_options(sets, threshold, crop, second_crop)
    coils, *grid = kspace.shape[-3:]
    if coils == 1 and crop == 0:
        return _uniform(kspace, sets)
    size = calibration if isinstance(calibration, tuple) else (calibration, calibration)
    centre = to_torch(calibration_region(kspace, size, kernel))
    xp = namespace(centre)
    maps, folded = [], 0.0
    for region in centre.reshape((-1, coils, *size)):
        weighted = _signal_projector(region, kernel, threshold, sigma)
        coefficients = _fourier_coefficients(weighted, coils, kernel).to(centre.dtype)
        pair = _pair_at_pixels(coefficients, (grid[0], grid[1]), sets)
        energy = image_energy(region, (grid[0], grid[1]))
        if sigma is not None or _mean_eigenvalue(weighted) < _ALL_NOISE:
            folded = max(folded, _folded_share(energy, pair))
        maps.append(_maps(pair, energy, sets, (crop, second_crop)))
    if sets == 1 and folded > _FOLDED_SHARE:
        _warn_folded(folded)
    lead, shape = kspace.shape[:-3], kspace.shape[-3:]
    shape = (*lead, *shape) if sets == 1 else (*lead, sets, *shape)
    return like(xp.stack(maps).reshape(shape), kspace)


def calibration_region(kspace: Array, size: tuple[int, ...], kernel: int) -> Array:
    """Return the central samples of k-space, checked to be there and sampled."""
    ky, kx = kspace.shape[-2:]
    if len(size) != 2:
        raise ValueError(f"calibration is {size}, expected one number or (ky, kx)")
    if not kernel <= min(size) or not (size[0] <= ky and size[1] <= kx) or kernel < 2:
        raise ValueError(
            f"calibration region {size} with kernel {kernel} does not fit k-space of {ky} x {kx}: "
            "the kernel (2 or more) must fit into the region and the region into the matrix"
        )
    y, x = ky // 2 - size[0] // 2, kx // 2 - size[1] // 2
    centre = kspace[..., y : y + size[0], x : x + size[1]]
    xp = namespace(kspace)
    empty = xp.all(centre == 0, axis=-3)
    if bool(xp.any(empty)):
        count = int(xp.sum(xp.astype(empty, xp.int64)))
        raise ValueError(
            f"{count} samples of the central {size[0]} x {size[1]} calibration region are zero in "
            "all coils, so not sampled; choose a smaller calibration region"
        )
    return centre


def noise_edge(sigma: float, windows: int, entries: int) -> float:
    """Return the largest singular value of `windows` x `entries` complex white noise.

    The Marchenko-Pastur edge sigma sqrt(2) (sqrt(windows) + sqrt(entries)). The entries of a
    calibration matrix repeat; measured on such matrices the edge still holds within 3 %.
    """
    return sigma * math.sqrt(2) * (math.sqrt(windows) + math.sqrt(entries))


def image_energy(centre: Array, grid: tuple[int, int]) -> Array:
    """Return the energy `(y, x)` of the low-resolution image of the centre `(coils, y, x)`."""
    rows = []
    for axis, size in zip((1, 2), grid, strict=True):
        lags = centre.shape[axis]
        taper = np.hanning(lags + 2)[1:-1]
        rows.append(like(fourier_rows(lags, size) * taper, centre, centre.dtype))
    energy: Array = sum((rows[0] @ coil @ rows[1].mT).abs() ** 2 for coil in centre)
    return energy


def _check_options(sets: int, threshold: float, crop: float, second_crop: float) -> None:
    if sets not in (1, 2):
        raise ValueError(f"sets is {sets}, expected 1 set of coil maps or 2")
    if not all(0 <= fraction < 1 for fraction in (threshold, crop, second_crop)):
        raise ValueError(
            f"threshold={threshold}, crop={crop}, second_crop={second_crop}: expected all of them "
            "from 0 to below 1"
        )


def _uniform(kspace: Array, sets: int) -> Array:
    """Return the maps of a single coil: 1, and no second set."""
    xp = namespace(kspace)
    ones = xp.ones_like(kspace)
    return ones if sets == 1 else xp.stack([ones, xp.zeros_like(kspace)], axis=-4)


def _signal_projector(centre: Array, kernel: int, threshold: float, sigma: float | None) -> Array:
    """Return the weighted projector on the subspace of the windows, in complex128."""
    xp = namespace(centre)
    windows = centre.to(xp.complex128).unfold(1, kernel, 1).unfold(2, kernel, 1)
    coils, rows, columns = windows.shape[:3]
    windows = windows.permute(0, 3, 4, 1, 2).reshape(coils * kernel**2, rows * columns)
    powers, vectors = xp.linalg.eigh(windows @ windows.mH)
    cutoff = threshold**2 * float(powers[-1])
    if sigma is not None:
        cutoff = max(cutoff, noise_edge(sigma, rows * columns, windows.shape[0]) ** 2)
    # The largest singular vector always counts: maps of pure noise are useless, but defined.
    cutoff = min(cutoff, 0.99 * float(powers[-1]))
    weights = xp.where(powers > cutoff, 1 - cutoff / xp.where(powers > cutoff, powers, 1.0), 0.0)
    return (vectors * weights) @ vectors.mH


def _fourier_coefficients(projector: Array, coils: int, kernel: int) -> Array:
    """Sum the projector over equal lags: `(2 kernel - 1, 2 kernel - 1, coils, coils)`."""
    blocks = projector.reshape(coils, kernel, kernel, coils, kernel, kernel)
    blocks = blocks.permute(1, 2, 4, 5, 0, 3).flip((2, 3))
    lags = 2 * kernel - 1
    summed = projector.new_zeros((lags, lags, coils, coils))
    for i in range(kernel):
        for j in range(kernel):
            summed[i : i + kernel, j : j + kernel] += blocks[i, j]
    return summed / kernel**2


def _pair_at_pixels(coefficients: Array, grid: tuple[int, int], sets: int) -> EigenPair:
    """Return the dominant eigenvectors; a single coil is given an empty second one."""
    coils = coefficients.shape[-1]
    if coils > 1:
        return dominant_pair(coefficients, grid, sets)
    padded = coefficients.new_zeros((*coefficients.shape[:2], 2, 2))
    padded[..., :1, :1] = coefficients
    pair = dominant_pair(padded, grid)
    return EigenPair(pair.values, pair.vectors[:, :1])


def _maps(pair: EigenPair, energy: Array, sets: int, crops: tuple[float, float]) -> Array:
    """Return the maps `(sets, coils, y, x)`, in a common phase."""
    xp = namespace(energy)
    values = pair.values[:sets].reshape(-1, *energy.shape)
    vectors = pair.vectors[:sets].reshape(len(values), -1, *energy.shape)
    virtual = reference_coil(vectors[0], energy)
    least = xp.stack([xp.full_like(values[0], crops[0]), crops[1] * values[0]])[:sets]
    kept = (values >= least) & (values[0] >= crops[0])
    return vectors * (phase_to(virtual, vectors) * kept)[:, None]


def _mean_eigenvalue(projector: Array) -> float:
    """Return the mean of all eigenvalues over the image."""
    return float(projector.trace().real / projector.shape[0])


def _folded_share(energy: Array, pair: EigenPair) -> float:
    """Return the share of the image's energy where the second eigenvalue is nearly the first."""
    folded = (pair.values[1] > _FOLDED * pair.values[0]).reshape(energy.shape)
    return float((energy * folded).sum() / energy.sum())


def _warn_folded(share: float) -> None:
    warnings.warn(
        f"two coil maps are needed where {share:.0%} of the image's energy lies: the field of view "
        "seems smaller than the object, which is folded over itself, or cut off if it was cropped; "
        "if folded, use espirit(..., sets=2)",
        UserWarning,
        stacklevel=3,
    )
