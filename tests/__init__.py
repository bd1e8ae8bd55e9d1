"""The tests. One thread: arrays this small gain nothing from more, and lose much if others run."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
