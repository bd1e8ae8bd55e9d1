"""Receive arrays: the sensitivities of loops around the head, and the noise that they share."""

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.special import ellipe, ellipkm1

from kspace_denoise.random import Seed, numpy_generator

Reals: TypeAlias = np.ndarray[Any, Any]

FIELD_OF_VIEW = (225.0, 180.0)
"""Sides (y, x) in millimetres that every simulated image shows at least, around a head."""

_FORMER = (144.0, 132.0)  # half axes (y, x) of the ellipse on which the loops sit, mm
_WIRE = 10.0  # no field is evaluated closer to a conductor than this, mm
_LARGEST_RING = 12  # more loops than this sit on two rings


class Loop(NamedTuple):
    """A circular current loop; lengths in millimetres, vectors as (x, y, z)."""

    centre: tuple[float, float, float]
    normal: tuple[float, float, float]
    radius: float


def coil_maps(shape: tuple[int, ...], coils: int, seed: Seed) -> Reals:
    """Return receive sensitivities of an array of circular loops: complex64 `(coils, y, x)`.

    The loops sit on an elliptic former around the head, jittered in position, size and tilt. By
    reciprocity the sensitivity is the transverse field Bx - iBy of a unit current, here in closed
    form. One coil is the uniform mode of a birdcage: a ring of loops summed in phase. The maps
    are scaled so that sqrt(Σ|S|²) has the mean 1 over the image; its geometry is that of `grid`.

    Raises:
        ValueError: if the shape is not two positive numbers, or there is no coil.
    """
    y, x, _ = grid(shape)
    if coils < 1:
        raise ValueError(f"coils is {coils}, expected at least 1")
    generator = numpy_generator(seed)
    angles, loops = _head_array(8 if coils == 1 else coils, generator)
    maps = np.stack([receive_field(loop, x, y) for loop in loops])
    if coils == 1:
        maps = np.tensordot(np.exp(1j * angles), maps, axes=1)[None]
    maps *= np.exp(2j * np.pi * generator.random(coils))[:, None, None]
    maps /= np.mean(np.sqrt(np.sum(maps.real**2 + maps.imag**2, axis=0)))
    return maps.astype(np.complex64)


def receive_field(loop: Loop, x: Reals, y: Reals) -> Reals:
    """Return Bx - iBy of the loop in the plane z = 0, for μ0·I = 1 and x, y in millimetres.

    With r from the centre of the loop, h along its axis and ρ off it, the field of a circular
    current is B = (Bh - h·q)·normal + q·r, q = Bρ/ρ, where Bh and Bρ hold complete elliptic
    integrals (Smythe, Static and Dynamic Electricity, section 7.10; Simpson et al., NASA
    TM-2013-217919). Closer than 10 mm to the conductor the field is that at 10 mm.
    """
    (cx, cy, cz), (ux, uy, uz), a = loop
    rx, ry = x - cx, y - cy
    h = rx * ux + ry * uy - cz * uz
    squared = rx**2 + ry**2 + cz**2
    rho2 = np.maximum(squared - h**2, 0)
    far = a**2 + squared + 2 * a * np.sqrt(rho2)
    gap = np.maximum(2 * (a**2 + squared) - far, _WIRE**2)
    ratio = gap / far
    k, e = ellipkm1(ratio), ellipe(1 - ratio) / gap
    scale = 1 / (2 * math.pi * np.sqrt(far))
    along = scale * (k + (a**2 - squared) * e)
    near_axis = 1 - ratio < 1e-4  # there the two terms of q cancel; its limit takes over
    q = scale * h * ((a**2 + squared) * e - k) / np.where(near_axis, 1, rho2)
    q = np.where(near_axis, 0.75 * a**2 * h / (a**2 + h**2) ** 2.5, q)
    return np.asarray((along - h * q) * (ux - 1j * uy) + q * (rx - 1j * ry))


def array_covariance(coils: int, seed: Seed, correlation: float = 0.35) -> Reals:
    """Return a noise covariance such as receive arrays have: complex128 `(coils, coils)`.

    Levels differ by up to 1.3x; neighbours on the ring correlate by about `correlation` with
    random phases, others less the farther they are apart. Ψ[i,j] = E[nᵢ conj(nⱼ)], and its mean
    diagonal is 2: sigma = 1 per real component on average.

    Raises:
        ValueError: if there is no coil, or the correlation is not in [0, 1).
    """
    if coils < 1:
        raise ValueError(f"coils is {coils}, expected at least 1")
    if not 0 <= correlation < 1:
        raise ValueError(f"correlation is {correlation}, expected 0 or more and below 1")
    generator = numpy_generator(seed)
    steps = np.abs(np.subtract.outer(np.arange(coils), np.arange(coils)))
    psi = float(correlation) ** np.minimum(steps, coils - steps)
    # Products of a positive matrix with another, entry by entry, stay positive (Schur).
    spread = 1 + 0.2 * generator.standard_normal((2, coils, 4 * coils))
    paths = spread[0] + 1j * (spread[1] - 1)
    gram = paths @ paths.conj().T
    gains = generator.uniform(1, 1.3, coils) * np.exp(2j * np.pi * generator.random(coils))
    gains /= np.sqrt(np.diag(gram).real)
    psi = psi * gram * np.outer(gains, gains.conj())
    psi *= 2 * coils / np.trace(psi).real
    return np.asarray((psi + psi.conj().T) / 2)


def grid(shape: tuple[int, ...]) -> tuple[Reals, Reals, float]:
    """Return the positions y `(y, 1)` and x `(1, x)` of the pixels and their size, in millimetres.

    Pixels are square, as large as `FIELD_OF_VIEW` requires; pixel n // 2 stands at the centre.

    Raises:
        ValueError: if the shape is not two positive numbers.
    """
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"shape is {tuple(shape)}, expected two positive numbers (y, x)")
    pixel = max(side / n for side, n in zip(FIELD_OF_VIEW, shape, strict=True))
    y, x = ((np.arange(n) - n // 2) * pixel for n in shape)
    return y[:, None], x[None, :], pixel


def _head_array(coils: int, generator: np.random.Generator) -> tuple[Reals, list[Loop]]:
    """Return the loops of an array, and the angle at which each of them looks at the head."""
    rings = 2 if coils > _LARGEST_RING else 1
    order = np.arange(coils)
    per_ring = -(-coils // rings)
    start = generator.uniform(0, 2 * np.pi)
    angles = start + 2 * np.pi * (order // rings + order % rings / 2) / per_ring
    angles += generator.uniform(-0.15, 0.15, coils) * 2 * np.pi / per_ring
    level = generator.uniform(-15, 15) + (order % rings - (rings - 1) / 2) * 70
    radius = np.clip(520 / per_ring, 35, 75) * generator.uniform(0.9, 1.1, coils)
    out = generator.uniform(1, 1.06, coils)
    heights = level + generator.uniform(-8, 8, coils)
    tilts = generator.uniform(-0.2, 0.2, (2, coils))
    loops = []
    for i, angle in enumerate(angles):
        cx, cy = out[i] * _FORMER[1] * np.cos(angle), out[i] * _FORMER[0] * np.sin(angle)
        turn, lift = angle + tilts[0, i], tilts[1, i]
        normal = (np.cos(lift) * np.cos(turn), np.cos(lift) * np.sin(turn), np.sin(lift))
        loops.append(Loop((cx, cy, float(heights[i])), normal, float(radius[i])))
    return angles, loops
