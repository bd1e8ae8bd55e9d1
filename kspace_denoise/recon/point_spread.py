"""What a mask that is constant along one axis folds onto what, along the other."""

import math
from collections.abc import Iterator

import numpy as np

from kspace_denoise.arrays import Array
from kspace_denoise.fourier import ifft2c

_BLOCK = 2**21  # matrix entries handled at once: bounds the memory at any number of slices


def point_spread(line: Array) -> Array:
    """Return the point spreads of sampled lines `(..., n)` on the host, by lag 0 ... n - 1."""
    size = line.shape[-1]
    centred = ifft2c(line.astype(np.complex128), axes=(-1,)) / math.sqrt(size)
    return np.roll(centred, -(size // 2), axis=-1)


def alias_distance(spread: Array) -> int:
    """Return the distance of which a pixel's aliases are multiples, given its point spread `(n,)`.

    n where nothing is folded, 1 where any two pixels may be. Pixels at other distances belong to
    smaller systems of their own.
    """
    lags = np.flatnonzero(np.abs(spread) > 1e-12)
    return math.gcd(len(spread), *(int(lag) for lag in lags))


def blocks_of_rows(rows: int, entries: int) -> Iterator[slice]:
    """Yield slices of rows whose systems, of so many matrix entries a row, fit into memory."""
    step = max(1, _BLOCK // entries)
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))
