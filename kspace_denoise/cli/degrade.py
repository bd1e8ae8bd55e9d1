"""How `simulate` makes k-space noisier: by field, by sigma, or by the SNR that is wanted."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise import recon, sim
from kspace_denoise.arrays import Array
from kspace_denoise.cli.common import Covariance, progress
from kspace_denoise.fourier import ifft2c
from kspace_denoise.metrics import object_mask
from kspace_denoise.random import Seed
from kspace_denoise.scan import Numpy, Scan

Degrade: TypeAlias = Callable[[Array, Seed, Array | None], Array]
"""`degrade(kspace, seed, mask)`: noise on k-space (coils, ky, kx) where the mask (ky, kx) is 1."""


class Plan(NamedTuple):
    """How to make every slice noisier, the noise that results, and what to record."""

    degrade: Degrade
    covariance: Numpy
    record: dict[str, Any]


def plan_nothing(known: Covariance) -> Plan:
    """Leave the noise as it is."""

    def degrade(kspace: Array, _seed: Seed, _mask: Array | None) -> Array:
        return kspace

    return Plan(degrade, known.matrix, {})


def plan_field(known: Covariance, field: float, source_field: float | None) -> Plan:
    """Follow `sim.low_field`.

    Raises:
        ValueError: if the source's field or noise is not known, or the field is not below it.
    """
    if source_field is None:
        raise ValueError("the file does not say its field strength: give --source-field")
    if not known.matrix.any():
        raise ValueError(
            "--field scales the noise of the source, and --noise-free says there is none; use "
            "--sigma or --snr"
        )
    law = functools.partial(
        sim.low_field, noise_covariance=known.matrix, field=field, source_field=source_field
    )

    def degrade(kspace: Array, seed: Seed, mask: Array | None) -> Array:
        return law(kspace, seed=seed, mask=mask).kspace

    example = law(np.zeros((len(known.matrix), 1, 1), np.complex64), seed=0)
    return Plan(degrade, example.noise_covariance, {"low_field": example.record})


def plan_sigma(known: Covariance, sigma: float) -> Plan:
    """Add white noise of standard deviation `sigma` per real component to every coil."""
    added = 2 * sigma**2 * np.eye(len(known.matrix), dtype=np.complex128)
    return _plan_added(known, added, {"added_sigma": sigma})


def plan_snr(scan: Scan, known: Covariance, snr: float) -> Plan:
    """Add noise of the source's own covariance, or white noise to a source without any.

    Raises:
        ValueError: if the scan is undersampled, or its SNR is not above the one that is wanted.
    """
    if scan.mask is not None and not scan.mask.all():
        raise ValueError("--snr needs fully sampled k-space, and this scan is undersampled")
    noise_free = not known.matrix.any()
    shape = 2 * np.eye(len(known.matrix), dtype=np.complex128) if noise_free else known.matrix
    source_snr = _snr(scan, shape, noise_free)
    ratio = (source_snr / snr) ** 2
    if not noise_free and ratio <= 1:
        raise ValueError(
            f"the source has an SNR of {source_snr:.3g}, and noise can only be added: "
            f"--snr {snr:g} is not below it"
        )
    added = shape * (ratio if noise_free else ratio - 1)
    return _plan_added(known, added, {"snr": snr, "source_snr": None if noise_free else source_snr})


def _plan_added(known: Covariance, added: Numpy, record: dict[str, Any]) -> Plan:
    def degrade(kspace: Array, seed: Seed, mask: Array | None) -> Array:
        return sim.add_noise(kspace, added, seed, mask)

    return Plan(degrade, known.matrix + added, record)


def _snr(scan: Scan, covariance: Numpy, noise_free: bool) -> float:
    """Return the mean SENSE magnitude over the object in units of its sigma.

    At full sampling and with true coil maps that is the root sum of squares of the whitened coil
    images, whose noise floor of 2 per coil is taken off.
    """
    slices, coils = scan.kspace.shape[:2]
    floor = 0 if noise_free else 2 * coils
    power = np.stack(
        [
            np.sum(np.abs(ifft2c(recon.whiten(scan.kspace[index], covariance))) ** 2, axis=0)
            for index in progress(range(slices), "measure SNR")
        ]
    )
    inside = object_mask(np.sqrt(power))
    return float(np.mean(np.sqrt(np.maximum(power[inside] - floor, 0))))
