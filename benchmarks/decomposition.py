"""Ways to decompose multi-coil SENSE: seconds, and the error of the smallest singular values.

320 x 320, 8 coils, random lines (R = 4, 24 in the centre): 320 Gram matrices of 320 x 320. `ours`
is `decompose`, complex128 by PyTorch. The others decompose the same matrices alone: the same in
complex64, and in complex128 by two threads of LAPACK's zheevr or zheevd. The error is that of
singular values of a hundredth to a thousandth of the largest, over themselves, beside `ours`.

    OPENBLAS_NUM_THREADS=1 python benchmarks/decomposition.py --json decomposition.json
"""

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import scipy.linalg
import torch

from kspace_denoise import sim
from kspace_denoise.recon.point_spread import point_spread
from kspace_denoise.recon.sense_operator import SenseOperator
from kspace_denoise.recon.spectral_sense import decompose

SIZE, COILS = 320, 8


def gram_matrices(operator: SenseOperator) -> torch.Tensor:
    """Return the Gram matrix of every row, `(rows, size, size)` in complex128."""
    spread = point_spread(np.asarray(operator.mask).reshape(-1))
    lags = (np.arange(SIZE)[:, None] - np.arange(SIZE)) % SIZE
    columns = operator.maps.permute(1, 2, 0).to(torch.complex128)
    return (columns.conj() @ columns.mT) * torch.from_numpy(spread[lags])


def threaded(driver: str, matrices: np.ndarray) -> torch.Tensor:
    """Return eigenvalues by two threads, each with matrices of its own."""

    def values(matrix: np.ndarray) -> np.ndarray:
        return scipy.linalg.eigh(matrix, driver=driver, check_finite=False)[0]

    with ThreadPoolExecutor(2) as pool:
        return torch.from_numpy(np.stack(list(pool.map(values, matrices))))


def in_single(matrices: torch.Tensor) -> torch.Tensor:
    """Return eigenvalues from complex64."""
    return torch.linalg.eigh(matrices.to(torch.complex64))[0].double()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    arguments = parser.parse_args()
    line = sim.mask("random", (SIZE, SIZE), 4, 24, seed=0)[:1].astype(np.float32)
    maps = torch.from_numpy(sim.coil_maps((SIZE, SIZE), COILS, seed=0).astype(np.complex64))
    operator = SenseOperator(maps, torch.from_numpy(line))
    gram = gram_matrices(operator)
    array = gram.numpy()
    ways: dict[str, Callable[[], torch.Tensor]] = {
        "ours": lambda: decompose(operator).singular_values.double() ** 2,
        "complex64": lambda: in_single(gram),
        "zheevr, two threads": lambda: threaded("evr", array),
        "zheevd, two threads": lambda: threaded("evd", array),
    }
    found, exact = {}, None
    for name, way in ways.items():
        started = time.perf_counter()
        values = way().clamp(min=0).sqrt()
        seconds = time.perf_counter() - started
        exact = values if exact is None else exact
        small = (exact < 1e-2 * exact.max()) & (exact > 1e-3 * exact.max())
        error = float((values[small] / exact[small] - 1).abs().max()) if small.any() else 0.0
        found[name] = {"seconds": seconds, "error": error, "values": int(small.sum())}
        print(f"{name:20} {seconds:5.1f} s, error {error:.1e} of {int(small.sum())} values")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
