"""The tests, run as the command line runs: see `kspace_denoise.cli` on how threads wait."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
