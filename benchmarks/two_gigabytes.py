"""Peak memory of a file of 2 GB, read, reconstructed by SENSE and written, in every format.

240 slices of 16 coils, 256 x 256; the command runs in a process of its own, whose largest resident
set is reported. LIMIT is what the project allows.

    python -m benchmarks.two_gigabytes --json memory.json

Some six minutes for each format on one core.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.serve import make_scan
from benchmarks.streaming_memory import CHILD
from kspace_denoise import formats

SLICES, LIMIT = 240, 1500.0
"""Megabytes."""
PAIRS = {"scan.mrd": "image.nii.gz", "scan.cfl": "image.cfl", "scan.h5": "image.mrd"}


def measure(folder: Path, name: str) -> dict[str, float | str]:
    """Return what one format takes."""
    source, target = folder / name, folder / PAIRS[name]
    started = time.perf_counter()
    formats.write(source, make_scan(SLICES))
    written = time.perf_counter()
    words = ["reconstruct", str(source), str(target), "--method", "sense", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *words], capture_output=True, text=True, check=True
    )
    row = {
        "from": name,
        "to": PAIRS[name],
        "file_mb": source.stat().st_size / 2**20,
        "peak_mb": int(done.stdout.split()[-1]) / 1024,
        "seconds_to_write": written - started,
        "seconds_to_reconstruct": time.perf_counter() - written,
    }
    source.unlink()
    print(json.dumps(row), flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formats", nargs="*", default=list(PAIRS), choices=list(PAIRS))
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        rows = [measure(Path(folder), name) for name in options.formats]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit(any(float(row["peak_mb"]) > LIMIT for row in rows))


if __name__ == "__main__":
    main()
