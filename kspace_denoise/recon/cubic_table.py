"""A smooth function of one variable as a table, evaluated wherever the data are."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kspace_denoise.arrays import Array, like, namespace

Values = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class CubicTable:
    """A piecewise cubic with continuous slope on evenly spaced nodes.

    Called with a float array of any kind, it returns the same kind, device and precision. Beyond
    its ends it takes the value of the nearer end.

    Attributes:
        start: the first node.
        step: the distance between nodes.
        coefficients: `(4, pieces)`, highest power first; the position within a piece is 0 to 1.
    """

    start: float
    step: float
    coefficients: Values

    @classmethod
    def through(cls, start: float, step: float, values: Values, slopes: Values) -> "CubicTable":
        """Return the cubic Hermite interpolant of these values and slopes at the nodes."""
        rise = np.diff(values)
        left, right = slopes[:-1] * step, slopes[1:] * step
        cubic, square = left + right - 2 * rise, 3 * rise - 2 * left - right
        return cls(float(start), float(step), np.stack([cubic, square, left, values[:-1]]))

    @classmethod
    def sampled(cls, x: Values, y: Values, step: float) -> "CubicTable":
        """Return the natural course through unevenly spaced points of rising x, from the first on.

        The step is made to fit.
        """
        from scipy.interpolate import CubicSpline  # costs every import of the package 0.3 s

        spline = CubicSpline(x, y)
        nodes = np.linspace(x[0], x[-1], math.ceil((x[-1] - x[0]) / step) + 1)
        return cls.through(nodes[0], nodes[1] - nodes[0], spline(nodes), spline(nodes, 1))

    @property
    def stop(self) -> float:
        """The last node."""
        return self.start + self.step * int(self.coefficients.shape[1])

    def __call__(self, x: Array) -> Array:
        """Return the function at x."""
        xp = namespace(x)
        pieces = self.coefficients.shape[1]
        inside = xp.clip(x, self.start, self.stop)  # first: the quotient of huge ones overflows
        position = xp.clip((inside - self.start) * (1 / self.step), 0.0, float(pieces))
        piece = xp.clip(xp.astype(position, xp.int64), 0, pieces - 1)
        within = position - xp.astype(piece, x.dtype)
        where = xp.reshape(piece, (-1,))
        powers = like(self.coefficients, x, x.dtype)
        result: Array = 0.0
        for k in range(4):
            result = result * within + xp.reshape(xp.take(powers[k, :], where, axis=0), x.shape)
        return result

    def slope(self, x: Values) -> Values:
        """Return the derivative at x between the ends, for numpy arrays."""
        pieces = self.coefficients.shape[1]
        position = (x - self.start) / self.step
        piece = np.clip(position.astype(int), 0, pieces - 1)
        within = position - piece
        cubic, square, linear, _ = self.coefficients[:, piece]
        slope: Values = ((3 * cubic * within + 2 * square) * within + linear) / self.step
        return slope
