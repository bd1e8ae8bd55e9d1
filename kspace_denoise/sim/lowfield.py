"""Low-field raw data from high-field raw data: less signal, and noise to match."""

import math
from typing import Any, NamedTuple

from kspace_denoise.arrays import Array
from kspace_denoise.random import Seed
from kspace_denoise.sim.noise import add_noise


class LowField(NamedTuple):
    """K-space as a scanner of lower field would have recorded it."""

    kspace: Array
    """Complex `(..., coils, ky, kx)`, in the unit of the source."""
    noise_covariance: Array
    """Ψ of all the noise that `kspace` now holds, the source's own included: `(coils, coils)`."""
    record: dict[str, Any]
    """What was assumed, ready for JSON."""


def low_field(
    kspace: Array,
    noise_covariance: Array,
    field: float,
    source_field: float,
    seed: Seed,
    mask: Array | None = None,
    *,
    noise_profile: Array | None = None,
    noise_spectrum: Array | None = None,
) -> LowField:
    """Simulate an acquisition at `field` from one at `source_field` (both in tesla).

    With a = field / source_field, magnetisation and induction scale the signal by a²·f, and body
    noise has the covariance a²·b·Ψ. The source brings a⁴·f²·Ψ of it along, so noise of covariance
    (a²b - a⁴f²)·Ψ is added and the SNR falls in proportion to the field. Here f = 1 (relaxation
    times as at the source field) and b = 1 (same receiver bandwidth).

    Source: Wu, Chen, Nayak, PLoS ONE 11:e0154711 (2016).

    Args:
        kspace: complex `(..., coils, ky, kx)` that already holds noise of covariance Ψ.
        noise_covariance: Ψ, `(coils, coils)`; white noise of level sigma has Ψ = 2σ²·I.
        field: the field to simulate.
        source_field: the field of the acquisition.
        seed: integer or generator.
        mask: the acquired samples, broadcastable to `(..., ky, kx)`; no others receive noise.
        noise_profile: of the source's noise over the image, which the added noise takes over.
        noise_spectrum: likewise over k-space; see `noise_like`.

    Raises:
        ValueError: if the field is above the source field or not a positive number, or as
            `add_noise`.
        TypeError: as `add_noise`.
    """
    for name, value in (("field", field), ("source_field", source_field)):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} is {value}, expected a positive number of tesla")
    if field > source_field:
        raise ValueError(
            f"field={field} T is above source_field={source_field} T: noise cannot be taken away; "
            "only a lower field can be simulated"
        )
    a = float(field) / float(source_field)
    f, b = 1.0, 1.0
    added = noise_covariance * (a**2 * b - a**4 * f**2)
    noisy = add_noise(
        kspace * (a**2 * f),
        added,
        seed,
        mask,
        noise_profile=noise_profile,
        noise_spectrum=noise_spectrum,
    )
    record = {
        "law": "Wu, Chen, Nayak, PLoS ONE 11:e0154711 (2016)",
        "field_T": float(field),
        "source_field_T": float(source_field),
        "relaxation_factor": f,
        "relaxation_applied": False,
        "bandwidth_ratio": b,
        "noise_regime": "body",
    }
    return LowField(noisy, noise_covariance * (a**2 * b), record)
