"""The server against the functions that it calls: slices a second, memory, broken clients.

200 slices of 16 coils, 256 x 256, are streamed to `kspace-denoise serve` in a process of its own;
the same slices go through the same functions here, a few of them, as each takes the same work.

    python benchmarks/serve.py --json serve.json

Some ten minutes on two cores.
"""

import argparse
import functools
import json
import random
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from kspace_denoise import sim
from kspace_denoise.cli.classical_options import find_denoiser
from kspace_denoise.formats.ismrmrd_writer import fitting_header
from kspace_denoise.formats.mrd.lines import scan_lines
from kspace_denoise.fourier import fft2c
from kspace_denoise.scan import LazySlices, Scan
from kspace_denoise.server import Work, send
from kspace_denoise.server.groups import Group, Series
from kspace_denoise.server.messages import Id, Words, write_acquisitions, write_words
from kspace_denoise.server.reconstruct import images_of

MODEL, COILS, SIZE = "wavelet", 16, 256
COVARIANCE = 2 * 0.01**2 * np.eye(COILS)


@functools.cache
def _noisy() -> list[Any]:
    """Return a slice of a phantom in some draws of noise: making them is not the server's work."""
    image = sim.phantom((SIZE, SIZE), seed=0).image
    clean = fft2c(image * sim.coil_maps((SIZE, SIZE), coils=COILS, seed=0)).astype(np.complex64)
    return [sim.add_noise(clean, COVARIANCE, seed=n) for n in range(4)]


def _read(index: int) -> Any:
    return _noisy()[index % 4]


def make_scan(slices: int) -> Scan:
    """Return a scan of so many slices."""
    kspace = LazySlices((slices, COILS, SIZE, SIZE), np.complex64, _read)
    return Scan(kspace=kspace, noise_covariance=COVARIANCE, readout_axis=-1)


def directly(scan: Scan, count: int) -> float:
    """Return the seconds that one slice takes in the functions that the server calls."""
    work = Work(find_denoiser(MODEL), MODEL)
    series = Series(fitting_header(scan, (SIZE, SIZE)), 1 << 30)
    series.given_covariance = scan.noise_covariance
    taken = 0.0
    for number, lines in enumerate(scan_lines(scan, SIZE // 2)):
        group = Group(lines.heads, list(lines.samples), np.arange(SIZE))
        started = time.perf_counter()
        list(images_of(series, group, work))
        taken += (time.perf_counter() - started) * (number > 0)  # the first one warms up
        if number == count:
            break
    return taken / count


class Process:
    """A server in a process of its own."""

    def __init__(self) -> None:
        words = [sys.executable, "-u", "-m", "kspace_denoise", "serve", "--model", MODEL]
        self._process = subprocess.Popen(
            [*words, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        found = re.search(r":(\d+),", self._process.stdout.readline())
        assert found
        self.port = int(found[1])

    def memory(self, what: str = "VmRSS") -> float:
        """Return the memory of the process now, or at most (VmHWM), in MB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(rf"{what}:\s+(\d+) kB", status)
        assert found
        return int(found[1]) / 1024

    def stop(self) -> None:
        """Stop the server."""
        self._process.terminate()
        self._process.wait()


def broken_client(port: int, scan: Scan, seed: int) -> None:
    """Send a part of a series, or nonsense, and vanish."""
    chosen = random.Random(seed)
    header = write_words(Words(Id.HEADER, fitting_header(scan, (SIZE, SIZE))))
    lines = next(scan_lines(scan, SIZE // 2))
    kinds = [
        header[: chosen.randrange(1, len(header))],
        header + write_acquisitions(lines.heads[:50], lines.samples[:50])[:-7],
        chosen.randbytes(chosen.randrange(1, 5000)),
        header + chosen.randbytes(5000),
    ]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        try:
            connection.sendall(kinds[seed % len(kinds)])
        except OSError:
            return


def measure(slices: int) -> dict[str, Any]:
    """Return all figures."""
    scan = make_scan(slices)
    direct = directly(scan, 10)
    server = Process()
    try:
        send(make_scan(1), port=server.port)  # warms up
        before = server.memory()
        started = time.perf_counter()
        answer = send(scan, port=server.port)
        each = (time.perf_counter() - started) / slices
        figures = {
            "slices": slices,
            "images": len(answer.images[1]),
            "slices_per_second": 1 / each,
            "seconds_per_slice": each,
            "seconds_per_slice_directly": direct,
            "overhead": each / direct - 1,
            "memory_mb_before": before,
            "memory_mb_after": server.memory(),
            "memory_mb_most": server.memory("VmHWM"),
        }
        few = make_scan(10)
        alone = send(few, port=server.port).series(1).data
        clients = [
            threading.Thread(target=broken_client, args=(server.port, few, n)) for n in range(50)
        ]
        for client in clients:
            client.start()
        beside = send(few, port=server.port).series(1).data
        figures["same_beside_50_broken_clients"] = bool(np.array_equal(alone, beside))
        figures["memory_mb_after_broken_clients"] = server.memory()
    finally:
        server.stop()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(options.slices)
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
