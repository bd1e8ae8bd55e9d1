"""Train Corruption2Self on noisy phantom scans alone; score slices that it has not seen."""

import numpy as np

from kspace_denoise.demo.cases import Case, best_nlm, run_method, untouched
from kspace_denoise.demo.experiment import Denoisers, Experiment, Settings
from kspace_denoise.demo.phantoms import Subject, scan_phantom
from kspace_denoise.scan import Scan
from kspace_denoise.stages import (
    Stage,
    in_snr_units,
    known_noise,
    reconstruct_slice,
    through_maps,
)
from kspace_denoise.training.train import train

TRAINING_SUBJECTS, TEST_SUBJECTS = 32, 3
TRAINING_SNR = (5.7, 11.3)
TEST_SNR = 8.0
TEST_SEEDS = 10_000
SHARE_AFTER = 0.8
"""Share of the training time that goes to after-sense; before-sense continues from there."""


def phantom_experiment(settings: Settings) -> Experiment:
    """Run the chain on phantoms."""
    settings.tell(f"scanning {TRAINING_SUBJECTS} phantom subjects at 0.3 T")
    scans = training_scans(settings.seed)
    denoisers = train_stages(scans, settings)
    settings.tell("denoising unseen phantom slices before and after SENSE")
    cases = unseen_cases(settings.seed)
    outcomes = [
        untouched(cases),
        best_nlm(cases, settings.seed),
        *(run_method("c2s", cases, trained, stage) for stage, trained in denoisers.items()),
    ]
    seconds = {stage: d.record["seconds"] for stage, d in denoisers.items()}
    story = [
        f"{len(scans)} phantom subjects of {len(scans[0].kspace)} slices were scanned with 8 "
        "correlated coils at 3 T and taken to 0.3 T (signal and noise by the low-field law), at "
        f"SNR {TRAINING_SNR[0]:g} to {TRAINING_SNR[1]:g}.",
        f"Corruption2Self was trained on these noisy scans alone: {seconds['after-sense']:.0f} s "
        f"after SENSE, then {seconds['before-sense']:.0f} s before SENSE, on coil images.",
        f"{len(cases)} slices of {TEST_SUBJECTS} other subjects were scanned at SNR "
        f"{TEST_SNR:g} (mean SENSE magnitude over sigma in the object mask), their coil maps "
        "estimated from the noisy data.",
    ]
    reference = (
        "noise-free: the SENSE image of the same k-space without noise, through the coil maps "
        "that were estimated from the noisy data"
    )
    return Experiment(
        "Phantoms at 0.3 T", story, reference, cases, outcomes, denoisers, settings.seed
    )


def training_scans(seed: int) -> list[Scan]:
    """Scan the training subjects, each at an SNR of its own."""
    generator = np.random.default_rng([seed, 1])
    low, high = np.log(TRAINING_SNR)
    snrs = np.exp(generator.uniform(low, high, TRAINING_SUBJECTS))
    first = seed * 2 * TEST_SEEDS
    return [scan_phantom(first + i, float(snr)).scans[0] for i, snr in enumerate(snrs)]


def unseen_cases(seed: int) -> list[Case]:
    """Scan subjects that training has not seen, twice, and reconstruct them."""
    first = (2 * seed + 1) * TEST_SEEDS
    subjects = [scan_phantom(first + i, TEST_SNR, repetitions=2) for i in range(TEST_SUBJECTS)]
    return [_case(subject, index) for subject in subjects for index in range(len(subject.clean))]


def _case(subject: Subject, index: int) -> Case:
    scan, repetition = subject.scans
    noise = known_noise(scan)
    piece = reconstruct_slice(scan.kspace[index], noise)
    clean = through_maps(subject.clean[index], noise, piece, noise)
    return Case(
        piece=piece,
        mask=subject.mask[index],
        reference=in_snr_units(clean.image, piece.sigma),
        repetition=through_maps(repetition.kspace[index], noise, piece, noise),
    )


def train_stages(scans: list[Scan], settings: Settings) -> Denoisers:
    """Train after SENSE, then before it from the weights reached."""
    denoisers: Denoisers = {}
    shares: dict[Stage, float] = {"after-sense": SHARE_AFTER, "before-sense": 1 - SHARE_AFTER}
    for stage, share in shares.items():
        settings.tell(f"training c2s {stage}, {60 * share * settings.minutes:.0f} s")
        denoisers[stage] = train(
            "c2s",
            scans,
            stage,
            settings.config.replace(minutes=share * settings.minutes),
            settings.seed,
            start=denoisers.get("after-sense"),
            device=settings.device,
            report=settings.watch(stage),
        )
    return denoisers
