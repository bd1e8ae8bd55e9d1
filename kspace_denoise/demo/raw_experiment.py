"""The chain on a raw file of the user's: continue training on the file itself, and score it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kspace_denoise import metrics, sim
from kspace_denoise.classical import NonLocalMeans
from kspace_denoise.demo.cases import (
    Case,
    Outcome,
    best_nlm,
    run_method,
    untouched,
)
from kspace_denoise.demo.experiment import Denoisers, Experiment, Settings
from kspace_denoise.denoiser import Denoiser
from kspace_denoise.scan import Scan
from kspace_denoise.stages import (
    KnownNoise,
    Numpy,
    Stage,
    check_sampling,
    in_snr_units,
    reconstruct_slice,
    through_maps,
    with_noise,
)
from kspace_denoise.training.train import train

HIGH_SNR, LOW_SNR = 20.0, 8.0
"""A scan above the first is its own reference after noise was added down to the second."""
SHARE = 0.4
"""Training time on one file, as a share of the training time on phantoms."""


class Source(NamedTuple):
    """A noisy scan with its noise, and what it is scored against."""

    scan: Scan
    noise: KnownNoise
    better: Scan | None
    repetition: Scan | None
    repetition_noise: KnownNoise
    story: str
    reference: str


def raw_experiment(
    source: Source, cases: list[Case], start: Denoisers, settings: Settings
) -> Experiment:
    """Denoise a raw scan with denoisers trained on phantoms, then continued on the scan itself.

    With a repetition, the error against it is unbiased; it is denoised as well, by a denoiser
    continued on it, so that neither scan is scored by a denoiser that has seen its reference.
    """
    scan = source.scan
    outcomes = [untouched(cases), _nlm(cases, settings.seed)]
    stages: list[Stage] = ["after-sense"]
    if scan.kspace.shape[1] > 1 and (scan.mask is None or scan.mask.all()):
        stages.append("before-sense")  # with one coil it is the same
    denoisers: Denoisers = {}
    for stage in stages:
        outcomes.append(run_method("c2s", cases, start[stage], stage, trained_on="phantoms alone"))
        mine = _continued(source.scan, source.noise, stage, start, settings)
        other = None
        if source.repetition is not None:
            other = _continued(source.repetition, source.repetition_noise, stage, start, settings)
        outcomes.append(
            run_method("c2s", cases, mine, stage, other, trained_on="then this noisy file")
        )
        denoisers[stage] = mine
    story = [source.story, _how_trained(source)]
    return Experiment(
        "Raw data", story, source.reference, cases, outcomes, denoisers, settings.seed
    )


def choose_reference(
    scan: Scan,
    noise: KnownNoise,
    repetition: Scan | None,
    seed: int,
    repetition_noise: KnownNoise | None = None,
) -> Source:
    """Settle what the scan is scored against: a repetition, itself before noise, or nothing.

    The repetition has the noise of the scan unless its own is given.

    Raises:
        ValueError: if the repetition has another shape or mask, or the mask of the scan varies
            along both axes.
    """
    check_sampling(scan.mask, "after-sense")
    if repetition is not None:
        if repetition.kspace.shape != scan.kspace.shape:
            raise ValueError(
                f"the reference has k-space {repetition.kspace.shape}, the data "
                f"{scan.kspace.shape}: expected another repetition of the same scan"
            )
        if not _same_mask(scan, repetition):
            raise ValueError("the reference has another sampling mask than the data")
        return Source(
            scan,
            noise,
            None,
            repetition,
            noise if repetition_noise is None else repetition_noise,
            "The scan is scored against another repetition of it, and the other way round.",
            "an independent noisy repetition, which the denoiser that it scores has never seen",
        )
    snr = scan_snr(scan, noise)
    if snr < HIGH_SNR:
        return Source(
            scan,
            noise,
            None,
            None,
            noise,
            f"The scan's own SNR is {snr:.0f}: too noisy to be a reference, and no repetition was "
            "given (--reference), so nothing is scored; look at the residuals.",
            "none",
        )
    return _noisier(scan, noise, snr, seed)


def scan_snr(scan: Scan, noise: KnownNoise) -> float:
    """Return the mean SENSE magnitude over sigma in the object, over all slices."""
    snrs = []
    for index in range(len(scan.kspace)):
        piece = reconstruct_slice(scan.kspace[index], noise, scan.slice_mask(index))
        image = np.abs(in_snr_units(piece.image, piece.sigma))
        snrs.append(image[metrics.object_mask(image)].mean())
    return float(np.mean(snrs))


def _noisier(scan: Scan, noise: KnownNoise, snr: float, seed: int) -> Source:
    """Add noise like the scan's own until its SNR is LOW_SNR."""
    factor = (snr / LOW_SNR) ** 2
    kspace = scan.kspace[:]
    noisy = sim.add_noise(
        kspace,
        (factor - 1) * noise.covariance,
        seed,
        mask=_acquired(kspace),
        noise_profile=noise.profile,
        noise_spectrum=noise.spectrum,
    )
    more = noise._replace(covariance=factor * noise.covariance)
    return Source(
        Scan(kspace=noisy, mask=scan.mask),
        more,
        scan,
        None,
        more,
        f"The scan's own SNR is {snr:.0f}. Noise of its own kind was added until the "
        f"SNR was {LOW_SNR:g}, and the scan as it was is the reference.",
        f"high-SNR: the same scan before noise was added (SNR {snr:.0f}), which still holds "
        f"{100 / factor:.1f} % of the noise variance of the noisy scan",
    )


def _same_mask(one: Scan, other: Scan) -> bool:
    if one.mask is None or other.mask is None:
        return all(scan.mask is None or bool(scan.mask.all()) for scan in (one, other))
    return np.array_equal(one.mask, other.mask)


def _acquired(kspace: Numpy) -> Numpy:
    """Return where k-space holds samples at all `(slices, ky, kx)`."""
    return np.asarray(np.any(kspace != 0, axis=1))


def raw_cases(source: Source) -> list[Case]:
    """Reconstruct every slice, and what it is scored against through the same maps."""
    cases = []
    for index in range(len(source.scan.kspace)):
        mask = source.scan.slice_mask(index)
        piece = reconstruct_slice(source.scan.kspace[index], source.noise, mask)
        reference = repetition = None
        if source.better is not None:
            better = through_maps(source.better.kspace[index], source.noise, piece, source.noise)
            reference = in_snr_units(better.image, piece.sigma)
        if source.repetition is not None:
            repetition = through_maps(
                source.repetition.kspace[index], source.repetition_noise, piece, source.noise
            )
        image = in_snr_units(piece.image, piece.sigma)
        both = image if repetition is None else image + in_snr_units(repetition.image, piece.sigma)
        found = metrics.object_mask(np.abs(both if reference is None else reference))
        cases.append(Case(piece, found, reference, repetition))
    return cases


def _nlm(cases: Sequence[Case], seed: int) -> Outcome:
    """Run non-local means at its best strength, or at its usual one where nothing is scored."""
    if all(case.reference is None and case.repetition is None for case in cases):
        usual = NonLocalMeans()
        note = f"strength {usual.strength} sigma, not tuned"
        return run_method("nlm", cases, usual, "after-sense", note=note)
    return best_nlm(cases, seed)


def _continued(
    scan: Scan, noise: KnownNoise, stage: Stage, start: Denoisers, settings: Settings
) -> Denoiser:
    """Continue a phantom denoiser on the noisy scan alone."""
    minutes = SHARE * settings.minutes
    settings.tell(f"continuing c2s {stage} on the file itself, {60 * minutes:.0f} s")
    return train(
        "c2s",
        with_noise(scan, noise),
        stage,
        settings.config.replace(minutes=minutes),
        settings.seed,
        start=start[stage],
        device=settings.device,
        report=settings.watch(stage),
    )


def _how_trained(source: Source) -> str:
    count = len(source.scan.kspace)
    return (
        f"The file has {count} slice{'s' if count > 1 else ''}. Corruption2Self was trained on "
        "phantoms, then continued on the noisy file itself, and scores that same file: "
        "self-supervised, it needs no other."
    )
