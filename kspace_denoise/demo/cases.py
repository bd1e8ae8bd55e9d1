"""Slices to score, everything in SNR units, and what each method makes of them."""

import dataclasses
import time
from collections.abc import Sequence

import numpy as np

from kspace_denoise import metrics
from kspace_denoise.arrays import to_numpy
from kspace_denoise.classical import NonLocalMeans
from kspace_denoise.pipeline import AnyDenoiser, denoise_slice
from kspace_denoise.stages import Numpy, Slice, Stage, in_snr_units

STRENGTHS = tuple(float(h) for h in np.geomspace(0.3, 2.0, 14))
"""Strengths of non-local means that are tried, in units of sigma."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One slice: the noisy scan, and whatever is known beside it.

    `reference` is a better SENSE image through the same coil maps, in the same SNR units, or
    None. `repetition` is a second scan with independent noise, through the same maps, or None;
    its noise may have another level, and it is scored in the SNR units of `piece` as well.
    """

    piece: Slice
    mask: Numpy
    reference: Numpy | None = None
    repetition: Slice | None = None

    @property
    def noisy(self) -> Numpy:
        """The noisy SENSE image in SNR units."""
        return in_snr_units(self.piece.image, self.piece.sigma)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a method made of the cases, and of their repetitions where there are any."""

    method: str
    stage: Stage | None
    images: Numpy
    repetitions: Numpy | None
    seconds: float
    note: str = ""
    trained_on: str = ""


def run_method(
    name: str,
    cases: Sequence[Case],
    denoiser: AnyDenoiser,
    stage: Stage,
    other: AnyDenoiser | None = None,
    note: str = "",
    trained_on: str = "",
) -> Outcome:
    """Denoise every case, and its repetition with `other` (by default the same denoiser)."""
    started = time.perf_counter()
    images = np.stack([_denoised(case.piece, case, denoiser, stage) for case in cases])
    seconds = (time.perf_counter() - started) / len(cases)
    second = [(case.repetition, case) for case in cases if case.repetition is not None]
    repetitions = None
    if len(second) == len(cases):
        repetitions = np.stack(
            [_denoised(piece, case, other or denoiser, stage) for piece, case in second]
        )
    return Outcome(name, stage, images, repetitions, seconds, note, trained_on)


def untouched(cases: Sequence[Case]) -> Outcome:
    """Return the noisy images as a method of their own."""
    return run_method("noisy", cases, lambda image, _sigma: image, "after-sense")


def best_nlm(cases: Sequence[Case], seed: int = 0) -> Outcome:
    """Run non-local means at the strength that scores best on these very cases, in its favour.

    At least 14 strengths are tried, and more while the best lies at an end.
    """
    tried: dict[float, tuple[float, Outcome]] = {}
    strengths = list(STRENGTHS)
    while True:
        for strength in strengths:
            if strength not in tried:
                outcome = run_method("nlm", cases, NonLocalMeans(strength), "after-sense")
                tried[strength] = (_badness(outcome, cases, seed), outcome)
        best = min(tried, key=lambda strength: tried[strength][0])
        if best not in (min(tried), max(tried)) or len(tried) > 3 * len(STRENGTHS):
            note = f"best of {len(tried)} strengths, chosen with the reference: {best:.2f} sigma"
            return dataclasses.replace(tried[best][1], note=note)
        strengths = [min(tried) / 1.2, max(tried) * 1.2]


def unbiased_error(
    outcome: Outcome, cases: Sequence[Case], seed: int = 0
) -> metrics.UnbiasedError | None:
    """Return the error against independent repetitions over all cases, None without them."""
    if outcome.repetitions is None:
        return None
    second = [in_snr_units(c.repetition.image, c.piece.sigma) for c in cases if c.repetition]
    return metrics.unbiased_error(
        (outcome.images, outcome.repetitions),
        (np.stack([case.noisy for case in cases]), np.stack(second)),
        mask=np.stack([case.mask for case in cases]),
        seed=seed,
    )


def _badness(outcome: Outcome, cases: Sequence[Case], seed: int) -> float:
    """Return the mean squared error in the mask, or the unbiased error without a reference."""
    if all(case.reference is not None for case in cases):
        errors = [
            np.mean(np.abs(image - case.reference)[case.mask] ** 2)
            for image, case in zip(outcome.images, cases, strict=True)
        ]
        return float(np.mean(errors))
    error = unbiased_error(outcome, cases, seed)
    if error is None:
        raise ValueError("a strength can only be chosen with a reference or a repetition")
    return error.value


def _denoised(piece: Slice, case: Case, denoiser: AnyDenoiser, stage: Stage) -> Numpy:
    """Denoise a piece in its own SNR units; return it in those of the case."""
    image = denoise_slice(piece, denoiser, stage).image
    return in_snr_units(to_numpy(image), case.piece.sigma)
