"""L1-wavelet reconstruction: SENSE whose image is sparse in orthogonal wavelets."""

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

from kspace_denoise.arrays import Array, namespace
from kspace_denoise.random import Seed, numpy_generator
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.recon.fista import fista, settled
from kspace_denoise.recon.regularised import Misfit, check_strength, solve_slices
from kspace_denoise.recon.wavelet import (
    WaveletTransform,
    default_levels,
    orthogonal_filters,
    padded_shape,
)

_DEFAULT_LAM = 1.5  # chosen on phantoms: docs/regularised.md


def l1_wavelet(
    kspace: Array,
    maps: Array,
    mask: Array | None = None,
    noise_covariance: Array | None = None,
    *,
    lam: float | None = None,
    wavelet: str = "db2",
    levels: int | None = None,
    iterations: int = 50,
    tolerance: float = 1e-4,
    random_shifts: bool = True,
    seed: Seed = 0,
) -> Array:
    """Reconstruct an image that is sparse in wavelets, from k-space `(..., coils, ky, kx)`.

    Minimises ½ |W (y - E x)|² + λ |Ψ r x|₁ over the sampled positions, with E, W and r as in
    `sense`: r x is the image in SNR units, so λ counts the sigma that a fully sampled image has
    per real component, whatever the unit of the data (Lustig et al., Magn. Reson. Med. 58:1182,
    2007). The solver is FISTA with step 1, which suffices as EᴴE ≤ 1 for maps of unit norm (Beck
    and Teboulle, SIAM J. Imaging Sci. 2:183, 2009).

    With `random_shifts` each iteration moves the grid of the wavelets at random over the image
    (Figueiredo and Nowak, IEEE Trans. Image Process. 12:906, 2003), and the image is the mean of
    the second half of the iterates: this takes the blocks out that a fixed grid leaves. Without,
    it is the minimiser, and iterations end once the image changes by less than `tolerance`.

    Args:
        kspace: k-space in any unit; values where the mask is 0 are ignored.
        maps: one set of coil maps `(..., coils, y, x)`; leading axes broadcast. Pixels where all
            maps are 0 get the image 0.
        mask: 1 where sampled, broadcastable to `(..., ky, kx)`; None means everywhere.
        noise_covariance: Psi[i, j] = E[n_i conj(n_j)] of the k-space, `(coils, coils)`. None takes
            the data as whitened already: Psi = 2 I.
        lam: λ. None takes 1.5 · sqrt(sampled share of k-space): the noise that Eᴴ brings into a
            wavelet coefficient has the standard deviation sqrt(share) per component.
        wavelet: an orthogonal wavelet by its name in PyWavelets, periodic over the edges.
        levels: of the wavelet transform; None leaves at least 8 samples along the shorter axis.
            Images that the levels do not halve evenly continue, unseen, into a margin.
        iterations: all of them with random shifts, else at most so many.
        tolerance: norm of an iteration's change over the norm of the image.
        random_shifts: whether the wavelets move.
        seed: of the shifts, which all slices share.

    Returns:
        The image `(..., y, x)` in the unit of `sense`; `noise_map` measures its noise.

    Raises:
        TypeError: if k-space or maps are not complex, or of different array kinds.
        ValueError: if shapes disagree, arrays hold NaN, the mask is empty or not 0 and 1, the
            covariance is not positive definite, the wavelet is not orthogonal, or another
            argument is out of its range.
    """
    check_kspace(kspace)
    check_strength(lam, iterations, tolerance)
    orthogonal_filters(wavelet)
    shape = (kspace.shape[-2], kspace.shape[-1])
    depth = _checked_levels(levels, shape)
    reach = 1 << depth if random_shifts else 1
    shifts = numpy_generator(seed).integers(0, reach, (iterations, 2)).tolist()

    def solve(misfit: Misfit) -> Array:
        psi = WaveletTransform(wavelet, depth, padded_shape(shape, depth), misfit.combined)
        strength = _DEFAULT_LAM * math.sqrt(misfit.share) if lam is None else lam

        def shrink(image: Array, iteration: int) -> Array:
            return _shrink(image, psi, strength, shifts[iteration])

        iterates = fista(misfit, psi.shape, shrink, iterations)
        image = (
            _mean_of_second_half(iterates, iterations)
            if random_shifts
            else settled(iterates, tolerance)
        )
        return image[: shape[0], : shape[1]]

    return solve_slices(kspace, maps, mask, noise_covariance, solve)


def soft_threshold(coefficients: Array, threshold: float) -> Array:
    """Shorten complex numbers by `threshold`, those that are shorter to 0."""
    length = coefficients.abs()
    tiny = namespace(length).finfo(length.dtype).tiny
    return coefficients * ((length - threshold).clamp(min=0) / length.clamp(min=tiny))


def _shrink(image: Array, psi: WaveletTransform, lam: float, shift: Any) -> Array:
    """Soft-threshold the wavelet coefficients of the image rolled by `shift`, and roll back."""
    dy, dx = shift
    rolled = image.roll((dy, dx), (0, 1))
    sparse = psi.inverse(soft_threshold(psi.forward(rolled), lam))
    return sparse.roll((-dy, -dx), (0, 1))


def _mean_of_second_half(iterates: Iterator[Array], count: int) -> Array:
    """Return the mean of the iterates from number count // 2 on; their shifts average out."""
    kept = islice(iterates, count // 2, None)
    total = next(kept).clone()
    for image in kept:
        total += image
    return total / (count - count // 2)


def _checked_levels(levels: int | None, shape: tuple[int, int]) -> int:
    if levels is None:
        return default_levels(shape)
    most = max(shape).bit_length() - 1
    if not 1 <= levels <= most:
        raise ValueError(f"levels is {levels}, expected 1 to {most} for an image of {shape}")
    return levels
