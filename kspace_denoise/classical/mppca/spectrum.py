"""Which components of a patch are noise, and its power, by the law of Marchenko and Pastur.

A matrix of m x q noise, m at most q, has singular values whose squares lie between q σ² (1 - √γ)²
and q σ² (1 + √γ)², γ = m / q, σ² = E|noise|². Once p components of signal are gone, what is left
counts as (m - p) x (q - p).
"""

import functools
import math
from typing import NamedTuple

import numpy as np
import torch
from scipy.integrate import quad
from scipy.optimize import brentq
from torch import Tensor

_SHAPES = 65  # between which the median of the law is interpolated


class Law(NamedTuple):
    """How noise is told from signal in matrices of `rows` by `columns` that are not blank, `(n,)`.

    With `paper` what is left counts as (m - p) x q, and its power is its mean (Veraart et al.,
    NeuroImage 142:394, 2016, eq. 11 and 12): σ is then too small by √((q - p) / q). Otherwise it
    counts as (m - p) x (q - p), and its power is told by its median: components of signal too weak
    to be told from noise raise the largest values. Where its `power` is known, components of signal
    are those beyond the law's upper end.
    """

    rows: Tensor
    columns: Tensor
    paper: bool = False
    power: float | None = None

    def signal_components(self, values: Tensor) -> Tensor:
        """Return how many components rise above the noise, `(n,)`, of squared singular `values`.

        Values `(n, k)` fall. Components are taken off from the largest until those that are left
        do not spread wider than noise of their own mean would, or of the known power.
        """
        m, q = self._left(values)
        there = m > 0
        values = torch.where(there, values.clamp(min=0), 0)
        if self.power is not None:
            end = self.power * (m.clamp(min=0).sqrt() + q.sqrt()).square()
            return (there & (values > end)).long().cumprod(dim=1).sum(dim=1)
        mean = values.flip(-1).cumsum(-1).flip(-1) / (m * q).clamp(min=1)
        smallest = values.gather(1, (self._shorter[:, None] - 1).clamp(min=0))
        spread = (values - smallest) / (4 * (m * q).clamp(min=1).sqrt())
        # Where one value is left its spread is 0: the search ends.
        is_noise = there & (spread <= mean)
        first = is_noise.to(torch.uint8).argmax(dim=1)
        return torch.where(is_noise.any(dim=1), first, 0)

    def noise_power(self, values: Tensor, kept: Tensor) -> Tensor:
        """Return E|noise|² of what is left once `kept` components are gone, `(n,)`, 0 of none."""
        last = kept.clamp(max=values.shape[1] - 1)[:, None]
        m, q = (x.gather(1, last)[:, 0].clamp(min=1) for x in self._left(values))
        if self.paper:
            gone = torch.arange(values.shape[1], device=values.device) < kept[:, None]
            return torch.where(gone, 0, values.clamp(min=0)).sum(dim=1) / (m * q)
        middle = (m - 1) / 2
        below, above = (
            values.gather(1, (kept + x.long()).clamp(max=values.shape[1] - 1)[:, None])[:, 0]
            for x in (middle.floor(), middle.ceil())
        )
        power = ((below + above) / 2).clamp(min=0) / (q * _median(m / q))
        return torch.where(kept < self._shorter, power, 0)

    @property
    def _shorter(self) -> Tensor:
        return torch.minimum(self.rows, self.columns)

    def _left(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sides of what is left without p components, for every p, `(n, k)`."""
        gone = torch.arange(values.shape[1], device=values.device)
        longer = torch.maximum(self.rows, self.columns)[:, None]
        m = (self._shorter[:, None] - gone).to(values.dtype)
        q = (longer - (0 * gone if self.paper else gone)).to(values.dtype)
        return m, q


def _median(shape: Tensor) -> Tensor:
    """Return the median of the law for γ from 0 to 1, σ² q = 1."""
    table = torch.from_numpy(_medians()).to(shape)
    place = (shape * (_SHAPES - 1)).clamp(0, _SHAPES - 1)
    low = place.floor().long().clamp(max=_SHAPES - 2)
    return torch.lerp(table[low], table[low + 1], place - low)


@functools.cache
def _medians() -> np.ndarray:
    return np.array([1.0, *(law_median(g) for g in np.linspace(0, 1, _SHAPES)[1:])])


def law_median(shape: float) -> float:
    """Return the median of the law of Marchenko and Pastur for γ = `shape`, above 0, at most 1."""
    low, high = (1 - math.sqrt(shape)) ** 2, (1 + math.sqrt(shape)) ** 2

    def density(t: float) -> float:
        x = (low + high) / 2 - (high - low) / 2 * math.cos(t)  # smooth at both ends
        return ((high - low) / 2 * math.sin(t)) ** 2 / (2 * math.pi * shape * max(x, 1e-300))

    def too_much(t: float) -> float:
        return float(quad(density, 0, t)[0]) - 0.5

    middle = brentq(too_much, 0, math.pi)
    return (low + high) / 2 - (high - low) / 2 * math.cos(middle)
