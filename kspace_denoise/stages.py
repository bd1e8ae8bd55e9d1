"""The two places in the chain where a denoiser works, both in SNR units (sigma = 1).

`after-sense`: on the combined SENSE image, divided by its noise map.
`before-sense`: on every whitened coil image, before the coils are combined.
"""

from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from kspace_denoise import recon
from kspace_denoise.arrays import Array, namespace, to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon.noise import combine_coils
from kspace_denoise.scan import Images, Scan

Numpy: TypeAlias = np.ndarray[Any, Any]
Stage = Literal["before-sense", "after-sense"]
STAGES: tuple[str, ...] = get_args(Stage)
SLICES_FOR_NOISE = 16


class Slice(NamedTuple):
    """One slice on its way: whitened k-space and maps, and the SENSE image with its noise map.

    `kspace` and `coil_maps` `(coils, ky, kx)` are whitened (sigma = 1); `image` and `sigma`
    `(y, x)` are in the unit of the raw data, `sigma` per real component, None where it has no
    closed form. `image / sigma` is in SNR units.
    """

    kspace: Array
    mask: Array | None
    coil_maps: Array
    image: Array
    sigma: Array | None


def check_stage(stage: str) -> Stage:
    """Return the stage, or say which there are.

    Raises:
        ValueError: if there is no such stage.
    """
    if stage not in STAGES:
        raise ValueError(f"stage is {stage!r}, expected one of {', '.join(STAGES)}")
    return stage  # type: ignore[return-value]


def known_covariance(scan: Scan) -> Numpy:
    """Return the noise covariance stored with the scan, or measured in its k-space.

    Raises:
        recon.NoiseNotFound: if none is stored, and no part of k-space is noise alone.
    """
    if scan.noise_covariance is not None:
        return scan.noise_covariance
    count = len(scan.kspace)
    chosen = np.unique(np.linspace(0, count - 1, min(count, SLICES_FOR_NOISE)).astype(int))
    kspace = np.stack([scan.kspace[i] for i in chosen])
    mask = scan.mask
    if mask is not None and mask.ndim == 3 and len(mask) > 1:
        mask = mask[chosen]
    estimate = recon.estimate_noise(kspace, mask=mask, readout_axis=scan.readout_axis)
    return to_numpy(estimate.covariance)


def known_sigma(images: Images) -> float | Numpy:
    """Return the noise level stored with images.

    Raises:
        ValueError: if there is none.
    """
    if images.sigma is None:
        raise ValueError(
            "these images come without their noise level: give sigma, the standard deviation of "
            "each real component, in the unit of the images"
        )
    return images.sigma


def reconstruct_slice(
    kspace: Array,
    noise_covariance: Array,
    mask: Array | None = None,
    calibration: int = 24,
    **sense_options: Any,
) -> Slice:
    """Whiten one slice `(coils, ky, kx)`, estimate its coil maps and reconstruct it by SENSE.

    Maps are estimated in whitened data, where noise is seen best, and scaled so that they have
    norm 1 over the coils in the unit of the raw data: the image then has the intensities of the
    root sum of squares. `sense_options` go to `recon.sense`.
    """
    matrix = recon.whitening_matrix(noise_covariance)
    white = combine_coils(matrix, kspace)
    maps = recon.espirit(white, calibration, sigma=1.0)
    maps = maps / _norm(combine_coils(np.linalg.inv(matrix), maps))
    image, sigma = recon.sense(white, maps, mask, **sense_options)
    return Slice(white, mask, maps, image, sigma)


def in_snr_units(image: Array, sigma: Array | float) -> Numpy:
    """Divide an image by its noise map; 0 where the noise map is 0 (outside the coil maps)."""
    image, noise = to_numpy(image), np.asarray(to_numpy(sigma) if np.ndim(sigma) else sigma)
    inverse = np.divide(1.0, noise, out=np.zeros(noise.shape), where=noise > 0)
    return np.asarray(image * inverse.astype(np.float32))


def check_sampling(mask: Numpy | None, stage: Stage) -> None:
    """Refuse a sampling mask `(..., ky, kx)` with which a stage's noise would not be known.

    Raises:
        ValueError: before SENSE, if k-space is undersampled at all; after it, if the mask varies
            along both axes, as the noise map then has no closed form.
    """
    if mask is None or np.all(mask):
        return
    if stage == "before-sense":
        raise ValueError(
            "denoising before SENSE needs fully sampled k-space: the zero-filled coil images of an "
            "undersampled scan alias, and their noise is not white; use stage='after-sense'"
        )
    rows = np.atleast_2d(mask)
    if np.any(rows != rows[..., :1]) and np.any(rows != rows[..., :1, :]):
        raise ValueError(
            "the noise map of this scan has no closed form, as its sampling mask varies along both "
            "axes: denoising after SENSE needs a mask that is constant along one"
        )


def stage_images(piece: Slice, stage: Stage) -> Numpy:
    """Return the images `(n, y, x)` in SNR units that a denoiser of this stage works on."""
    if stage == "before-sense":
        return to_numpy(ifft2c(piece.kspace))
    return in_snr_units(piece.image, piece.sigma)[None]


def combine_denoised(piece: Slice, denoised: Numpy, stage: Stage) -> Numpy:
    """Turn the denoised images of a stage into the image `(y, x)`, in the unit of the raw data."""
    if stage == "after-sense":
        return np.asarray(denoised[0] * to_numpy(piece.sigma))
    return to_numpy(recon.sense(fft2c(denoised), to_numpy(piece.coil_maps)).image)


def _norm(maps: Array) -> Array:
    """Return the norm of maps `(coils, y, x)` over the coils, 1 where there are none."""
    xp = namespace(maps)
    norm = xp.sqrt(xp.sum(xp.abs(maps) ** 2, axis=-3, keepdims=True))
    return xp.where(norm > 0, norm, xp.ones_like(norm))
