"""What averaging over symmetries at inference gives: PSNR above the noisy image, and seconds.

kspace-denoise demo --out demo
python benchmarks/inference_passes.py demo/c2s-after-sense.safetensors --json passes.json
"""

import argparse
import json
import time
from pathlib import Path

import kspace_denoise as kd
from kspace_denoise.demo.cases import run_method, untouched
from kspace_denoise.demo.phantom_experiment import unseen_cases
from kspace_denoise.demo.scores import data_range, mean_row

PASSES = (1, 2, 4, 8)
SEED = 1  # other subjects than those that the demo scores


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    arguments = parser.parse_args()
    denoiser = kd.load(arguments.model)
    cases = unseen_cases(SEED)
    peak = data_range(cases)
    noisy = mean_row(untouched(cases), cases, peak)["psnr_db"]
    rows = []
    for passes in PASSES:
        denoiser.config = denoiser.config.replace(symmetries=passes)
        started = time.perf_counter()
        outcome = run_method("c2s", cases, denoiser, "after-sense")
        seconds = (time.perf_counter() - started) / (2 * len(cases))  # both repetitions
        gain = mean_row(outcome, cases, peak)["psnr_db"] - noisy
        rows.append({"passes": passes, "gain_db": gain, "seconds_per_slice": seconds})
        print(f"{passes} passes: {gain:.2f} dB above noisy, {seconds:.2f} s per slice")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
