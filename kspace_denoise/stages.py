"""The two places in the chain where a denoiser works, both in SNR units (sigma = 1).

`after-sense`: on the combined SENSE image, divided by its noise map.
`before-sense`: on every whitened coil image, before the coils are combined.
"""

import dataclasses
import math
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from kspace_denoise import recon
from kspace_denoise.arrays import Array, namespace, to_numpy
from kspace_denoise.calibration import CALIBRATION, calibration_size
from kspace_denoise.crop import centre_crop
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon.noise import combine_coils
from kspace_denoise.scan import Images, Scan

Numpy: TypeAlias = np.ndarray[Any, Any]
Stage = Literal["before-sense", "after-sense"]
STAGES: tuple[str, ...] = get_args(Stage)
SLICES_FOR_NOISE = 16
BYTES_FOR_NOISE = 2**27
"""Of k-space that noise is measured in: at most so many slices, and bytes unless that is one."""


class KnownNoise(NamedTuple):
    """What is known of the noise of a scan.

    `covariance` is Psi[i, j] = E[n_i conj(n_j)], `(coils, coils)`, in the squared unit of the
    k-space; `profile` and `spectrum` are as in `Scan`, None where flat. `source` says where all
    this comes from.
    """

    covariance: Numpy
    profile: Numpy | None = None
    spectrum: Numpy | None = None
    source: str = "given"

    @property
    def sigma(self) -> float:
        """Standard deviation per real component of the median coil."""
        return float(np.sqrt(np.median(np.diag(self.covariance).real) / 2))


class Slice(NamedTuple):
    """One slice on its way: whitened k-space and maps, and the SENSE image with its noise map.

    `kspace` and `coil_maps` `(coils, ky, kx)` are whitened; `image` and `sigma` `(y, x)` are in
    the unit of the raw data, `sigma` per real component, None where it has no closed form.
    `image / sigma` is in SNR units. `coil_sigma` `(y, x)` is the noise of every whitened coil
    image of a fully sampled slice: 1, but for a noise profile, a spectrum and zero-filled lines.
    """

    kspace: Array
    mask: Array | None
    coil_maps: Array
    image: Array
    sigma: Array | None
    coil_sigma: Array


def check_stage(stage: str) -> Stage:
    """Return the stage, or say which there are.

    Raises:
        ValueError: if there is no such stage.
    """
    if stage not in STAGES:
        raise ValueError(f"stage is {stage!r}, expected one of {', '.join(STAGES)}")
    return stage  # type: ignore[return-value]


def known_noise(scan: Scan, noise_covariance: Numpy | None = None) -> KnownNoise:
    """Return the noise that is given, else stored with the scan, else measured in its k-space.

    A given covariance comes with the profile and the spectrum that the scan stores.

    Raises:
        recon.NoiseNotFound: if none is stored, and no part of k-space is noise alone.
    """
    profile, spectrum = scan.noise_profile, scan.noise_spectrum
    if noise_covariance is not None:
        return KnownNoise(noise_covariance, profile, spectrum)
    if scan.noise_covariance is not None:
        return KnownNoise(scan.noise_covariance, profile, spectrum, "stored in the file")
    found = _measured(scan)
    if profile is None and found.profile is not None:
        profile = to_numpy(found.profile)
    if spectrum is None and found.spectrum is not None:
        spectrum = to_numpy(found.spectrum)
    source = f"measured in k-space: {found.used}"
    return KnownNoise(to_numpy(found.covariance), profile, spectrum, source)


def shape_from_scan(scan: Scan, noise: KnownNoise) -> KnownNoise:
    """Return the noise with the profile and the spectrum that the scan itself shows, if any.

    A noise scan tells the covariance, but not what the receiver makes of the scan's own matrix.
    Where the scan shows no noise of its own, nothing changes.
    """
    if noise.profile is not None or noise.spectrum is not None:
        return noise
    try:
        found = _measured(scan)
    except recon.NoiseNotFound:
        return noise
    profile, spectrum = (
        None if x is None else to_numpy(x) for x in (found.profile, found.spectrum)
    )
    if profile is None and spectrum is None:
        return noise
    source = f"{noise.source}; how it varies from {found.used}"
    return KnownNoise(noise.covariance, profile, spectrum, source)


def _measured(scan: Scan) -> recon.NoiseEstimate:
    """Measure the noise in a few slices of the scan."""
    if scan.trajectory is not None:
        raise recon.NoiseNotFound(
            "its samples lie along a trajectory, and noise is looked for in Cartesian k-space only"
        )
    size = math.prod(scan.kspace.shape[1:]) * scan.kspace.dtype.itemsize
    most = min(SLICES_FOR_NOISE, max(1, BYTES_FOR_NOISE // size))
    chosen = spread_slices(len(scan.kspace), most)
    kspace = np.stack([scan.kspace[i] for i in chosen])
    mask = scan.mask
    if mask is not None and mask.ndim == 3 and len(mask) > 1:
        mask = mask[chosen]
    return recon.estimate_noise(kspace, mask=mask, readout_axis=scan.readout_axis)


def spread_slices(count: int, most: int = SLICES_FOR_NOISE) -> list[int]:
    """Return all slices of a short scan, of a long one a few that are evenly spread."""
    number = min(count, most)
    chosen = np.linspace(0, count - 1, number) if number > 1 else np.array([count // 2])
    return [int(index) for index in chosen]


def with_noise(scan: Scan, noise: KnownNoise) -> Scan:
    """Return the scan with this noise stored in it."""
    return dataclasses.replace(
        scan,
        noise_covariance=noise.covariance,
        noise_profile=noise.profile,
        noise_spectrum=noise.spectrum,
    )


def known_sigma(images: Images) -> float | Numpy:
    """Return the noise level stored with images.

    Raises:
        ValueError: if there is none.
    """
    if images.sigma is None:
        raise ValueError(
            "these images come without their noise level: give sigma, the standard deviation of "
            "each real component, in the unit of the images, or have it estimated "
            "(recon.estimate_sigma, --sigma estimate)"
        )
    return images.sigma


def reconstruct_slice(
    kspace: Array,
    noise: KnownNoise,
    mask: Array | None = None,
    calibration: int | tuple[int, int] | None = None,
    **sense_options: Any,
) -> Slice:
    """Whiten one slice `(coils, ky, kx)`, estimate its coil maps and reconstruct it by SENSE.

    See `whiten_slice`; `sense_options` go to `recon.sense`. The image has the intensities of the
    root sum of squares, in the unit of the raw data.
    """
    white, maps = whiten_slice(kspace, noise, mask, calibration)
    return sense_slice(white, maps, noise, mask, **sense_options)


def whiten_slice(
    kspace: Array,
    noise: KnownNoise,
    mask: Array | None = None,
    calibration: int | tuple[int, int] | None = None,
) -> tuple[Array, Array]:
    """Return a slice `(coils, ky, kx)` whitened, and its coil maps, whitened as well.

    Maps are estimated in whitened data, where noise is seen best, and scaled so that they have
    norm 1 over the coils in the unit of the raw data. `calibration` is the size of the centre that
    they come from; None takes what is fully sampled (see `calibration_size`).

    Raises:
        ValueError: if too little is fully sampled to estimate coil maps, or lines are missing that
            the mask says nothing of.
    """
    check_gaps(kspace, mask)
    matrix = recon.whitening_matrix(noise.covariance)
    white = combine_coils(matrix, kspace)
    size = calibration_size(kspace, mask) if calibration is None else calibration
    maps = recon.espirit(white, size, sigma=_central_sigma(noise, kspace.shape[-2:]))
    return white, unit_in_raw(maps, matrix)


def sense_slice(
    white: Array, maps: Array, noise: KnownNoise, mask: Array | None = None, **sense_options: Any
) -> Slice:
    """Reconstruct whitened k-space `(coils, ky, kx)` by SENSE, through maps whitened as well."""
    image, sigma = recon.sense(
        white,
        maps,
        mask,
        noise_profile=noise.profile,
        noise_spectrum=noise.spectrum,
        **sense_options,
    )
    return Slice(white, mask, maps, image, sigma, coil_sigma(white, noise))


def through_maps(
    kspace: Array,
    noise: KnownNoise,
    piece: Slice,
    piece_noise: KnownNoise,
    mask: Array | None = None,
    **sense_options: Any,
) -> Slice:
    """Reconstruct other k-space of the same slice with the maps of `piece`, in the same unit.

    The maps of `piece` are whitened with its own covariance; here they are taken to that of the
    other k-space, whose `mask` is that of `piece` unless given.
    """
    matrix = recon.whitening_matrix(noise.covariance)
    back = np.linalg.inv(recon.whitening_matrix(piece_noise.covariance))
    maps = combine_coils(matrix @ back, piece.coil_maps)
    sampled = piece.mask if mask is None else mask
    return sense_slice(combine_coils(matrix, kspace), maps, noise, sampled, **sense_options)


def coil_sigma(white: Array, noise: KnownNoise) -> Array:
    """Return the noise map `(y, x)` of every image of whitened, fully sampled coils.

    It is what SENSE gives for one coil that sees everything equally.
    """
    xp = namespace(white)
    acquired = xp.astype(xp.any(white != 0, axis=-3, keepdims=True), white.dtype)
    everywhere = xp.ones_like(acquired)
    return recon.sense(
        acquired, everywhere, noise_profile=noise.profile, noise_spectrum=noise.spectrum
    ).sigma


def in_snr_units(image: Array, sigma: Array | float) -> Numpy:
    """Divide an image by its noise map; 0 where the noise map is 0 (outside the coil maps)."""
    image, noise = to_numpy(image), np.asarray(to_numpy(sigma) if np.ndim(sigma) else sigma)
    inverse = np.divide(1.0, noise, out=np.zeros(noise.shape), where=noise > 0)
    return np.asarray(image * inverse.astype(np.float32))


def check_cartesian(scan: Scan, purpose: str) -> None:
    """Refuse a scan with a trajectory where only a Cartesian grid will do.

    Raises:
        ValueError: naming what it was wanted for.
    """
    if scan.trajectory is not None:
        raise ValueError(
            f"{purpose} needs Cartesian k-space, and this scan has a trajectory; reconstruct it "
            "with --method sense, or in Python recon.cg_sense, and go on with the images"
        )


def check_sampling(mask: Numpy | None, stage: Stage, replicas: int = 0) -> None:
    """Refuse a sampling mask `(..., ky, kx)` with which a stage's noise would not be known.

    Raises:
        ValueError: before SENSE, if k-space is undersampled at all; after it, if the mask varies
            along both axes, as the noise map then has no closed form and needs replicas.
    """
    if mask is None or np.all(mask):
        return
    if stage == "before-sense":
        raise ValueError(
            "denoising before SENSE needs fully sampled k-space: the zero-filled coil images of an "
            "undersampled scan alias, and their noise is not white; use stage='after-sense'"
        )
    rows = np.atleast_2d(mask)
    both = np.any(rows != rows[..., :1]) and np.any(rows != rows[..., :1, :])
    if both and not replicas:
        raise ValueError(
            "the noise map of this scan has no closed form, as its sampling mask varies along both "
            "axes: denoising after SENSE needs a mask that is constant along one, or replicas"
        )


def check_gaps(kspace: Array, mask: Array | None) -> None:
    """Refuse k-space `(coils, ky, kx)` with lines missing that the mask says nothing of.

    Empty margins are zero-filled: data 0, without noise. Lines missing in between were skipped, and
    taken for zeros they would alias the image.

    Raises:
        ValueError: naming the axis and the first such line.
    """
    xp = namespace(kspace)
    acquired = to_numpy(xp.any(kspace != 0, axis=-3))
    known = (
        acquired
        if mask is None
        else acquired | (np.broadcast_to(to_numpy(mask), acquired.shape) == 0)
    )
    for axis, name in ((0, "column"), (1, "row")):
        seen = np.flatnonzero(acquired.any(axis=axis))
        empty = np.flatnonzero(~known.any(axis=axis))
        inside = empty[(empty > seen[0]) & (empty < seen[-1])] if seen.size else empty[:0]
        if inside.size:
            raise ValueError(
                f"{inside.size} {name}s of k-space between acquired ones are empty, the first is "
                f"{name} {inside[0]}: undersampled, but the mask does not say so; store what was "
                "sampled as `mask`"
            )


def stage_images(piece: Slice, stage: Stage) -> Numpy:
    """Return the images `(n, y, x)` in SNR units that a denoiser of this stage works on.

    Raises:
        ValueError: after SENSE, if the noise map is not known.
    """
    if stage == "before-sense":
        return in_snr_units(ifft2c(piece.kspace), piece.coil_sigma)
    if piece.sigma is None:
        raise ValueError(
            "the noise map of this slice has no closed form, as its sampling and the profile or "
            "spectrum of its noise vary along both axes: measure it with replicas"
        )
    return in_snr_units(piece.image, piece.sigma)[None]


def combine_denoised(piece: Slice, denoised: Numpy, stage: Stage) -> Numpy:
    """Turn the denoised images of a stage into the image `(y, x)`, in the unit of the raw data."""
    if stage == "after-sense":
        return np.asarray(denoised[0] * to_numpy(piece.sigma))
    coil_images = denoised * to_numpy(piece.coil_sigma).astype(denoised.real.dtype)
    return to_numpy(recon.sense(fft2c(coil_images), to_numpy(piece.coil_maps)).image)


def unit_in_raw(maps: Array, matrix: Array) -> Array:
    """Scale maps `(coils, y, x)`, whitened by `matrix`, to norm 1 in the unit of the raw data."""
    xp = namespace(maps)
    raw = combine_coils(np.linalg.inv(matrix), maps)
    norm = xp.sqrt(xp.sum(xp.abs(raw) ** 2, axis=-3, keepdims=True))
    return maps / xp.where(norm > 0, norm, xp.ones_like(norm))


def _central_sigma(noise: KnownNoise, grid: tuple[int, ...]) -> float:
    """Return sigma of whitened k-space in the centre, which the coil maps come from."""
    if noise.spectrum is None:
        return 1.0
    spectrum = np.broadcast_to(noise.spectrum, grid)
    side = min(CALIBRATION, *grid)
    return float(np.sqrt(np.mean(centre_crop(spectrum, (side, side)))))
