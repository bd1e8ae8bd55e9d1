"""What a method is trained on, put together and checked: scans, targets and other contrasts."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from kspace_denoise.clean import with_noise_or_next_to_none
from kspace_denoise.contrasts import Source, is_complex, known_contrasts, with_known_noise
from kspace_denoise.objectives import Objective
from kspace_denoise.scan import Images, Scan
from kspace_denoise.stages import Stage, check_cartesian, check_sampling


class Subject(NamedTuple):
    """A noisy scan, what it is taught with, and the same slices in other contrasts."""

    source: Source
    target: Source | None = None
    contrasts: Sequence[Source] = ()


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How scans become images to train on.

    `clean` says that targets hold no noise, `from_clean` that the scans are taken for clean.
    """

    stage: Stage
    calibration: int | None = None
    regularisation: float = 0.0
    vst: bool = False
    clean: bool = False
    from_clean: bool = False


def gather(
    scans: Source | Iterable[Source],
    targets: Source | Iterable[Source] | None = None,
    contrasts: Iterable[Source] | Iterable[Iterable[Source]] | None = None,
) -> list[Subject]:
    """Put together what belongs together.

    For one scan: its target, and a list of its contrasts. For a list of scans: a list of targets,
    and a list of such lists.

    Raises:
        ValueError: if there is no scan, or not one target, or one list of contrasts, per scan, or
            not all scans have the same number of contrasts, or a target is among the contrasts.
        TypeError: if something is neither a scan nor images.
    """
    alone = isinstance(scans, (Scan, Images))
    sources = _per_scan(scans, alone, "scans", None)
    if not sources:
        raise ValueError("nothing to train on: no scan was given")
    goals = _per_scan(targets, alone, "targets", len(sources))
    others = _per_scan(contrasts, alone, "lists of contrasts", len(sources))
    subjects = [
        Subject(source, goal, () if other is None else _tuple_of(other))
        for source, goal, other in zip(sources, goals, others, strict=True)
    ]
    for subject in subjects:
        _check_kinds(subject)
    counts = sorted({len(subject.contrasts) for subject in subjects})
    if len(counts) > 1:
        raise ValueError(
            f"the scans come with different numbers of contrasts ({counts}): a denoiser uses the "
            "same number, in the same order, for all"
        )
    return subjects


def _per_scan(given: Any, alone: bool, name: str, count: int | None) -> list[Any]:
    """Return one entry for each scan."""
    if given is None:
        return [None] * (count or 0)
    if alone:
        return [given]
    listed = [given] if isinstance(given, (Scan, Images)) else list(given)
    if count is not None and len(listed) != count:
        raise ValueError(f"{len(listed)} {name} were given for {count} scans: expected one each")
    return listed


def _tuple_of(contrasts: Any) -> tuple[Any, ...]:
    if isinstance(contrasts, (Scan, Images)):
        raise TypeError("contrasts hold one scan where a list was expected: one list for each scan")
    return tuple(contrasts)


def _check_kinds(subject: Subject) -> None:
    for part in (subject.source, subject.target, *subject.contrasts):
        if part is not None and not isinstance(part, (Scan, Images)):
            raise TypeError(
                f"got a {type(part).__name__} to train on, expected kd.Scan or kd.Images; kd.read "
                "makes one of a file"
            )
    if any(other is subject.target for other in subject.contrasts):
        raise ValueError(
            "one scan is both target and contrast: the answer would be given with the question"
        )


def check_targets(method: str, objective: Objective[Any], subjects: Sequence[Subject]) -> None:
    """Refuse targets that a method does not take, and a method that lacks them or gets wrong ones.

    Raises:
        ValueError: saying what the method learns from.
    """
    if objective.pair == "nothing":
        if any(subject.target is not None for subject in subjects):
            raise ValueError(
                f"{method} learns from the noisy images alone and takes no targets: leave them "
                "out, or train supervised (clean targets) or noise2noise (another repetition)"
            )
        return
    what = "another repetition" if objective.pair == "repetition" else "a clean scan"
    if any(subject.target is None for subject in subjects):
        raise ValueError(
            f"{method} needs targets: {what} of every scan that it is trained on, and none was "
            "given; c2s learns from single noisy scans"
        )
    for number, subject in enumerate(subjects, 1):
        _check_target(subject.source, subject.target, number)


def _check_target(source: Source, target: Source | None, number: int) -> None:
    if isinstance(source, Scan) and isinstance(target, Scan):
        check_cartesian(target, "training")
        fits, shapes = source.kspace.shape == target.kspace.shape, "k-space"
        have, given = source.kspace.shape, target.kspace.shape
    elif isinstance(source, Images) and isinstance(target, Images):
        fits, shapes = source.data.shape == target.data.shape, "images"
        have, given = source.data.shape, target.data.shape
        if is_complex(source) != is_complex(target):
            raise ValueError(
                f"scan {number} and its target are complex and magnitudes, mixed: give both alike"
            )
    else:
        raise ValueError(
            f"scan {number} is k-space and its target images, or the other way round: a target "
            "goes through the coil maps of its scan, so give both as k-space, or both as images"
        )
    if not fits:
        raise ValueError(
            f"scan {number} has {shapes} {have}, and its target {given}: expected the same slices"
            + (" and coils" if shapes == "k-space" else "")
        )


def known_subjects(subjects: Iterable[Subject], recipe: Recipe) -> list[Subject]:
    """Settle the noise of every scan and contrast before any long work starts.

    Raises:
        ValueError: if images come without sigma, or sampling, stage, contrasts or `vst` do not go
            together.
        recon.NoiseNotFound: if the noise of a scan is unknown and cannot be measured.
    """
    known = []
    for given, target, contrasts in subjects:
        source = with_noise_or_next_to_none(given) if recipe.from_clean else given
        if recipe.vst and (is_complex(source) or recipe.stage == "before-sense"):
            raise ValueError(
                "vst is for magnitude images (kd.Images of real numbers with sigma, of one coil or "
                "of coils combined with weights), after SENSE: the noise of complex images and of "
                "k-space is Gaussian as it is; leave vst (--vst) out"
            )
        if isinstance(source, Scan):
            check_cartesian(source, "training")
            check_sampling(source.mask, recipe.stage)
        if isinstance(target, Scan) and recipe.stage == "before-sense":
            check_sampling(target.mask, recipe.stage)
        others = known_contrasts(source, contrasts, recipe.stage)
        known.append(Subject(with_known_noise(source, "training"), target, others))
    return known
