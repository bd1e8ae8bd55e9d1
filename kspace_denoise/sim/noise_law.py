"""How receiver noise changes with the field, and which fields can therefore be simulated."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from kspace_denoise.arrays import Array, like, to_numpy
from kspace_denoise.sim.noise import covariance_root

CROSSOVER_FIELD = 0.25
"""Tesla at which body and coil make equal noise, by default: loops of about 9 cm, as in arrays for
the head. Kumar, Edelstein and Bottomley, Magn Reson Med 61:1201 (2009) measured a noise figure of
3 dB at 1 T, that is equal noise, for loops of 3 cm; noise of the body grows with the diameter to
the third power, that of a conductor with its length, so the crossover falls as diameter^(-4/3)."""

_ROUNDING = 1e-12


@dataclass(frozen=True)
class NoiseLaw:
    """The covariance of the noise at a lower field, in terms of Ψ at the source field.

    With a = field / source field, body noise has the covariance a²·Ψ, and coil noise, which is
    independent between coils, a^½·diag Ψ (Hoult, Lauterbur, J Magn Reson 34:425, 1979). Their
    powers are as (B_x / B)^(3/2), coil over body, B_x being `crossover_field`. With
    r = (B_x / B_source)^(3/2) and the share c = r / (1 + r) of coil noise in the source, the
    target covariance is b / averages · [(1 - c)·a²·Ψ + c·a^½·diag Ψ]; c = 0 for "body" and
    c = 1 for "coil".
    """

    noise_law: str = "body"
    crossover_field: float = CROSSOVER_FIELD
    bandwidth_ratio: float = 1.0
    averages: float = 1.0

    def __post_init__(self) -> None:
        if self.noise_law not in ("body", "coil", "mixed"):
            raise ValueError(f"noise_law is {self.noise_law!r}, expected body, coil or mixed")
        for name in ("crossover_field", "bandwidth_ratio", "averages"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value}, expected a positive number")

    @property
    def gain(self) -> float:
        """What bandwidth and averages do to the covariance."""
        return self.bandwidth_ratio / self.averages

    @property
    def reference(self) -> str:
        """Where the law comes from; all take what the source's noise contributes from Wu et al."""
        wu = "Wu, Chen, Nayak, PLoS ONE 11:e0154711 (2016)"
        hoult = "Hoult, Lauterbur, J Magn Reson 34:425 (1979)"
        laws = {
            "body": wu,
            "coil": f"noise of the coil alone, covariance a^(1/2) diag Psi: {hoult}",
            "mixed": f"noise of the body: {wu}; with noise of the coil, covariance a^(1/2) diag "
            f"Psi: {hoult}",
        }
        return laws[self.noise_law]

    def coil_share(self, source_field: float) -> float:
        """Return c, the share of coil noise in the noise of the source."""
        if self.noise_law == "mixed":
            ratio = (self.crossover_field / source_field) ** 1.5
            return float(ratio / (1 + ratio))
        return float(self.noise_law == "coil")

    def weights(self, field: float, source_field: float) -> tuple[float, float]:
        """Return the factors of Ψ and of diag Ψ in the target covariance."""
        a, c = field / source_field, self.coil_share(source_field)
        return self.gain * (1 - c) * a**2, self.gain * c * math.sqrt(a)

    def gain_needed(
        self, largest: float, factor: float, field: float, source_field: float
    ) -> float:
        """Return the least gain at which no noise would have to be taken away.

        The signal is scaled by a²·`factor`, and `largest` is the largest eigenvalue of the coils'
        noise correlation: the target covariance less a⁴f²·Ψ is positive semi-definite if it is so
        along that eigenvector. Where `largest` is 0 there is no noise to be taken away.
        """
        if largest == 0:
            return 0.0
        a = field / source_field
        body, coil = (weight / self.gain for weight in self.weights(field, source_field))
        return float(a**4 * factor**2 * largest / (body * largest + coil))

    def allows(self, largest: float, factor: float, field: float, source_field: float) -> bool:
        """Tell whether noise has to be added, and none taken away."""
        needed = self.gain_needed(largest, factor, field, source_field)
        return needed <= self.gain * (1 + _ROUNDING)

    def understated(self, field: float, source_field: float) -> float:
        """Return how many times the noise of body and coil exceeds what the body law gives."""
        if self.noise_law != "body":
            return 1.0
        c = NoiseLaw("mixed", self.crossover_field).coil_share(source_field)
        return math.sqrt((1 - c) + c * (field / source_field) ** -1.5)

    def warn(self, field: float, source_field: float, stacklevel: int) -> None:
        """Warn where the body law is used below the crossover."""
        if self.noise_law == "body" and field < self.crossover_field:
            warnings.warn(
                f"{field:g} T is below the crossover field of {self.crossover_field:g} T, where "
                "noise of the coil exceeds that of the body: noise_law='body' understates the "
                f"noise {self.understated(field, source_field):.2g}-fold; use noise_law='mixed', "
                "or give the crossover_field of your coils",
                UserWarning,
                stacklevel=stacklevel + 1,
            )


def covariance_sum(psi: Array, of_psi: float, of_diagonal: float) -> Array:
    """Return of_psi · Ψ + of_diagonal · diag Ψ, of the kind and precision of Ψ.

    Integers, which cannot hold it, become float64.
    """
    values = to_numpy(psi)
    if values.dtype.kind not in "fc":
        values = values.astype(np.float64)
    total = values * of_psi + np.diag(np.diag(values) * of_diagonal)
    return like(total.astype(values.dtype), psi)


def missing_covariance(psi: Array, of_psi: float, of_diagonal: float) -> Array:
    """Return `covariance_sum` where of_psi may be negative, as far as coil noise makes up for it.

    At the very limit of what is possible nothing is left but rounding, which could be negative.
    """
    if of_psi >= 0:
        return covariance_sum(psi, of_psi, of_diagonal)
    modes, mixing = correlation_modes(psi)
    total = (mixing * np.maximum(modes * of_psi + of_diagonal, 0)) @ mixing.conj().T
    values = to_numpy(covariance_sum(psi, 0.0, 0.0))
    return like((total if values.dtype.kind == "c" else total.real).astype(values.dtype), psi)


def largest_mode(psi: Array) -> float:
    """Return the largest eigenvalue of the noise correlation, or 0 if there is no noise.

    Raises:
        ValueError: as `correlation_modes`.
    """
    modes, _ = correlation_modes(psi)
    return float(modes[-1]) if to_numpy(psi).any() else 0.0


def correlation_modes(psi: Array) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return λ `(coils,)` and M `(coils, coils)` with Ψ = M diag(λ) Mᴴ and diag Ψ = M Mᴴ.

    λ, ascending, are the eigenvalues of the noise correlation: every mixture of body and coil
    noise is diagonal in these modes.

    Raises:
        ValueError: if Ψ is not square, finite, Hermitian and positive semi-definite.
    """
    values = to_numpy(psi)
    if values.ndim != 2:
        raise ValueError(f"noise covariance has shape {values.shape}, expected (coils, coils)")
    covariance_root(values, len(values))
    level = np.sqrt(np.maximum(np.diag(values).real.astype(np.float64), 0))
    unit = np.divide(1, level, out=np.zeros_like(level), where=level > 0)
    double = values.astype(np.complex128)
    correlation = unit[:, None] * ((double + double.conj().T) / 2) * unit
    np.fill_diagonal(correlation, 1)  # coils without noise are their own, silent, mode
    modes, vectors = np.linalg.eigh(correlation)
    return np.maximum(modes, 0), level[:, None] * vectors
