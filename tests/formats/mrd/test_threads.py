"""Several threads read one file: h5py alone crashes there (h5py/h5py#2920)."""

import subprocess
import sys
from pathlib import Path

from tests.formats.mrd.series import COILS, X, Y, image, samples, write

SCRIPT = """
import sys, threading
import kspace_denoise as kd

def read():
    for _ in range(10):
        kd.read(sys.argv[1]).kspace[:]

threads = [threading.Thread(target=read) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_may_read_one_file(tmp_path: Path) -> None:
    lines = [one for s in range(3) for one in image(samples((COILS, Y, X)), slice=s)]
    path = write(tmp_path / "scan.mrd", lines)
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], check=False)
    assert done.returncode == 0
