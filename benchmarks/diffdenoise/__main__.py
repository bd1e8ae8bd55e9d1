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
import itertools
import json
import time
from pathlib import Path

from benchmarks.diffdenoise.case import NOISES, Case, case
from benchmarks.diffdenoise.methods import METHODS, STEPS, UNTRAINED
from benchmarks.diffdenoise.staged import MODES, Part, asked, parts
from benchmarks.diffdenoise.tables import print_tables

OUT = Path("docs/diffdenoise_results")


def keep(part: Part, given: Case, seed: int, out: Path) -> None:
    """Write the scores of a result."""
    row = {"method": part.name, "noise": given.name, "seed": seed}
    row |= {"seconds": part.seconds, "steps": part.steps, **given.scores(part.image)}
    file_of(part.name, given.name, seed, out).write_text(json.dumps(row, indent=1) + "\n")
    print(
        f"{given.name}, {part.name}: {row['psnr_db']:.2f} dB, noise {row['noise_share']:.3f}, "
        f"{part.seconds:.1f} s",
        flush=True,
    )


def file_of(name: str, noise: str, seed: int, out: Path) -> Path:
    """Return where the scores of a result are kept."""
    return out / f"{noise}-{name.replace(', ', '-').replace(' ', '-')}-seed{seed}.json"


def run(name: str, given: Case, seed: int, out: Path) -> None:
    """Run a method, or DiffDenoise in one mode with all its parts, unless that is done."""
    if not asked(name, given.name):
        return
    if name in MODES:
        if not file_of(f"diffdenoise {name} student", given.name, seed, out).exists():
            for part in parts(given, name, seed):
                keep(part._replace(name=f"diffdenoise {name} {part.name}"), given, seed, out)
    elif not file_of(name, given.name, seed, out).exists():
        started = time.perf_counter()
        found = METHODS[name](given, seed)
        steps = 0 if name in UNTRAINED else STEPS
        keep(Part(name, found, time.perf_counter() - started, steps), given, seed, out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    everything = [*METHODS, *MODES]
    parser.add_argument("--noises", nargs="*", default=list(NOISES), choices=list(NOISES))
    parser.add_argument("--methods", nargs="*", default=everything, choices=everything)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true", help="print what is there")
    options = parser.parse_args()
    if options.table:
        print_tables(options.out)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    for seed, noise in itertools.product(options.seeds, options.noises):
        given = case(noise, seed)
        for name in options.methods:
            run(name, given, seed, options.out)


if __name__ == "__main__":
    main()
