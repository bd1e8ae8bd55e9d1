"""The curve of one readout of each trajectory, in a disc of radius 1: kx + i ky, from its start."""

import math
from typing import Any

import numpy as np

_FINE = 64  # points per turn, and per sample, on which the length of a spiral is measured


def spoke(samples: int) -> np.ndarray[Any, Any]:
    """Return a full spoke from -1 to just under 1; the centre is sample `samples // 2`."""
    return 2 * (np.arange(samples) - samples // 2) / samples + 0j


def spiral(samples: int, turns: float, density: float) -> np.ndarray[Any, Any]:
    """Return τ^density exp(2πi turns τ) for τ from 0 to under 1, its samples equally far apart.

    `density` 1 is Archimedes' spiral, above 1 the turns are closer in the centre (Kim,
    Adalsteinsson and Spielman, Magn. Reson. Med. 50:214, 2003).
    """
    fine, length = _spiral_length(turns, density)
    tau = np.interp(np.arange(samples) / samples * length[-1], length, fine)
    return np.asarray(tau**density * np.exp(2j * np.pi * turns * tau))


def spiral_length(turns: float, density: float) -> float:
    """Return the length of a spiral of radius 1."""
    return float(_spiral_length(turns, density)[1][-1])


def rosette(samples: int, width: float) -> np.ndarray[Any, Any]:
    """Return a petal sin(πt) exp(iπ width t) for t from 0 to under 1: from the centre and back.

    Width 0 is a half spoke out and back, 1 a circle through the centre (Noll, IEEE Trans. Med.
    Imaging 16:372, 1997).
    """
    t = np.arange(samples) / samples
    return np.asarray(np.sin(np.pi * t) * np.exp(1j * np.pi * width * t))


def _spiral_length(
    turns: float, density: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return τ from 0 to 1 and the length of the spiral up to there."""
    tau = np.linspace(0, 1, _FINE * math.ceil(turns + density) * 8)
    curve = tau**density * np.exp(2j * np.pi * turns * tau)
    return tau, np.concatenate([[0], np.cumsum(np.abs(np.diff(curve)))])
