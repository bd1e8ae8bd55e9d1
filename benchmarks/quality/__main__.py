"""`python -m benchmarks.quality DATASET ...` and `python -m benchmarks.quality table`."""

from benchmarks.quality.command import main

if __name__ == "__main__":
    raise SystemExit(main())
