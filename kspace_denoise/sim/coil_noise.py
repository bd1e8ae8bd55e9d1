"""Correlated noise of many coils: drawn, mixed and added in blocks that stay in the cache."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from kspace_denoise.arrays import Array, like, namespace, to_torch
from kspace_denoise.random import Seed, complex_normal, draw_key

_STREAMS = 8  # of random numbers in a draw; however many threads share them, the result is one
_BLOCK = 2**18  # complex numbers drawn at a time


class _Block(NamedTuple):
    """Samples `start` to `stop` of all the coils of one array of the batch."""

    batch: int
    start: int
    stop: int


def coil_noise(root: Array, kspace: Array, seed: Seed, *, add: bool = False) -> Array:
    """Return root·w for white w, E|w|² = 2, in the shape of `kspace`; or its sum with `kspace`.

    Args:
        root: `(coils, coils)`, of the kind and precision of `kspace`.
        kspace: complex `(..., coils, ky, kx)`.
        seed: integer or generator; on the CPU every kind of array gets the same numbers.
        add: add the k-space, without another pass over the memory.
    """
    coils, samples = kspace.shape[-3], kspace.shape[-2] * kspace.shape[-1]
    if _on_gpu(kspace):
        xp = namespace(kspace)
        white = complex_normal((*kspace.shape[:-2], samples), kspace, seed)
        noise = xp.reshape(xp.matmul(root, white), kspace.shape)
        return noise + kspace if add else noise
    source = to_torch(kspace).detach().reshape(-1, coils, samples)
    total = source.new_empty(source.shape)
    blocks = _blocks(len(source), samples, max(1, _BLOCK // coils))
    _fill(total, blocks, to_torch(root), source if add else None, draw_key(seed))
    return like(total.reshape(tuple(kspace.shape)), kspace)


def _on_gpu(x: Array) -> bool:
    return array_api_compat.is_cupy_array(x) or bool(getattr(x, "is_cuda", False))


def _blocks(batch: int, samples: int, size: int) -> list[_Block]:
    starts = range(0, samples, size)
    return [_Block(i, j, min(j + size, samples)) for i in range(batch) for j in starts]


def _fill(total: Any, blocks: list[_Block], root: Any, source: Any, key: int) -> None:
    """Fill the blocks, each run of them from a random stream of its own."""
    import torch

    streams = min(_STREAMS, len(blocks))
    seeds = np.random.SeedSequence(key).generate_state(max(1, streams), np.uint64) >> np.uint64(1)

    def run(stream: int) -> None:
        generator = torch.Generator().manual_seed(int(seeds[stream]))
        mine = blocks[stream::streams]
        room = total.new_empty(len(root) * max(block.stop - block.start for block in mine))
        for batch, start, stop in mine:
            white = room[: len(root) * (stop - start)].view(len(root), stop - start)
            torch.view_as_real(white).normal_(generator=generator)
            target = total[batch, :, start:stop]
            if source is None:
                torch.matmul(root, white, out=target)
            else:
                torch.addmm(source[batch, :, start:stop], root, white, out=target)

    with ThreadPoolExecutor(max(1, torch.get_num_threads())) as threads:
        list(threads.map(run, range(streams)))
