"""Random fields in the plane: smooth ones for shape, width and phase, rough ones for texture."""

from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from kspace_denoise.fourier import ifft2c
from kspace_denoise.random import complex_normal

Reals: TypeAlias = np.ndarray[Any, Any]

_PERIOD = 400.0  # mm: well above the field of view, so that no field repeats inside it


def smooth_fields(
    y: Reals, x: Reals, wavelength: float, generator: np.random.Generator
) -> tuple[Reals, Reals]:
    """Return two independent fields of unit variance without waves shorter than `wavelength`.

    `y` `(ny, 1)`, `x` `(1, nx)` and `wavelength` are in millimetres; the fields float32 `(ny, nx)`.
    """
    order = int(_PERIOD / wavelength)
    k = np.arange(-order, order + 1)
    inside = np.hypot(k[:, None], k) <= order
    weights = inside * (generator.standard_normal((2, k.size, k.size)) / np.sqrt(inside.sum()))
    weights = (weights[0] + 1j * weights[1]).astype(np.complex64)
    turn = 2j * np.pi / _PERIOD * k
    waves_y = np.exp(turn * y).astype(np.complex64)
    waves_x = np.exp(turn[:, None] * x).astype(np.complex64)
    field = waves_y @ weights @ waves_x
    return field.real, field.imag


def rough_fields(
    shape: tuple[int, int], pixel: float, slope: float, generator: np.random.Generator
) -> tuple[Reals, Reals]:
    """Return two independent fields of unit variance whose power falls as frequency^-slope.

    The law holds for waves shorter than 40 mm; `pixel` is in millimetres, the fields float32.
    """
    noise = complex_normal(shape, np.empty(0, np.float32), generator)
    field = ifft2c(noise * _power_law(shape, pixel, slope))
    return field.real, field.imag


@lru_cache(maxsize=8)
def _power_law(shape: tuple[int, int], pixel: float, slope: float) -> Reals:
    """Return the amplitude filter of `rough_fields`, of mean square 1."""
    y, x = (((np.arange(n) - n // 2) / (n * pixel)) ** 2 for n in shape)
    amplitude = (y[:, None] + x + 40.0**-2) ** (-slope / 4)
    return np.asarray(amplitude / np.sqrt(np.mean(amplitude**2)), dtype=np.float32)


def ring_field(
    angles: int, harmonics: int, generator: np.random.Generator, decay: float = 1.0
) -> Reals:
    """Return a periodic field of unit variance over `angles` points: float32 `(angles,)`."""
    order = np.arange(1, harmonics + 1)
    weights = generator.standard_normal((2, harmonics)) * order ** (-decay)
    weights /= np.sqrt(np.sum(order ** (-2 * decay)))
    waves = _ring_waves(angles, harmonics)
    return np.asarray(((weights[0] - 1j * weights[1]) @ waves).real, dtype=np.float32)


@lru_cache(maxsize=16)
def _ring_waves(angles: int, harmonics: int) -> Reals:
    turn = 2j * np.pi / angles * np.arange(1, harmonics + 1)
    return np.asarray(np.exp(turn[:, None] * np.arange(angles)))
