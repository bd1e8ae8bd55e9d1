"""Peak memory of the commands that stream, at 1, 20 and 200 slices.

Scans of 8 coils and 128 x 128, one megabyte a slice, with their noise covariance stored, go through
`reconstruct --method sense`, `denoise --model nlm` and `simulate --snr`, each in a process of its
own, whose largest resident set is compared. It may grow by LIMIT megabytes, a tenth of the largest
file. (Noise that has to be measured in k-space takes at most 16 slices at once.)

    python benchmarks/streaming_memory.py --json memory.json
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from kspace_denoise import formats, sim
from kspace_denoise.scan import LazySlices, Scan

SLICES = (1, 20, 200)
COILS, MATRIX = 8, (128, 128)
LIMIT = 20.0  # megabytes from 1 slice to 200
COMMANDS = {
    "reconstruct": ["reconstruct", "IN", "OUT", "--method", "sense", "--device", "cpu"],
    "denoise": ["denoise", "IN", "OUT", "--model", "nlm", "--device", "cpu"],
    "simulate": ["simulate", "IN", "OUT", "--snr", "5", "--device", "cpu"],
}
# VmHWM of Linux, since ru_maxrss of a new process starts at what its parent held.
CHILD = """
import sys
from pathlib import Path
from kspace_denoise.cli import main
try:
    main(sys.argv[1:], prog_name="kspace-denoise")
finally:
    status = Path("/proc/self/status").read_text()
    print(status.split("VmHWM:")[1].split()[0])
"""


def write_scan(path: Path, slices: int) -> None:
    """Write a scan of one phantom slice with new noise in every slice."""
    clean = sim.phantom(MATRIX, coils=COILS, seed=0).kspace
    psi = 0.01 * sim.array_covariance(COILS, seed=0)

    def noisy(index: int) -> np.ndarray:
        return sim.add_noise(clean, psi, seed=index)

    kspace = LazySlices((slices, *clean.shape), clean.dtype, noisy)
    formats.write(path, Scan(kspace=kspace, noise_covariance=psi))


def peak(command: str, source: Path) -> tuple[float, float]:
    """Run a command in a process of its own; return its peak in megabytes and its seconds."""
    places = {"IN": str(source), "OUT": str(source.with_name("out.h5"))}
    words = [places.get(word, word) for word in COMMANDS[command]]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *words], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1]) / 1024, time.perf_counter() - start


def measure(folder: Path) -> list[dict]:
    """Return one row for each command and number of slices."""
    rows = []
    for slices in SLICES:
        source = folder / f"scan{slices}.h5"
        write_scan(source, slices)
        for command in COMMANDS:
            megabytes, seconds = peak(command, source)
            rows.append({"command": command, "slices": slices, "peak_mb": megabytes,
                         "file_mb": source.stat().st_size / 2**20, "seconds": seconds})  # fmt: skip
            print(
                f"{command:12} {slices:4} slices, file {rows[-1]['file_mb']:6.1f} MB: "
                f"peak {megabytes:6.1f} MB in {seconds:5.1f} s",
                flush=True,
            )
        source.unlink()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder))
    failed = False
    for command in COMMANDS:
        first, *_, last = (row["peak_mb"] for row in rows if row["command"] == command)
        failed |= last - first > LIMIT
        verdict = "FAILED" if last - first > LIMIT else "ok"
        print(f"{command:12} grows by {last - first:+.1f} MB, at most {LIMIT:g}: {verdict}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
