"""JSENSE: coil maps and image estimated together, for a centre of few fully sampled lines."""

import numpy as np

from kspace_denoise.arrays import Array, like, namespace, to_numpy, to_torch
from kspace_denoise.recon.checks import check_kspace
from kspace_denoise.recon.coil_calibration import image_energy
from kspace_denoise.recon.phase_reference import in_common_phase
from kspace_denoise.recon.sense_operator import sampling_mask


def jsense(
    kspace: Array,
    mask: Array | None = None,
    *,
    calibration: int = 24,
    kernel: int = 8,
    regularisation: float = 0.01,
    iterations: int = 10,
    inner_iterations: int = 10,
) -> Array:
    """Estimate coil maps `(..., coils, y, x)` from k-space `(..., coils, ky, kx)` by JSENSE.

    Minimises |mask · (l * r) - y|² + λ (|l|² + |r|²) over the k-space l of the maps, `kernel`
    samples wide, and r of the image, * being convolution, in turns (Ying and Sheng, Magn. Reson.
    Med. 57:1196, 2007, with the truncated Fourier series of Uecker et al., 60:674, 2008), on the
    CPU by sigpy. It also uses undersampled lines beside the fully sampled ones, and so gives
    better maps than `espirit` where these are few, about as many as `kernel`; with no such lines
    it fails, and with 12 or more `espirit` is faster and nearer to the truth. Norm and phase of
    the maps are the same: norm 1 over the coils, phase relative to the principal virtual coil.
    One coil: the map is 1.

    Args:
        kspace: k-space, best whitened.
        mask: 1 where sampled, broadcastable to `(..., ky, kx)`; None takes the samples that are
            not zero in all coils.
        calibration: side of the central square of k-space that is used, in samples.
        kernel: side of the maps' k-space in samples; more follow maps that vary more.
        regularisation: λ, for k-space scaled to norm 1; without it undersampled data diverge.
        iterations: turns of maps and image.
        inner_iterations: conjugate gradients in each of them.

    Raises:
        TypeError: if the k-space is not complex.
        ValueError: if the k-space is malformed or holds NaN, the mask does not fit, nothing was
            sampled in the calibration region, or a size or count is out of its range.
    """
    check_kspace(kspace)
    coils, *grid = kspace.shape[-3:]
    if coils == 1:
        return namespace(kspace).ones_like(kspace)
    _check_sizes(kspace, calibration, kernel)
    if not regularisation > 0 or min(iterations, inner_iterations) < 1:
        raise ValueError(
            f"regularisation={regularisation}, iterations={iterations}, inner_iterations="
            f"{inner_iterations}: expected a regularisation above 0 and 1 iteration or more"
        )
    sampled = sampling_mask(mask, kspace)
    from sigpy.mri.app import JsenseRecon

    slices = to_numpy(kspace).reshape(-1, coils, *grid)
    masks = _masks(sampled, kspace)
    maps = []
    for one, weights in zip(slices, masks, strict=True):
        centre = _centre(one if weights is None else one * weights, calibration)
        if not np.any(centre):
            raise ValueError(f"no sample of the central {calibration} x {calibration} is nonzero")
        app = JsenseRecon(
            one,
            mps_ker_width=kernel,
            ksp_calib_width=calibration,
            lamda=regularisation,
            weights=weights,
            max_iter=iterations,
            max_inner_iter=inner_iterations,
            show_pbar=False,
        )
        maps.append(_in_phase(app.run(), centre))
    return like(np.stack(maps).reshape(kspace.shape), kspace, kspace.dtype)


def _masks(sampled: Array | None, kspace: Array) -> list[Array | None]:
    """Return the mask `(ky, kx)` of every slice, as numpy."""
    lead = kspace.shape[:-3]
    count = int(np.prod(lead))
    if sampled is None:
        return [None] * count
    full = np.broadcast_to(to_numpy(sampled), (*lead, *kspace.shape[-2:]))
    return list(full.reshape(count, *kspace.shape[-2:]))


def _centre(kspace: Array, size: int) -> Array:
    y, x = (n // 2 - size // 2 for n in kspace.shape[-2:])
    return kspace[..., y : y + size, x : x + size]


def _in_phase(maps: Array, centre: Array) -> Array:
    """Return the maps `(coils, y, x)` in the phase of one combination of coils."""
    energy = image_energy(to_torch(np.ascontiguousarray(centre)), maps.shape[1:])
    return to_numpy(in_common_phase(to_torch(maps), energy))


def _check_sizes(kspace: Array, calibration: int, kernel: int) -> None:
    side = min(kspace.shape[-2:])
    if not 1 <= kernel <= calibration <= side:
        raise ValueError(
            f"kernel {kernel} must be at least 1 and fit into the calibration region of "
            f"{calibration}, which must fit into k-space with a shorter side of {side}"
        )
