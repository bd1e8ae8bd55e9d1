"""The stabilisers themselves: magnitudes in units of sigma to values of standard deviation 1."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np

from kspace_denoise.arrays import Array, namespace
from kspace_denoise.recon.cubic_table import CubicTable, Values
from kspace_denoise.recon.vst_optimised import gauss_legendre, optimised_table

Form = Literal["optimised", "asymptotic", "identity"]

_FINE = 8  # nodes of the algebraic inverse for each one of the function


class Stabiliser(Protocol):
    """A monotone function f of the magnitude m, both in units of sigma."""

    @property
    def coils(self) -> float:
        """The number of coils."""

    def __call__(self, m: Array) -> Array:
        """Return f(m)."""

    def undo(self, z: Array) -> Array:
        """Return the magnitude of which f is z, or 0 below f(0)."""

    def far(self, y: Array) -> Array:
        """Return the amplitude of which y is the mean of f, for high SNR."""

    def nodes(self, upper: float) -> tuple[Values, Values, Values]:
        """Return m, f(m) and weights to integrate functions of f(m) over m from 0 to `upper`."""


@dataclass(frozen=True, eq=False)
class Identity:
    """f = m: nothing is stabilised, but the mean can be inverted like that of the others."""

    coils: float

    def __call__(self, m: Array) -> Array:
        """Return m."""
        return +m

    def undo(self, z: Array) -> Array:
        """Return z, or 0 below that."""
        return namespace(z).clip(z, 0.0, None)

    def far(self, y: Array) -> Array:
        """Return sqrt(y^2 - 2L + var m), in which var m = 1 - (L - 1/2)/y^2."""
        inverse = (1 / y) ** 2  # 1 / y^2 of large single-precision numbers overflows
        lost = (2 * self.coils - 1 + (self.coils - 0.5) * inverse) * inverse
        return y * namespace(y).sqrt(1 - lost)

    def nodes(self, upper: float) -> tuple[Values, Values, Values]:
        """Return nodes even in m."""
        m, weights = gauss_legendre(np.arange(0, upper + 0.25, 0.25))
        return m, m, weights


@dataclass(frozen=True, eq=False)
class Asymptotic:
    """f = sqrt(m^2 - L + 1/2), and 0 where there is no root: stable at high SNR.

    The variance of m tends to 1 - (L - 1/2)/m^2, and f' is one over its root. Squares are avoided:
    those of large single-precision numbers overflow.
    """

    coils: float

    @property
    def root(self) -> float:
        """The largest magnitude with f = 0."""
        return math.sqrt(self.coils - 0.5)

    def __call__(self, m: Array) -> Array:
        """Return f(m)."""
        xp = namespace(m)
        return xp.sqrt(xp.clip(m - self.root, 0.0, None)) * xp.sqrt(m + self.root)

    def undo(self, z: Array) -> Array:
        """Return the magnitude of which f is z."""
        xp = namespace(z)
        longer, shorter = xp.clip(z, self.root, None), xp.clip(z, 0.0, self.root)
        return longer * xp.sqrt(1 + (shorter / longer) ** 2)

    def far(self, y: Array) -> Array:
        """Return sqrt(y^2 - L + 1/2), right to the fourth power of 1/y."""
        return self(y)

    def nodes(self, upper: float) -> tuple[Values, Values, Values]:
        """Return nodes even in f, in which there is no kink; where f = 0 none are needed."""
        offset = self.coils - 0.5
        z, weights = gauss_legendre(np.arange(0, math.sqrt(upper**2 - offset) + 0.25, 0.25))
        m = np.sqrt(z**2 + offset)
        return m, z, weights * z / m


@dataclass(frozen=True, eq=False)
class Optimised:
    """The table of `vst_optimised` up to its end, and the asymptotic form from there on."""

    coils: float
    table: CubicTable
    inverse: CubicTable
    beyond: Asymptotic

    @classmethod
    def of(cls, coils: float) -> "Optimised":
        """Return the stabiliser for this number of coils."""
        table = optimised_table(coils)
        return cls(coils, table, _inverse(table), Asymptotic(coils))

    def __call__(self, m: Array) -> Array:
        """Return f(m)."""
        return namespace(m).where(m < self.table.stop, self.table(m), self.beyond(m))

    def undo(self, z: Array) -> Array:
        """Return the magnitude of which f is z."""
        return namespace(z).where(z < self.inverse.stop, self.inverse(z), self.beyond.undo(z))

    def far(self, y: Array) -> Array:
        """Return what the asymptotic form does."""
        return self.beyond.far(y)

    def nodes(self, upper: float) -> tuple[Values, Values, Values]:
        """Return nodes between the knots of the table, so that no knot is stepped over."""
        m, weights = gauss_legendre(np.arange(0, upper + self.table.step, self.table.step))
        return m, self(m), weights


@lru_cache(maxsize=32)
def stabiliser(form: Form, coils: float) -> Stabiliser:
    """Return the stabiliser of this form; found once for each number of coils."""
    if form == "optimised":
        return Optimised.of(coils)
    return Asymptotic(coils) if form == "asymptotic" else Identity(coils)


def _inverse(table: CubicTable) -> CubicTable:
    """Return the inverse function of an increasing table."""
    fine = np.linspace(table.start, table.stop, _FINE * table.coefficients.shape[1] + 1)
    values = table(fine)
    z = np.linspace(values[0], values[-1], fine.size)
    m = np.interp(z, values, fine)
    for _ in range(4):
        m = np.clip(m - (table(m) - z) / table.slope(m), table.start, table.stop)
    return CubicTable.through(float(z[0]), float(z[1] - z[0]), m, 1 / table.slope(m))
