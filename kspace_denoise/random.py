"""Random draws from an explicit seed or generator; the global generators are never touched."""

from typing import Any, TypeAlias

import array_api_compat as compat
import numpy as np

from kspace_denoise.arrays import Array, like, real_dtype

Seed: TypeAlias = Any
"""An integer (0 included), a `numpy.random.Generator`, or a generator of the array's own kind."""


def numpy_generator(seed: Seed) -> np.random.Generator:
    """Return a numpy generator for an integer seed, or the generator that was given.

    Raises:
        TypeError: if the seed is neither an integer nor a numpy generator.
        ValueError: if it is a negative integer.
    """
    if isinstance(seed, np.random.Generator):
        return seed
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
        if seed < 0:
            raise ValueError(f"seed is {seed}, expected an integer of at least 0")
        return np.random.default_rng(int(seed))
    raise TypeError(
        f"seed is {seed!r}, expected an integer or a numpy.random.Generator; pass e.g. seed=0"
    )


def standard_normal(shape: tuple[int, ...], reference: Array, seed: Seed) -> Array:
    """Draw real N(0, 1) of the precision, kind and device of `reference`.

    On the CPU every kind gets the same numbers; on a GPU they are drawn there.
    """
    return like(_draw(shape, reference, seed), reference)


def complex_normal(shape: tuple[int, ...], reference: Array, seed: Seed) -> Array:
    """Draw complex noise with sigma = 1 per real component (E|n|² = 2), like `reference`."""
    pairs = _draw((*shape, 2), reference, seed)
    if compat.is_torch_array(pairs):
        import torch

        return torch.view_as_complex(pairs)
    double = pairs.dtype == np.float64
    return like(pairs.view("complex128" if double else "complex64")[..., 0], reference)


def draw_key(seed: Seed) -> int:
    """Return an integer that stands for the seed; a generator of numpy or torch supplies one."""
    if _is_torch_generator(seed):
        import torch

        where = {"generator": seed, "device": seed.device}
        return int(torch.randint(2**62, (1,), **where))
    return _integer(seed)


def _draw(shape: tuple[int, ...], reference: Array, seed: Seed) -> Array:
    """Draw where the reference lives; numpy serves every array on the CPU."""
    if compat.is_torch_array(reference) and (reference.is_cuda or _is_torch_generator(seed)):
        import torch

        if not _is_torch_generator(seed):
            seed = torch.Generator(reference.device).manual_seed(_integer(seed))
        dtype = real_dtype(reference)
        return torch.randn(shape, generator=seed, dtype=dtype, device=reference.device)
    double = "64" in str(real_dtype(reference))
    if compat.is_cupy_array(reference):
        import cupy

        if not isinstance(seed, cupy.random.Generator):
            seed = cupy.random.default_rng(_integer(seed))
        return seed.standard_normal(shape, dtype="float64" if double else "float32")
    return numpy_generator(seed).standard_normal(shape, dtype=np.float64 if double else np.float32)


def _is_torch_generator(seed: Seed) -> bool:
    return type(seed).__module__.startswith("torch")


def _integer(seed: Seed) -> int:
    """Return an integer seed; a numpy generator supplies one."""
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(2**62))
    numpy_generator(seed)  # refuses anything else with its message
    return int(seed)
