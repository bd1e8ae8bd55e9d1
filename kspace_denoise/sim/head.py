"""A brain-like phantom with the k-space that a scanner would measure of it, noise apart."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.random import Seed, numpy_generator
from kspace_denoise.sim.anatomy import draw_anatomy
from kspace_denoise.sim.coils import coil_maps, grid
from kspace_denoise.sim.contrast import spin_echo
from kspace_denoise.sim.fields import rough_fields, smooth_fields
from kspace_denoise.sim.fractions import tissue_fractions
from kspace_denoise.sim.pose import Layer
from kspace_denoise.sim.resolution import central_kspace, voxel_centres
from kspace_denoise.sim.sequences import SpinEcho
from kspace_denoise.sim.tissues import TISSUES, Tissue, check_field

Reals: TypeAlias = np.ndarray[Any, Any]

_SMALLEST = 16
_ROUNDING = 1e-6  # of a field that has been through float32

TEXTURE = {
    "white": 0.03,
    "cortex": 0.04,
    "deep_grey": 0.05,
    "pallidum": 0.05,
    "csf": 0.03,
    "bone": 0.1,
    "marrow": 0.15,
    "fat": 0.20,
    "muscle": 0.06,
    "skin": 0.06,
    "dura": 0.05,
    "vessel": 0.1,
    "lesion": 0.08,
}
"""The tissues of a head, and the relative standard deviation of T1 and T2 within each."""


class Phantom(NamedTuple):
    """A slice of a random head, scaled so that its mean magnitude over `mask` is 1."""

    image: Reals
    """The truth, complex64 `(y, x)`: without coils and noise, at the resolution of `kspace`."""
    mask: Reals
    """The head, bool `(y, x)`."""
    kspace: Reals | None
    """Noise-free, complex64 `(coils, ky, kx)`; None if no coils were asked for."""
    scale: float
    """What `image` and `kspace` were multiplied by: over it, fully relaxed CSF has signal 1."""
    tissues: dict[str, Reals]
    """The fraction of each voxel that a tissue fills, {name: float32 `(y, x)`}; the rest is air."""
    relaxation: dict[str, Tissue]
    """The tissues as they are in this head, at all fields; voxels scatter around them."""


def phantom(
    shape: tuple[int, ...],
    contrast: str = "T2w",
    field: float = 3.0,
    seed: Seed = 0,
    coils: int = 0,
    oversampling: int = 2,
) -> Phantom:
    """Draw an axial slice of a random head; no two seeds give the same.

    Tissue, texture and coil maps live on a grid `oversampling` times finer. `kspace` is the
    central part of its Fourier transform and the truth `image` is the same part without the
    coils, so no reconstruction can share the grid or the maps of the simulation.

    Args:
        shape: `(y, x)`, each at least 16; pixels are square and show at least 225 x 180 mm.
        contrast: PDw, T1w, T2w or FLAIR, see `spin_echo`.
        field: 0.05 to 7 T, 10 % beyond with a warning; it sets T1 and T2, see `TISSUES`, and
            neither magnetisation nor noise: those are `low_field`'s. The head does not depend on
            contrast or field.
        seed: integer or generator.
        coils: number of receive coils, see `coil_maps`; 0 for none.
        oversampling: at least 2.

    Raises:
        TypeError: if the field is no number.
        ValueError: if the contrast is unknown or another argument out of its range.
    """
    sequence = spin_echo(contrast)
    _check(shape, field, coils, oversampling)
    children = numpy_generator(seed).integers(2**62, size=4)
    of_anatomy, of_tissue, of_phase, of_coils = map(np.random.default_rng, children)
    factor = int(oversampling)
    fine = (shape[0] * factor, shape[1] * factor)
    anatomy = draw_anatomy(fine, of_anatomy)
    subject, texture = _draw_subject(fine, of_tissue)
    signal = _signal(anatomy.layers, fine, sequence, field, subject, texture)
    phase = _phase(fine, of_phase)
    full = signal * (np.cos(phase) + 1j * np.sin(phase))
    image = ifft2c(central_kspace(fft2c(full), shape))
    mask = voxel_centres(anatomy.head, shape, factor) > 0
    scale = 1 / np.mean(np.abs(image[mask]))
    kspace = None
    if coils:
        kspace = central_kspace(fft2c(coil_maps(fine, coils, of_coils) * (full * scale)), shape)
    tissues = tissue_fractions(anatomy.layers, fine, shape, factor)
    own = {name: TISSUES[name].scaled(*subject[name]) for name in tissues}
    return Phantom(image * scale, mask, kspace, float(scale), tissues, own)


def _check(shape: tuple[int, ...], field: float, coils: int, oversampling: int) -> None:
    if len(shape) != 2 or min(shape) < _SMALLEST:
        raise ValueError(f"shape is {tuple(shape)}, expected (y, x), each {_SMALLEST} or more")
    check_field("field", field)
    known = [TISSUES[name].fields for name in TEXTURE]
    low, high = max(low for low, _ in known), min(high for _, high in known)
    if not low * (1 - _ROUNDING) <= field <= high * (1 + _ROUNDING):
        raise ValueError(
            f"field is {field} T, and the tissues of a head are known from {low:g} to {high:g} T"
        )
    if coils < 0:
        raise ValueError(f"coils is {coils}, expected 0 (none) or more")
    if oversampling < 2 or oversampling % 1:
        raise ValueError(
            f"oversampling is {oversampling}, expected an integer of at least 2: on the grid of "
            "the image itself a reconstruction would be judged by its own assumptions"
        )


def _draw_subject(
    shape: tuple[int, int], generator: np.random.Generator
) -> tuple[dict[str, list[float]], tuple[Reals, Reals]]:
    """Draw what T1, T2 and proton density of the tissues are multiplied by, and their texture."""
    texture = rough_fields(shape, grid(shape)[2], 2.5, generator)
    water, mobility = (np.clip(part, -4, 4) for part in texture)
    spread = np.exp(generator.normal(0, 0.03, (len(TEXTURE), 3)))
    return dict(zip(TEXTURE, spread.tolist(), strict=True)), (water, mobility)


def _signal(
    layers: list[Layer],
    shape: tuple[int, int],
    sequence: SpinEcho,
    field: float,
    subject: dict[str, list[float]],
    texture: tuple[Reals, Reals],
) -> Reals:
    """Return the signal of the layers, whose tissues vary between heads and within one."""
    water, mobility = texture
    signal = np.zeros(shape, np.float32)
    for name, coverage, window in layers:
        tissue, (more_t1, more_t2, more_protons) = TISSUES[name], subject[name]
        t1 = more_t1 * tissue.t1_at(field) * (1 + TEXTURE[name] * water[window])
        t2 = more_t2 * tissue.t2_at(field) * (1 + TEXTURE[name] * mobility[window])
        part = signal[window]
        full = sequence.signal(more_protons * tissue.proton_density, t1, t2)
        part += coverage * (full - part)
    return signal


def _phase(shape: tuple[int, int], generator: np.random.Generator) -> Reals:
    """Draw the phase in radians: of transmission and echo, and of the field near the sinuses."""
    y, x, _ = grid(shape)
    smooth = smooth_fields(y, x, 130, generator)[0]
    offset, ramp_y, ramp_x = generator.normal(0, (2.0, 0.01, 0.01))
    sinus = generator.normal(0, 0.8) * np.exp(-(((y + 85) / 28) ** 2) - (x / 32) ** 2)
    return np.asarray(0.7 * smooth + offset + ramp_y * y + ramp_x * x + sinus, dtype=np.float32)
