"""How `simulate` makes k-space noisier: by field, by sigma, or by the SNR that is wanted."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise import recon, sim
from kspace_denoise.arrays import Array
from kspace_denoise.cli.common import progress
from kspace_denoise.fourier import ifft2c
from kspace_denoise.metrics import object_mask
from kspace_denoise.random import Seed
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.stages import KnownNoise, coil_sigma, in_snr_units, spread_slices

Degrade: TypeAlias = Callable[[Array, Seed, Array | None], Array]
"""`degrade(kspace, seed, mask)`: noise on k-space (coils, ky, kx) where the mask (ky, kx) is 1."""


class Plan(NamedTuple):
    """How to make every slice noisier, the noise that results, and what to record."""

    degrade: Degrade
    noise: KnownNoise
    record: dict[str, Any]


def plan_nothing(known: KnownNoise) -> Plan:
    """Leave the noise as it is."""

    def degrade(kspace: Array, _seed: Seed, _mask: Array | None) -> Array:
        return kspace

    return Plan(degrade, known, {})


def plan_field(known: KnownNoise, field: float, source_field: float | None) -> Plan:
    """Follow `sim.low_field`.

    Raises:
        ValueError: if the source's field or noise is not known, or the field is not below it.
    """
    if source_field is None:
        raise ValueError("the file does not say its field strength: give --source-field")
    if not known.covariance.any():
        raise ValueError(
            "--field scales the noise of the source, and --noise-free says there is none; use "
            "--sigma or --snr"
        )
    law = functools.partial(
        sim.low_field, noise_covariance=known.covariance, field=field, source_field=source_field
    )

    def degrade(kspace: Array, seed: Seed, mask: Array | None) -> Array:
        return law(
            kspace,
            seed=seed,
            mask=mask,
            noise_profile=known.profile,
            noise_spectrum=known.spectrum,
        ).kspace

    example = law(np.zeros((len(known.covariance), 1, 1), np.complex64), seed=0)
    noise = known._replace(covariance=example.noise_covariance)
    return Plan(degrade, noise, {"low_field": example.record})


def plan_sigma(known: KnownNoise, sigma: float) -> Plan:
    """Add noise of standard deviation `sigma` per real component, independent between the coils.

    Profile and spectrum are those of the source's noise: the receiver is the same.
    """
    added = 2 * sigma**2 * np.eye(len(known.covariance), dtype=np.complex128)
    return _plan_added(known, added, {"added_sigma": sigma})


def plan_snr(scan: Scan, known: KnownNoise, snr: float) -> Plan:
    """Add noise of the source's own covariance, or white noise to a source without any.

    Raises:
        ValueError: if the scan is undersampled, or its SNR is not above the one that is wanted.
    """
    if scan.mask is not None and not scan.mask.all():
        raise ValueError("--snr needs fully sampled k-space, and this scan is undersampled")
    noise_free = not known.covariance.any()
    if noise_free:
        white = 2 * np.eye(len(known.covariance), dtype=np.complex128)
        unit = known._replace(covariance=white)
    else:
        unit = known
    source_snr = _snr(scan, unit, noise_free)
    ratio = (source_snr / snr) ** 2
    if not noise_free and ratio <= 1:
        raise ValueError(
            f"the source has an SNR of {source_snr:.3g}, and noise can only be added: "
            f"--snr {snr:g} is not below it"
        )
    added = unit.covariance * (ratio if noise_free else ratio - 1)
    return _plan_added(known, added, {"snr": snr, "source_snr": None if noise_free else source_snr})


def _plan_added(known: KnownNoise, added: Numpy, record: dict[str, Any]) -> Plan:
    def degrade(kspace: Array, seed: Seed, mask: Array | None) -> Array:
        return sim.add_noise(
            kspace,
            added,
            seed,
            mask,
            noise_profile=known.profile,
            noise_spectrum=known.spectrum,
        )

    return Plan(degrade, known._replace(covariance=known.covariance + added), record)


def _snr(scan: Scan, noise: KnownNoise, noise_free: bool) -> float:
    """Return the mean SENSE magnitude over the object in units of its sigma.

    At full sampling and with true coil maps that is the root sum of squares of the whitened coil
    images over their sigma, whose noise floor of 2 per coil is taken off. Of many slices a few,
    evenly spread, are measured.
    """
    floor = 0 if noise_free else 2 * scan.kspace.shape[1]
    power = []
    for index in progress(spread_slices(len(scan.kspace)), "measure SNR"):
        kspace = scan.kspace[index]
        if kspace.any():
            white = recon.whiten(kspace, noise.covariance)
            images = in_snr_units(ifft2c(white), coil_sigma(white, noise))
            power.append(np.sum(np.abs(images) ** 2, axis=0))
    stacked = np.stack(power)
    inside = object_mask(np.sqrt(stacked))
    return float(np.mean(np.sqrt(np.maximum(stacked[inside] - floor, 0))))
