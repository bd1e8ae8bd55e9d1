"""A server in a thread, with a denoiser that takes no time."""

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ismrmrd
import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.fourier import fft2c
from kspace_denoise.server import Limits, Server, Work
from tests.formats.mrd.series import acquisition, header, samples, write

SIZE, COILS, SLICES = 32, 4, 3
SIGMA = 0.02


class Softer:
    """Takes what is below three sigma for noise; good for tests alone."""

    method = "softer"

    def __call__(self, image: np.ndarray, sigma: Any) -> np.ndarray:
        magnitude = np.maximum(np.abs(image), 1e-6)
        return (image * np.maximum(1 - 3 * sigma / magnitude, 0)).astype(image.dtype)


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Return what starts servers; they stop with the test."""
    running: list[tuple[Server, threading.Thread]] = []

    def begin(limits: Limits | None = None, connections: int = 64, **work: Any) -> Server:
        server = Server(("127.0.0.1", 0), Work(Softer(), "softer", **work), limits, connections)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        running.append((server, thread))
        return server

    yield begin
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server(start: Callable[..., Server]) -> Server:
    return start()


@pytest.fixture(scope="session")
def kspace() -> np.ndarray:
    """Return noisy k-space `(slices, coils, ky, kx)`, oversampled twice along kx."""
    images = [sim.phantom((SIZE, SIZE), seed=s).image for s in range(SLICES)]
    image = np.abs(np.stack(images)).astype(np.float32)
    wide = np.zeros((SLICES, SIZE, 2 * SIZE), np.complex64)
    wide[..., SIZE // 2 : -SIZE // 2] = image
    maps = sim.coil_maps((SIZE, 2 * SIZE), coils=COILS, seed=1)
    clean = fft2c(wide[:, None] * maps)
    return (clean + SIGMA * samples(clean.shape, 2)).astype(np.complex64)


XML = header(x=2 * SIZE, y=SIZE, fx=400, last=SIZE - 1, centre=SIZE // 2).replace(
    "<reconSpace><matrixSize><x>10</x>", f"<reconSpace><matrixSize><x>{SIZE}</x>"
)


def lines(kspace: np.ndarray) -> list[Any]:
    """Return the acquisitions of a scan, after those of its noise."""
    flags = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT,)
    noise = SIGMA * np.sqrt(np.float32(0.8)) * samples((COILS, 4000), 3)
    found = [acquisition(noise, flags=flags)]
    for number, one in enumerate(kspace):
        for ky in range(SIZE):
            last = (ismrmrd.ACQ_LAST_IN_SLICE,) if ky == SIZE - 1 else ()
            found.append(acquisition(one[:, ky], ky, last, slice=number))
    return found


@pytest.fixture
def file(tmp_path: Path, kspace: np.ndarray) -> Path:
    return write(tmp_path / "scan.mrd", lines(kspace), XML)


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kspace_denoise.server")
