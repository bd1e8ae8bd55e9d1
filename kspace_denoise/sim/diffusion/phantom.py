"""A diffusion scan of a random brain, with the tensors that are behind it."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.random import Seed, numpy_generator
from kspace_denoise.sim.coils import coil_maps, grid
from kspace_denoise.sim.diffusion.brain import Brain, Place, draw_brain
from kspace_denoise.sim.diffusion.directions import GradientScheme
from kspace_denoise.sim.diffusion.water import Compartment, compartments
from kspace_denoise.sim.diffusion.waves import waves
from kspace_denoise.sim.resolution import central_kspace, voxel_centres, voxel_mean

Reals: TypeAlias = np.ndarray[Any, Any]

SLICE = 2.5
"""Distance of slices, mm."""
HEIGHT = 18.0
"""Of the middle slice above the commissures, mm: through callosum and ventricles."""
CROSSING = 0.7
"""Fibres cross in white matter of which no bundle has more than this."""

_PURE = 0.9  # of a voxel: what counts as of one tissue
_PHASE = 90.0  # shortest wave of the phase, mm


class DiffusionPhantom(NamedTuple):
    """A diffusion scan; images are scaled to a mean magnitude of 1 over `mask` at b = 0."""

    image: Reals
    """The truth, complex64 `(volumes, slices, y, x)`: without coils and noise."""
    tensor: Reals
    """The mean diffusion tensor in mm²/s, float32 `(slices, y, x, 3, 3)`, axes x, y, z; 0
    outside `mask`."""
    mask: Reals
    """The brain, bool `(slices, y, x)`."""
    regions: dict[str, Reals]
    """White matter, its callosum and where its fibres cross, grey matter and csf: bool."""
    kspace: Reals | None
    """Noise-free, complex64 `(volumes, slices, coils, ky, kx)`; None without coils."""


def diffusion_phantom(
    shape: tuple[int, ...],
    scheme: GradientScheme,
    seed: Seed = 0,
    coils: int = 0,
    oversampling: int = 2,
) -> DiffusionPhantom:
    """Draw a brain of `shape` (slices, y, x) and scan its diffusion; no two seeds give the same.

    A voxel holds compartments of known tensors: the bundles of white matter that meet there,
    cortex, deep grey matter, CSF. Diffusivities and signal vary finely and smoothly within a
    tissue. Every volume has a smooth phase of its own, as motion during diffusion encoding leaves
    it. Tissue and coil maps live on a grid `oversampling` times finer in the plane, see `phantom`.

    Args:
        shape: `(slices, y, x)`; slices are 2.5 mm apart, pixels as wide as in `phantom`.
        scheme: b-values and directions, see `gradient_scheme`.
        seed: integer or generator.
        coils: number of receive coils, see `coil_maps`; 0 for none.
        oversampling: an integer of at least 2.

    Raises:
        ValueError: if the shape is not three numbers of at least (1, 16, 16), the scheme does not
            hold a direction for each b-value, there are fewer than 0 coils, or the oversampling is
            below 2.
    """
    _check(shape, scheme, coils, oversampling)
    children = numpy_generator(seed).integers(2**62, size=4)
    of_brain, of_texture, of_phase, of_coils = map(np.random.default_rng, children)
    plane, factor = tuple(shape[1:]), int(oversampling)
    fine = (plane[0] * factor, plane[1] * factor)
    place, pixel = _places(shape[0], fine)
    brain = draw_brain(place, pixel, of_brain)
    water = compartments(brain, place, of_texture)
    mask = voxel_centres(_brain(brain), plane, factor) > 0.5
    maps = coil_maps(fine, coils, of_coils) if coils else None
    images, kspace = [], []
    phases = waves(place, _PHASE, len(scheme.bval), of_phase)
    for bval, bvec, phase in zip(*scheme, phases, strict=True):
        full = sum(part.weighted(bval, bvec) for part in water) * np.exp(1j * phase)
        images.append(ifft2c(central_kspace(fft2c(full), plane)))
        if maps is not None:
            kspace.append(central_kspace(fft2c(maps * full[:, None]), plane))
    scale = _scale(water, mask, plane, factor)
    return DiffusionPhantom(
        (scale * np.stack(images)).astype(np.complex64),
        _mean_tensor(water, mask, factor),
        mask,
        _regions(brain, mask, factor),
        None if maps is None else (scale * np.stack(kspace)).astype(np.complex64),
    )


def _check(shape: tuple[int, ...], scheme: GradientScheme, coils: int, oversampling: int) -> None:
    if len(shape) != 3 or min(shape) < 1 or min(shape[1:]) < 16:
        raise ValueError(
            f"shape is {tuple(shape)}, expected (slices, y, x) of at least (1, 16, 16)"
        )
    volumes = np.size(scheme.bval)
    if np.shape(scheme.bval) != (volumes,) or np.shape(scheme.bvec) != (volumes, 3) or not volumes:
        raise ValueError(
            f"the scheme has b-values of shape {np.shape(scheme.bval)} and directions of shape "
            f"{np.shape(scheme.bvec)}, expected (volumes,) and (volumes, 3)"
        )
    if coils < 0:
        raise ValueError(f"coils is {coils}, expected 0 (none) or more")
    if oversampling < 2 or oversampling % 1:
        raise ValueError(f"oversampling is {oversampling}, expected an integer of at least 2")


def _places(slices: int, fine: tuple[int, int]) -> tuple[Place, float]:
    """Return positions to the left, forward and up, and the width of a pixel, in mm."""
    down, right, pixel = grid(fine)
    up = HEIGHT + SLICE * (np.arange(slices) - (slices - 1) / 2)[:, None, None]
    whole = np.broadcast_arrays(right[None], -down[None], up)
    return Place(*(p.astype(np.float32) for p in whole)), pixel


def _brain(brain: Brain) -> Reals:
    return np.asarray(sum(brain.tissues.values()))


def _coarse(values: Reals, plane: tuple[int, ...], factor: int) -> Reals:
    """Average `(slices, y, x)` over the voxels of the image."""
    return np.stack([voxel_mean(piece, plane, factor) for piece in values])


def _scale(
    water: list[Compartment], mask: Reals, plane: tuple[int, ...], factor: int
) -> np.float32:
    """Return what makes the mean signal of the brain 1 where b is 0."""
    signal = _coarse(np.asarray(sum(part.signal for part in water)), plane, factor)
    return np.float32(1 / signal[mask].mean())


def _mean_tensor(water: list[Compartment], mask: Reals, factor: int) -> Reals:
    """Return the tensor of every voxel: the mean of those within, weighted by their signal."""
    plane = mask.shape[1:]
    signal = _coarse(np.asarray(sum(part.signal for part in water)), plane, factor)
    tensor = np.zeros((*mask.shape, 3, 3), np.float32)
    whole = sum(part.signal[..., None, None] * part.tensor for part in water)
    for i, j in np.ndindex(3, 3):
        mean = _coarse(np.asarray(whole)[..., i, j], plane, factor)
        np.divide(mean, signal, out=tensor[..., i, j], where=mask)
    return tensor


def _regions(brain: Brain, mask: Reals, factor: int) -> dict[str, Reals]:
    plane = mask.shape[1:]
    fractions = {name: _coarse(part, plane, factor) for name, part in brain.tissues.items()}
    regions = {name: mask & (part > _PURE) for name, part in fractions.items()}
    shares = np.stack([_coarse(share, plane, factor) for share in brain.shares])
    regions["callosum"] = regions["white"] & (shares[0] > _PURE)
    regions["crossing"] = regions["white"] & (shares.max(axis=0) < CROSSING)
    return regions
