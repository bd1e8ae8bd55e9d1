"""The tissue-map mode of `low_field`: every voxel scaled by its own relaxation factor."""

import numpy as np

from kspace_denoise.arrays import Array, like, namespace, real_dtype, to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.random import Seed
from kspace_denoise.sim.noise import noise_like, relative_noise, with_coil_axis
from kspace_denoise.sim.noise_law import NoiseLaw, correlation_modes

_CHANCE = 0.05  # of a slice's samples may be 0 without a gap


def scale_by_map(
    kspace: Array,
    noise_covariance: Array,
    factor: Array,
    law: NoiseLaw,
    fields: tuple[float, float],
    seed: Seed,
    mask: Array | None = None,
    noise_profile: Array | None = None,
    noise_spectrum: Array | None = None,
) -> Array:
    """Scale coil images by a²·f(r) and add the noise that is missing at every voxel.

    White source noise is independent between voxels, of covariance a⁴f(r)²·Ψ once scaled. Noise
    that is independent between voxels too, of covariance T - a⁴f(r)²·Ψ, makes the sum white with
    the target covariance T everywhere, exactly. A noise profile p multiplies both by p(r)² and
    changes nothing. A noise spectrum is imposed on the added noise alone, while that of the scaled
    source is blurred by the transform of f: the power of a sample is then wrong by at most
    a²·f² / gain times the spread of the spectrum over that blur.

    Raises:
        ValueError: if the map does not fit, or samples of k-space are missing.
        TypeError: if the k-space is not complex.
    """
    white = noise_like(kspace, 2 * np.eye(kspace.shape[-3] if kspace.ndim > 2 else 1), seed)
    xp = namespace(kspace)
    of_voxels = like(to_numpy(factor).astype(np.float64), kspace)
    per_voxel = with_coil_axis(of_voxels, "relaxation_factor", kspace)
    _check_complete(kspace, mask, noise_spectrum)
    profile = relative_noise(noise_profile, "noise_profile", kspace)
    spectrum = relative_noise(noise_spectrum, "noise_spectrum", kspace)
    a = fields[0] / fields[1]
    modes, mixing = correlation_modes(noise_covariance)
    body, coil = law.weights(*fields)
    real = real_dtype(kspace)
    missing = like(modes[:, None, None], kspace, xp.float64) * (body - (a**2 * per_voxel) ** 2)
    spread = xp.sqrt(xp.maximum(missing + coil, xp.zeros_like(missing)) / 2)
    flat = xp.reshape(
        white * xp.astype(spread, real), (*kspace.shape[:-2], kspace.shape[-2] * kspace.shape[-1])
    )
    noise = xp.reshape(xp.matmul(like(mixing, kspace, kspace.dtype), flat), kspace.shape)
    if profile is not None:
        noise = noise * xp.astype(profile, real)
    images = ifft2c(kspace) * xp.astype(a**2 * per_voxel, real)
    if spectrum is None:
        return fft2c(images + noise)
    return fft2c(images) + fft2c(noise) * xp.astype(xp.sqrt(spectrum), real)


def _check_complete(kspace: Array, mask: Array | None, noise_spectrum: Array | None) -> None:
    """Refuse k-space with gaps: a map mixes all samples, and would fill them with signal.

    A sample may happen to be 0, in integers above all. Gaps are whole lines without a sample, or
    more than 5 % of a slice; a slice without any data has none.

    Raises:
        ValueError: if a mask, a spectrum or the k-space itself leaves samples out.
    """
    if mask is not None:
        with_coil_axis(mask, "mask", kspace)
    for name, values in (("mask", mask), ("noise_spectrum", noise_spectrum)):
        if values is not None and not (to_numpy(values) != 0).all():
            raise ValueError(
                f"relaxation_factor is a map, and {name} leaves samples of k-space out: scaling "
                "voxels would fill the gaps; give fully sampled k-space and undersample the result"
            )
    xp = namespace(kspace)
    sampled = to_numpy(xp.any(kspace != xp.zeros_like(kspace), axis=-3))
    lines = ~sampled.any(axis=-1).all(axis=-1) | ~sampled.any(axis=-2).all(axis=-1)
    gaps = lines | ((~sampled).mean(axis=(-2, -1)) > _CHANCE)
    if (gaps & sampled.any(axis=(-2, -1))).any():
        raise ValueError(
            f"relaxation_factor is a map, and {(~sampled).sum()} of {sampled.size} positions of "
            "the k-space are 0 in all coils, as after zero filling: "
            "scaling voxels would fill the gaps; crop k-space to what was acquired"
        )
