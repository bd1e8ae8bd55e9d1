"""The optimised stabiliser of Rician and non-central chi noise: found by least squares.

A. Foi, "Noise estimation and removal in MR imaging: the variance-stabilization approach", ISBI
2011, and "Optimization of variance-stabilizing transformations" (preprint, 2009), has the idea: of
all monotone functions take the one whose output varies least in its standard deviation. Ours is
cubic in pieces. Its slope, a quadratic spline, has coefficients between `SLOPES`, and so has every
slope between them. It bends no more than it must, which also settles its slope at magnitudes that
never occur. It joins the asymptotic form with two continuous derivatives.
"""

import math
from dataclasses import dataclass

import numpy as np

from kspace_denoise.recon.cubic_table import CubicTable, Values
from kspace_denoise.sim.magnitude_noise import MagnitudeNoise

SLOPES = (0.3, 4.0)
_STEP = 0.25  # between knots, in units of sigma: noise blurs all that is finer
_ORDER = 4  # of the Gauss-Legendre rule between two knots
_DEVIATION = 0.01  # of the standard deviation from 1; counts as much as
_SKEWNESS = 0.5  # this much skewness, and as a slope that grows e-fold over one sigma


def optimised_table(coils: float) -> CubicTable:
    """Return f for magnitudes in units of sigma, up to where the asymptotic form is as good."""
    from scipy.interpolate import BSpline  # costs every import of the package 0.3 s

    first, last = max(0, int(math.sqrt(2 * coils)) - 4), math.ceil(math.sqrt(2 * coils)) + 6
    knots = np.arange(first, last + _STEP, _STEP)  # below there is no magnitude in 10^8
    slope = BSpline(np.r_[[first] * 2, knots, [last] * 2], _coefficients(knots, coils), 2)
    function = slope.antiderivative()
    values = function(knots) - function(last) + math.sqrt(last**2 - coils + 0.5)
    below = np.arange(0, first, _STEP)
    values = np.r_[values[0] + slope(first) * (below - first), values]
    slopes = np.r_[np.full(below.size, slope(first)), slope(knots)]
    return CubicTable.through(0.0, _STEP, values, slopes)


def gauss_legendre(edges: Values, order: int = _ORDER) -> tuple[Values, Values]:
    """Return the nodes and weights of the rule of this order on every interval between edges."""
    position, weight = np.polynomial.legendre.leggauss(order)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + (position + 1) * half).ravel(), (weight * half).ravel()


@dataclass(frozen=True, eq=False)
class _Problem:
    """How uneven the noise of f is, and how much f bends; for least squares.

    Attributes:
        density: quadrature weights of the magnitudes, `(amplitudes, nodes)`.
        rises: f at the nodes for each coefficient of its slope, `(nodes, coefficients)`.
        beyond: f at the nodes beyond the last knot, and 0 up to there.
        fixed: the last coefficients, which join the asymptotic form.
    """

    density: Values
    rises: Values
    beyond: Values
    fixed: Values

    def residual(self, free: Values) -> Values:
        """Return the deviation of spread, the skewness and the bends, each in its unit."""
        _, spread, skewness = self._shape(free)
        bends = np.diff(np.log(np.r_[free, self.fixed])) / _STEP**0.5
        return np.concatenate([(spread - 1) / _DEVIATION, skewness / _SKEWNESS, bends])

    def jacobian(self, free: Values) -> Values:
        """Return the derivative of the residual by the free coefficients."""
        centred, spread, skewness = (x[:, None] if x.ndim == 1 else x for x in self._shape(free))
        square = self.density * centred**2
        spreads = (self.density * centred) @ self.rises / spread
        skews = square @ self.rises - spread**2 * (self.density @ self.rises)
        skews = 3 * (skews / spread**3 - skewness * spreads / spread)
        bends = np.diff(np.eye(spreads.shape[1]), axis=0) / np.r_[free, self.fixed] / _STEP**0.5
        whole = np.concatenate([spreads / _DEVIATION, skews / _SKEWNESS, bends])
        return whole[:, : free.size]

    def _shape(self, free: Values) -> tuple[Values, Values, Values]:
        """Return f about its mean, its standard deviation and its skewness at each amplitude."""
        f = self.rises @ np.r_[free, self.fixed] + self.beyond
        centred = f - (self.density @ f)[:, None]
        spread = np.sqrt(np.sum(self.density * centred**2, axis=1))
        return centred, spread, np.sum(self.density * centred**3, axis=1) / spread**3


def _coefficients(knots: Values, coils: float) -> Values:
    """Return the coefficients of the slope of f."""
    from scipy.optimize import least_squares  # costs every import of the package 0.2 s

    top, offset = knots[-1], coils - 0.5
    end = math.sqrt(top**2 - offset)
    slope, bend = top / end, -offset / end**3
    nodes, weights = gauss_legendre(np.arange(knots[0], top + 10 + _STEP, _STEP))
    amplitudes = np.arange(0, top + 2, 0.25)
    problem = _Problem(
        density=MagnitudeNoise(1.0, coils).density(nodes, amplitudes[:, None]) * weights,
        rises=_rises(knots, np.minimum(nodes, top)),
        beyond=np.where(nodes > top, np.sqrt(np.maximum(nodes**2 - offset, 0)) - end, 0.0),
        fixed=np.array([slope - bend * _STEP / 2, slope]),
    )
    start = np.full(problem.rises.shape[1] - 2, 1.2)
    found = least_squares(problem.residual, start, problem.jacobian, SLOPES, "dogbox")
    return np.concatenate([found.x, problem.fixed])


def _rises(knots: Values, magnitudes: Values) -> Values:
    """Return how much f lacks of its value at the last knot, for each coefficient of its slope."""
    from scipy.interpolate import BSpline

    padded = np.r_[[knots[0]] * 2, knots, [knots[-1]] * 2]
    integral = BSpline(padded, np.eye(knots.size + 1), 2).antiderivative()
    rises: Values = integral(magnitudes) - integral(knots[-1])
    return rises
