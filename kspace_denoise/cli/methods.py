"""The methods of `reconstruct`: one slice of k-space to images by the name of their dataset."""

import functools
import warnings
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from kspace_denoise import recon
from kspace_denoise.arrays import Array, like, to_numpy
from kspace_denoise.calibration import calibration_size
from kspace_denoise.cli.sampling import SAMPLES, STEPS, STEPS_OF_SWEEP, SWEEPS, Sampling
from kspace_denoise.denoiser import Denoiser
from kspace_denoise.fourier import ifft2c
from kspace_denoise.recon.sense_operator import over_strength, unit_maps
from kspace_denoise.samples import reconstruct_samples
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.spectral_stage import sampled
from kspace_denoise.stages import KnownNoise, Slice, reconstruct_slice, whiten_slice

ByName: TypeAlias = dict[str, Array]

_AMPLIFIED = 10.0
_APART = 1.5  # times the noise


class Settings(NamedTuple):
    """What a reconstruction needs beside k-space."""

    noise: KnownNoise | None
    calibration: int | None
    replicas: int
    seed: int
    penalty: float | None = None
    """λ in SNR units, None for the method's own rule (0 for SENSE, 0.1 along a trajectory)."""
    prior: Denoiser | None = None
    """What a sampler asks for the clean image."""
    sampling: Sampling = Sampling()
    tick: Callable[[], object] = lambda: None
    """Called before every call of the prior."""


class Method(NamedTuple):
    """A reconstruction of k-space `(coils, ky, kx)` with a mask."""

    run: Callable[[Array, Numpy | None, Settings], ByName]
    uses_noise: bool = True
    has_penalty: bool = False
    sampling: Sampling | None = None
    """How it draws samples unless told otherwise; None where it draws none."""


def _rss(kspace: Array, _mask: Numpy | None, _settings: Settings) -> ByName:
    return {"reconstruction_rss": recon.rss(ifft2c(kspace))}


def _sense(kspace: Array, mask: Numpy | None, settings: Settings) -> ByName:
    if settings.noise is None:
        size = settings.calibration or calibration_size(kspace, mask)
        maps = recon.espirit(kspace, size)
        penalty = settings.penalty or 0.0
        return {"reconstruction": recon.sense(kspace, maps, mask, regularisation=penalty).image}
    piece = reconstruct_slice(
        kspace,
        settings.noise,
        mask,
        settings.calibration,
        replicas=settings.replicas,
        seed=settings.seed,
        regularisation=settings.penalty or 0.0,
    )
    if not settings.penalty:
        warn_if_amplified(piece, mask)
    images = {"reconstruction": piece.image}
    return images if piece.sigma is None else {**images, "noise_sigma": piece.sigma}


def sense_of_samples(scan: Scan, kspace: Array, settings: Settings) -> ByName:
    """Reconstruct a slice `(coils, readouts, samples)` of a scan with a trajectory by SENSE."""
    noise = settings.noise
    image, sigma = reconstruct_samples(
        scan,
        kspace,
        None if noise is None else noise.covariance,
        settings.calibration,
        settings.penalty,
        replicas=0 if noise is None else settings.replicas,
        seed=settings.seed,
    )
    images = {"reconstruction": image}
    return images if sigma is None else {**images, "noise_sigma": sigma}


def warn_if_amplified(piece: Slice, mask: Numpy | None) -> None:
    """Say so where the coils cannot unfold what the mask folds."""
    if piece.sigma is None or mask is None or mask.all():
        return
    # Relative to full sampling through the same maps.
    times = to_numpy(piece.sigma) * np.linalg.norm(to_numpy(piece.coil_maps), axis=0)
    typical = float(np.median(times[times > 0]))
    if typical > _AMPLIFIED:
        warnings.warn(
            f"undersampling multiplies the noise of the image by {typical:.0f}, as the coils "
            "cannot unfold this mask; try --lambda 0.01, or --method l1-wavelet",
            UserWarning,
            stacklevel=2,
        )


def warn_if_apart(white: Array, maps: Array, mask: Numpy, image: Array) -> None:
    """Say so where an image is further from whitened k-space than the noise can explain."""
    where = like(mask.astype(np.float32), white)
    missed = recon.SenseOperator(maps, where).forward(image) - white * where
    parts = 2 * len(white) * int(np.count_nonzero(mask))
    times = (float(abs(to_numpy(missed) ** 2).sum()) / parts) ** 0.5
    if times > _APART:
        warnings.warn(
            f"the images are {times:.1f} times as far from the data as noise is, so something "
            "does not fit: coil maps from few calibration lines (acquire more; --calibration), or "
            "a prior that knows no such images",
            UserWarning,
            stacklevel=2,
        )


def _adaptive(kspace: Array, mask: Numpy | None, settings: Settings) -> ByName:
    if mask is not None and not mask.all():
        raise ValueError("--method adaptive combines coil images, so it needs full sampling")
    noise = settings.noise
    if noise is None:
        return {"reconstruction": recon.adaptive_combine(ifft2c(kspace))}
    maps = recon.walsh_maps(ifft2c(kspace), noise.covariance)
    image, sigma = recon.sense(
        kspace,
        maps,
        noise_covariance=noise.covariance,
        noise_profile=noise.profile,
        noise_spectrum=noise.spectrum,
    )
    assert sigma is not None
    return {"reconstruction": image, "noise_sigma": sigma}


def _regularised(
    reconstruction: Callable[..., Array], kspace: Array, mask: Numpy | None, settings: Settings
) -> ByName:
    """Reconstruct with a penalty in SNR units; replicas of the noise measure sigma around it."""
    noise = settings.noise
    if noise is None:
        raise ValueError(
            "the penalty is in units of the noise, which is not known: give --noise FILE"
        )
    white, maps = whiten_slice(kspace, noise, mask, settings.calibration)

    def run(data: Array) -> Array:
        return reconstruction(data, maps, mask, lam=settings.penalty)

    images = {"reconstruction": run(white)}
    if settings.replicas:
        images["noise_sigma"] = recon.noise_map(
            run,
            white,
            2 * np.eye(white.shape[-3]),
            settings.replicas,
            mask=mask,
            noise_profile=noise.profile,
            noise_spectrum=noise.spectrum,
            seed=settings.seed,
        )
    return images


def _l1_wavelet(kspace: Array, mask: Numpy | None, settings: Settings) -> ByName:
    seeded = functools.partial(recon.l1_wavelet, seed=settings.seed)
    return _regularised(seeded, kspace, mask, settings)


def _drawn(
    sampler: Callable[..., recon.Posterior], kspace: Array, mask: Numpy | None, settings: Settings
) -> ByName:
    """Draw samples in SNR units, those of the prior; return their mean and their spread.

    Lines that are filled with zeros were not sampled.
    """
    noise, prior = settings.noise, settings.prior
    assert prior is not None
    if noise is None:
        raise ValueError(
            "a sampler weighs the data by their noise, which is not known: --noise FILE"
        )
    white, maps = whiten_slice(kspace, noise, mask, settings.calibration)
    mask = sampled(to_numpy(kspace), mask)
    unit, strength = unit_maps(maps)
    sampling = settings.sampling
    denoise = prior.prior(recon.signal_rms(white, mask), settings.tick, sampling.bfloat16)
    numbers = {"samples": sampling.samples, "steps": sampling.steps, "sweeps": sampling.sweeps}
    found = sampler(
        white,
        unit,
        mask,
        denoise,
        noise_covariance=2 * np.eye(white.shape[-3]),
        seed=settings.seed,
        **{name: number for name, number in numbers.items() if number is not None},
    )
    warn_if_apart(white, unit, mask, found.mean)
    images = {"reconstruction": over_strength(found.mean, strength)}
    if found.std is not None:
        images["posterior_std"] = over_strength(found.std, strength)
    if sampling.keep_samples:
        images["posterior_samples"] = over_strength(found.samples, strength)
    return images


def _sampler(draw: Callable[..., recon.Posterior], sampling: Sampling) -> Method:
    return Method(functools.partial(_drawn, draw), sampling=sampling)


METHODS = {
    "rss": Method(_rss, uses_noise=False),
    "adaptive": Method(_adaptive),
    "sense": Method(_sense, has_penalty=True),
    "l1-wavelet": Method(_l1_wavelet, has_penalty=True),
    "tv": Method(functools.partial(_regularised, recon.tv), has_penalty=True),
    "ddrm": _sampler(recon.ddrm, Sampling(SAMPLES, STEPS)),
    "split-gibbs": _sampler(recon.split_gibbs, Sampling(SAMPLES, STEPS_OF_SWEEP, SWEEPS)),
    "dds": _sampler(recon.dds, Sampling(SAMPLES, STEPS)),
    "pigdm": _sampler(recon.pigdm, Sampling(SAMPLES, STEPS)),
}
SAMPLERS = ", ".join(name for name, method in METHODS.items() if method.sampling)
