"""DiffDenoise, its controls and other methods, on phantoms of white and correlated noise.

96 magnitudes of 128 x 128 to learn from, 16 others to be judged on, values 0 to 1 without clipping.
Every network takes the same number of steps of four patches of 64 x 64. PSNR and SSIM: data range
1, whole images. The share of noise: of the true noise of a test image, how much is in the result.

    python -m benchmarks.diffdenoise
    python -m benchmarks.diffdenoise --noises blur-1.2 --methods c2s c2s-stationary
    python -m benchmarks.diffdenoise --table

Takes some 50 minutes for each kind of noise on one core. What is done is kept in --out and not done
again.
"""

import argparse
import json
import time
from pathlib import Path

from benchmarks.diffdenoise.case import NOISES, Case, Numpy, case
from benchmarks.diffdenoise.methods import METHODS, STEPS
from benchmarks.diffdenoise.staged import MODES, asked, parts, steps_of
from benchmarks.diffdenoise.tables import print_tables

OUT = Path("docs/diffdenoise_results")


def keep(
    name: str, found: Numpy, given: Case, seconds: float, seed: int, out: Path, steps: int = STEPS
) -> None:
    """Write the scores of a result."""
    row = {"method": name, "noise": given.name, "seed": seed, "seconds": seconds, "steps": steps}
    row |= given.scores(found)
    file_of(name, given.name, seed, out).write_text(json.dumps(row, indent=1) + "\n")
    print(
        f"{given.name}, {name}: {row['psnr_db']:.2f} dB, noise {row['noise_share']:.3f}, "
        f"{seconds:.1f} s",
        flush=True,
    )


def file_of(name: str, noise: str, seed: int, out: Path) -> Path:
    """Return where the scores of a result are kept."""
    return out / f"{noise}-{name.replace(', ', '-').replace(' ', '-')}-seed{seed}.json"


def run_staged(mode: str, given: Case, seed: int, out: Path) -> None:
    """Run DiffDenoise in one mode and keep what each of its parts says."""
    label = f"diffdenoise {mode}"
    if file_of(f"{label} student", given.name, seed, out).exists():
        return
    for part in parts(given, mode):
        name = f"{label} {part.name}"
        keep(name, part.image, given, part.seconds, seed, out, steps_of(mode))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--noises", nargs="*", default=list(NOISES), choices=list(NOISES))
    parser.add_argument("--methods", nargs="*", default=[*METHODS, *MODES])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true", help="print what is there")
    options = parser.parse_args()
    if options.table:
        print_tables(options.out)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        for noise in options.noises:
            given = case(noise, seed)
            for name in options.methods:
                if name in MODES:
                    if asked(name, noise):
                        run_staged(name, given, seed, options.out)
                elif not file_of(name, noise, seed, options.out).exists():
                    started = time.perf_counter()
                    found = METHODS[name](given)
                    keep(name, found, given, time.perf_counter() - started, seed, options.out)


if __name__ == "__main__":
    main()
