"""Non-Cartesian trajectories: radial, golden-angle, spiral and rosette."""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from kspace_denoise.random import Seed, numpy_generator
from kspace_denoise.sim.trajectory_curves import rosette, spiral, spiral_length, spoke

_GOLDEN = (1 + math.sqrt(5)) / 2
_SPACING = 0.5  # cycles per field of view between the samples of a readout: twice Nyquist
_ROUNDING = 1e-3  # of a gap of one cycle: 402.12 spokes are 402
_MOST_POSITIONS = 2**27  # a gigabyte


class _Kind(NamedTuple):
    """A family of readouts that are one curve, turned by an angle that grows from each to the next.

    Every function takes the options as keywords; `radius` is that of k-space, in cycles.
    """

    options: dict[str, float]
    curve: Callable[..., np.ndarray[Any, Any]]
    step: Callable[..., float]
    readouts: Callable[..., float]
    length: Callable[..., float]


_KINDS = {
    "radial": _Kind(
        {},
        curve=spoke,
        step=lambda readouts: math.pi / readouts,
        readouts=lambda radius: math.pi * radius,
        length=lambda radius: 2 * radius,
    ),
    "golden-angle": _Kind(
        {"tiny": 1},
        curve=lambda samples, **_: spoke(samples),
        step=lambda readouts, tiny: math.pi / (_GOLDEN + tiny - 1),  # noqa: ARG005
        readouts=lambda radius, **_: math.pi * radius,
        length=lambda radius, **_: 2 * radius,
    ),
    "spiral": _Kind(
        {"turns": 8.0, "density": 1.25},
        curve=spiral,
        step=lambda readouts, **_: 2 * math.pi / readouts,
        readouts=lambda radius, turns, density: density * radius / turns,
        length=lambda radius, turns, density: radius * spiral_length(turns, density),
    ),
    "rosette": _Kind(
        {"width": 1.0},
        curve=rosette,
        step=lambda readouts, **_: 2 * math.pi / readouts,
        readouts=lambda radius, width: 2 * math.pi * radius / (1 + width),
        length=lambda radius, width: math.pi * radius * max(1.0, width),
    ),
}
_LEAST = {"tiny": 1, "turns": 0.0, "density": 1.0, "width": 0.0}
_MOST = 1000  # of any of these


def trajectory(
    kind: str,
    shape: tuple[int, ...],
    readouts: int | None = None,
    samples: int | None = None,
    *,
    seed: Seed | None = None,
    **options: float,
) -> np.ndarray[Any, Any]:
    """Return positions in k-space: float32 `(readouts, samples, 2)`, the last axis (ky, kx).

    They are in cycles per field of view: the integers j - n // 2 are the Cartesian samples of an
    axis of n pixels. Readouts fill the ellipse |2 ky / ny|² + |2 kx / nx|² ≤ 1; only their geometry
    is simulated, not the gradients.

    Args:
        kind: `radial`, spokes through the centre at equal angles over π; `golden-angle`, spokes
            π / 1.618 = 111.25° apart (Winkelmann et al., IEEE Trans. Med. Imaging 26:68, 2007);
            `spiral`, interleaves from the centre outwards; `rosette`, petals from the centre and
            back to it.
        shape: of the image, (ny, nx).
        readouts: spokes, interleaves or petals; None takes as many as leave gaps of at most one
            cycle per field of view (golden angles: on average): π/2 · max(shape) spokes, 402 for
            256. Fewer undersample, by the factor that `trajectory_acceleration` returns.
        samples: per readout; None takes at most half a cycle from one to the next, 512 for 256.
        seed: draws the angle of the first readout; None starts along kx.
        options: of a kind. `golden-angle`: tiny=1, its order N, the angle being π / (1.618 + N - 1)
            (Wundrak et al., IEEE Trans. Med. Imaging 34:1262, 2015). `spiral`: turns=8 of each
            interleaf, and density=1.25, by which turns are closer in the centre than at the edge,
            down to 1, equally close. `rosette`: width=1, petals that are circles, down to 0,
            straight ones.

    Raises:
        TypeError: if a number is none.
        ValueError: if there is no such kind or option, or a number is out of its range.
    """
    family, settings = _checked(kind, shape, options)
    count, points = _counts(family, settings, max(shape) / 2, readouts, samples)
    first = 0.0 if seed is None else numpy_generator(seed).uniform(0, 2 * math.pi)
    angles = first + np.arange(count) * family.step(count, **settings)
    positions = np.exp(1j * angles)[:, None] * family.curve(points, **settings)
    ny, nx = shape
    return np.stack([positions.imag * ny / 2, positions.real * nx / 2], -1).astype(np.float32)


def trajectory_acceleration(
    kind: str, shape: tuple[int, ...], readouts: int, **options: float
) -> float:
    """Return the readouts that Nyquist asks for over the readouts that there are.

    This is what papers call the acceleration, for golden angles too. In cycles per field of view it
    is the mean gap between neighbouring readouts where they are furthest apart, and the widest one
    too if all angles are equal. Golden angles leave gaps of two or three sizes, the widest 1.17 to
    1.9 times the mean: 1.25 times for 402 spokes, 1.72 times for 50. Tiny ones leave wider gaps as
    long as there are few spokes.

    Raises:
        TypeError: as `trajectory`.
        ValueError: as `trajectory`.
    """
    family, settings = _checked(kind, shape, options)
    return family.readouts(max(shape) / 2, **settings) / _count("readouts", readouts, 1)


def _checked(
    kind: str, shape: tuple[int, ...], options: dict[str, float]
) -> tuple[_Kind, dict[str, float]]:
    """Return the family and all its options."""
    if kind not in _KINDS:
        raise ValueError(f"unknown trajectory {kind!r}; there are: {', '.join(_KINDS)}")
    if len(shape) != 2 or not all(_is_whole(n) and n >= 1 for n in shape):
        raise ValueError(f"image shape is {tuple(shape)}, expected two positive integers (y, x)")
    family = _KINDS[kind]
    for name, value in options.items():
        if name not in family.options:
            known = ", ".join(family.options) or "none"
            raise ValueError(f"{kind} has no option {name!r}; its options: {known}")
        _check_option(name, value)
    return family, family.options | options


def _check_option(name: str, given: object) -> None:
    if not isinstance(given, Real):
        raise TypeError(f"{name} is {given!r}, expected a number")
    least, value = _LEAST[name], float(given)
    enough = value > least if name == "turns" else value >= least
    if not (enough and value <= _MOST) or (name == "tiny" and not value.is_integer()):
        expected = "above 0" if name == "turns" else f"at least {least:g}"
        expected = "an integer of at least 1" if name == "tiny" else expected
        raise ValueError(f"{name} is {given}, expected {expected} and at most {_MOST}")


def _counts(
    family: _Kind,
    settings: dict[str, float],
    radius: float,
    readouts: int | None,
    samples: int | None,
) -> tuple[int, int]:
    """Return how many readouts, of how many samples: those given, or those of full sampling."""
    full = math.ceil((1 - _ROUNDING) * family.readouts(radius, **settings))
    count = _count("readouts", readouts, 1, full)
    length = family.length(radius, **settings) / _SPACING
    # The first sample of a spiral or petal, and the only one of a spoke of one, is the centre.
    points = _count("samples", samples, 2, max(2, math.ceil(length - 1e-9)))
    if count * points > _MOST_POSITIONS:
        raise ValueError(
            f"{count} readouts of {points} samples are {count * points:.2g} positions, more than "
            f"{_MOST_POSITIONS:.2g}; give fewer readouts or samples"
        )
    return count, points


def _is_whole(x: object) -> bool:
    return isinstance(x, Real) and float(x).is_integer()


def _count(name: str, given: object, least: int, default: int | None = None) -> int:
    if given is None and default is not None:
        return default
    if not isinstance(given, Real):
        raise TypeError(f"{name} is {given!r}, expected an integer of at least {least}")
    if not (_is_whole(given) and float(given) >= least):
        why = "; one would be the centre of k-space alone" if name == "samples" else ""
        raise ValueError(f"{name} is {given}, expected an integer of at least {least}{why}")
    return int(float(given))
