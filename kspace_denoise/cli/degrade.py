"""How `simulate` makes k-space noisier: by sigma, or by the SNR that is wanted."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise import sim
from kspace_denoise.arrays import Array
from kspace_denoise.cli.chain import interference_in
from kspace_denoise.cli.common import progress
from kspace_denoise.random import Seed
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.snr import scan_snr
from kspace_denoise.stages import KnownNoise

Degrade: TypeAlias = Callable[[Array, Seed, Array | None, KnownNoise], Array]
"""`degrade(kspace, seed, mask, noise)`: noise on k-space (coils, ky, kx) where the mask (ky, kx) is
1, of the profile and the spectrum of `noise`."""


class Plan(NamedTuple):
    """How to make every slice noisier, the noise that results, and what to record."""

    degrade: Degrade
    noise: KnownNoise
    record: dict[str, Any]
    gain: float = 1.0
    """What the signal is multiplied by, and the noise of the source with it."""


def plan_nothing(known: KnownNoise) -> Plan:
    """Leave the noise as it is."""

    def degrade(kspace: Array, _seed: Seed, _mask: Array | None, _noise: KnownNoise) -> Array:
        return kspace

    return Plan(degrade, known, {})


def plan_sigma(known: KnownNoise, sigma: float) -> Plan:
    """Add noise of standard deviation `sigma` per real component, independent between the coils.

    Profile and spectrum are those of the source's noise: the receiver is the same.
    """
    added = 2 * sigma**2 * np.eye(len(known.covariance), dtype=np.complex128)
    return _plan_added(known, added, {"added_sigma": sigma})


def plan_snr(scan: Scan, known: KnownNoise, snr: float) -> Plan:
    """Add noise of the source's own covariance, or white noise to a source without any.

    Raises:
        ValueError: if the scan is undersampled, holds interference, or its SNR is not above the
            one that is wanted.
    """
    if scan.mask is not None and not scan.mask.all():
        raise ValueError("--snr needs fully sampled k-space, and this scan is undersampled")
    interference = interference_in(scan.header)
    if interference is not None:
        raise ValueError(
            f"--snr cannot be met: IN holds interference ({interference}), which would count as "
            "signal; use --sigma, or give a scan without it"
        )
    noise_free = not known.covariance.any()
    if noise_free:
        white = 2 * np.eye(len(known.covariance), dtype=np.complex128)
        unit = known._replace(covariance=white)
    else:
        unit = known
    source_snr = scan_snr(scan, unit, noise_free, lambda i: progress(i, "measure SNR"))
    ratio = (source_snr / snr) ** 2
    if not noise_free and ratio <= 1:
        raise ValueError(
            f"the source has an SNR of {source_snr:.3g}, and noise can only be added: "
            f"--snr {snr:g} is not below it"
        )
    added = unit.covariance * (ratio if noise_free else ratio - 1)
    return _plan_added(known, added, {"snr": snr, "source_snr": None if noise_free else source_snr})


def _plan_added(known: KnownNoise, added: Numpy, record: dict[str, Any]) -> Plan:
    def degrade(kspace: Array, seed: Seed, mask: Array | None, noise: KnownNoise) -> Array:
        return sim.add_noise(
            kspace,
            added,
            seed,
            mask,
            noise_profile=noise.profile,
            noise_spectrum=noise.spectrum,
        )

    return Plan(degrade, known._replace(covariance=known.covariance + added), record)
