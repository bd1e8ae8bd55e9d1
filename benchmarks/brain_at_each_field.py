"""Show a T2-weighted brain of 3 T at every lower field, before and after denoising.

Phantom heads with eight correlated coils, scanned at 3 T (SNR 100), are taken to each field by
`sim.low_field`: T2-weighted spin echo, relaxation of white matter, noise of body and coils. Lower
fields get the narrower bandwidth and the averages that such scanners use (PROTOCOL). For each
field a Corruption2Self denoiser is trained on the noisy scans of that field alone and scored on
heads that it has not seen, beside non-local means at its best strength. PSNR is of complex SENSE
images in SNR units inside the head, its range the largest magnitude of the noise-free reference.

    python benchmarks/brain_at_each_field.py --picture docs/images/fields.png --json fields.json
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np

import kspace_denoise as kd
from kspace_denoise import sim
from kspace_denoise.demo.cases import Case, Outcome, best_nlm, run_method, untouched
from kspace_denoise.demo.phantoms import mean_snr
from kspace_denoise.demo.scores import data_range, mean_row
from kspace_denoise.stages import in_snr_units, known_noise, reconstruct_slice, through_maps

SOURCE, SNR = 3.0, 100.0
SHAPE, COILS = (128, 128), 8
TRAINING, TEST = 64, 6  # heads of one slice each
TEST_SEED = 50_000
SEQUENCE = sim.sequence("spin-echo", repetition_time=5.0, echo_time=0.09)


class Protocol(NamedTuple):
    """What a scanner of this field does otherwise than that of 3 T."""

    field: float
    bandwidth_ratio: float
    averages: int


PROTOCOL = (
    Protocol(1.5, 1.0, 1),
    Protocol(0.55, 0.5, 1),
    Protocol(0.3, 0.5, 1),
    Protocol(0.055, 0.25, 4),
)


def source(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return noise-free k-space at 3 T, the noise covariance and the mask of one head."""
    head = sim.phantom(SHAPE, "T2w", field=SOURCE, seed=seed, coils=COILS)
    psi = sim.array_covariance(COILS, seed=seed)
    assert head.kspace is not None
    level = SNR / mean_snr(head.kspace, psi, head.mask)
    return np.float32(level) * head.kspace, psi, head.mask


def scan(seed: int, protocol: Protocol) -> tuple[kd.Scan, np.ndarray, np.ndarray]:
    """Return the low-field scan of one head, its k-space without noise, and the mask."""
    clean, psi, mask = source(seed)
    generator = np.random.default_rng([seed, 1])
    low = sim.low_field(
        sim.add_noise(clean, psi, seed=generator),
        psi,
        source_field=SOURCE,
        seed=generator,
        sequence=SEQUENCE,
        tissue="white",
        noise_law="mixed",
        **protocol._asdict(),
    )
    kept = kd.Scan(kspace=low.kspace[None], noise_covariance=low.noise_covariance)
    scale = (protocol.field / SOURCE) ** 2 * low.record["relaxation_factor"]
    return kept, scale * clean, mask


def test_case(seed: int, protocol: Protocol) -> Case:
    """Reconstruct one head, noisy and noise-free, through the maps of the noisy scan."""
    noisy, clean, mask = scan(seed, protocol)
    noise = known_noise(noisy)
    piece = reconstruct_slice(noisy.kspace[0], noise)
    reference = through_maps(clean.astype(np.complex64), noise, piece, noise)
    return Case(piece, mask, in_snr_units(reference.image, piece.sigma))


def at_field(protocol: Protocol, minutes: float) -> tuple[list[Case], list[Outcome]]:
    """Train on noisy scans of one field; return the cases and what every method makes of them."""
    scans = [scan(seed, protocol)[0] for seed in range(TRAINING)]
    config = kd.TrainConfig(minutes=minutes)
    denoiser = kd.train("c2s", scans, stage="after-sense", config=config, seed=0)
    cases = [test_case(TEST_SEED + i, protocol) for i in range(TEST)]
    outcomes = [
        untouched(cases),
        best_nlm(cases),
        run_method("c2s", cases, denoiser, "after-sense"),
    ]
    return cases, outcomes


def row(protocol: Protocol, cases: list[Case], outcomes: list[Outcome]) -> dict[str, Any]:
    """Return the scores at one field."""
    snr = np.mean([np.abs(case.reference)[case.mask].mean() for case in cases])
    psnr = {o.method: mean_row(o, cases, data_range(cases))["psnr_db"] for o in outcomes}
    return {**protocol._asdict(), "snr": float(snr), "psnr_db": psnr}


def draw(results: list[tuple[Protocol, list[Case], list[Outcome]]], path: Path) -> None:
    """Draw the first head: noise-free, noisy, non-local means and Corruption2Self by field."""
    figure, axes = plt.subplots(4, len(results), figsize=(2.2 * len(results), 9.2))
    names = ("noise-free", "SENSE image", "non-local means", "Corruption2Self")
    for column, (protocol, cases, outcomes) in zip(axes.T, results, strict=True):
        images = [cases[0].reference, *(outcome.images[0] for outcome in outcomes)]
        top = float(np.percentile(np.abs(cases[0].reference), 99.5))
        for axis, image in zip(column, images, strict=True):
            axis.imshow(np.abs(image), cmap="gray", vmin=0, vmax=top)
            axis.set(xticks=[], yticks=[])
        snr = np.abs(cases[0].reference)[cases[0].mask].mean()
        column[0].set_title(f"{protocol.field:g} T, SNR {snr:.2g}", fontsize=10)
    for axis, name in zip(axes[:, 0], names, strict=True):
        axis.set_ylabel(name, fontsize=10)
    figure.tight_layout(pad=0.4)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=2.5, help="training for each field (2.5)")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="draw the first head there")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the numbers there")
    options = parser.parse_args()
    if not (math.isfinite(options.minutes) and options.minutes > 0):
        parser.error("--minutes must be positive")
    print(
        f"{'T':>6}{'bandwidth':>11}{'averages':>10}{'SNR':>8}{'noisy':>8}{'nlm':>8}{'c2s':>8}  dB"
    )
    results, rows = [], []
    for protocol in PROTOCOL:
        cases, outcomes = at_field(protocol, options.minutes)
        results.append((protocol, cases, outcomes))
        rows.append(row(protocol, cases, outcomes))
        scores = "".join(f"{rows[-1]['psnr_db'][o.method]:8.2f}" for o in outcomes)
        print(
            f"{protocol.field:6g}{protocol.bandwidth_ratio:11g}{protocol.averages:10d}"
            f"{rows[-1]['snr']:8.2f}{scores}",
            flush=True,
        )
    if options.picture:
        draw(results, options.picture)
    if options.json:
        options.json.write_text(json.dumps({"source_snr": SNR, "fields": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
