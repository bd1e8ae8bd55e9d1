"""One slice of k-space on its way through a simulation: sampled, noisier, disturbed."""

import functools
import zlib
from typing import Any, NamedTuple

import numpy as np

from kspace_denoise.arrays import to_numpy
from kspace_denoise.cli.common import to_device
from kspace_denoise.cli.degrade import Plan
from kspace_denoise.cli.interfere import Interfere
from kspace_denoise.cli.noncartesian import Resampling
from kspace_denoise.formats.fastmri import DETECTORS
from kspace_denoise.scan import LazySlices, Numpy, Scan
from kspace_denoise.stages import KnownNoise

_ADDED = 2  # a phantom's head is drawn from stream 0, and its own noise from stream 1


class Steps(NamedTuple):
    """What happens to every slice of a scan."""

    plan: Plan
    mask: Numpy | None
    resampling: Resampling | None
    interfere: Interfere | None


def simulated_slices(
    scan: Scan, steps: Steps, seed: int, device: str
) -> tuple[LazySlices, dict[str, LazySlices]]:
    """Return simulated k-space, and beside it what detectors record, computed when asked for.

    The draws of a slice depend on the seed, its number and its data: with the same seed one
    simulation after another draws anew, and so does that of another repetition.
    """
    run = functools.lru_cache(maxsize=1)(functools.partial(_run, scan, steps, seed, device))
    slices, coils, *grid = scan.kspace.shape
    if steps.resampling is not None:
        grid = list(steps.resampling.trajectory.shape[:2])
    kspace = LazySlices((slices, coils, *grid), scan.kspace.dtype, lambda index: run(index)[0])
    if steps.interfere is None:
        return kspace, {}
    shape = (slices, steps.interfere.detectors, *grid)
    detected = LazySlices(shape, scan.kspace.dtype, lambda index: run(index)[1])
    return kspace, {DETECTORS: detected}


def _run(scan: Scan, steps: Steps, seed: int, device: str, index: int) -> tuple[Numpy, Numpy]:
    kspace = scan.kspace[index]
    of_data = zlib.crc32(np.ascontiguousarray(kspace).view(np.uint8).data)
    generator = np.random.default_rng([seed, index, _ADDED, of_data])
    noise, acquired = steps.plan.noise, _acquired(kspace, steps.mask, index)
    if steps.resampling is not None:
        kspace, noise = steps.resampling.resample(kspace), KnownNoise(noise.covariance)
        acquired = np.full(kspace.shape[-2:], kspace.any())  # a blank slice stays blank
    on_device = to_device(kspace, device), to_device(acquired, device)
    noisy = to_numpy(steps.plan.degrade(on_device[0], generator, on_device[1], noise))
    detected = kspace[:0]
    if steps.interfere is not None:
        noisy, detected = steps.interfere.add(noisy, generator)
    return _kept(noisy, acquired, kspace.dtype), _kept(detected, acquired, kspace.dtype)


def _acquired(kspace: Numpy, mask: Numpy | None, index: int) -> Numpy:
    acquired = (kspace != 0).any(axis=0)
    if mask is not None:
        acquired &= mask[index if len(mask) > 1 else 0] if mask.ndim == 3 else mask
    return np.asarray(acquired)


def _kept(values: Numpy, acquired: Numpy, dtype: Any) -> Numpy:
    """Return the values; what the source never acquired, or is not sampled now, is zero."""
    return np.where(acquired, values, 0).astype(dtype, copy=False)
