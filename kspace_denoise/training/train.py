"""`train`: from raw scans to a denoiser."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

import kspace_denoise
from kspace_denoise.contrasts import Source
from kspace_denoise.denoiser import Denoiser, build_network
from kspace_denoise.diffdenoise.teach import student_of
from kspace_denoise.networks import (
    NetworkConfig,
    differentiate_twice,
)
from kspace_denoise.objectives import (
    C2S,
    GSURE,
    OF_VOLUMES,
    Coil2Coil,
    DiffDenoise,
    Diffusion,
    Objective,
    make_objective,
)
from kspace_denoise.recon.spectral import PixelSampling
from kspace_denoise.scan import Images, Scan
from kspace_denoise.stages import Stage, check_stage
from kspace_denoise.training.cache import cached_images
from kspace_denoise.training.coils import CoilImages, training_coils
from kspace_denoise.training.config import Domain, TrainConfig
from kspace_denoise.training.examples import Made, training_examples
from kspace_denoise.training.fitted import check_patch, fitted
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.measurements import Measurements, training_measurements
from kspace_denoise.training.spectra import Spectra, training_pixels, training_spectra
from kspace_denoise.training.spectral_images import SpectralImages
from kspace_denoise.training.stationary import StationaryImages, in_short
from kspace_denoise.training.subjects import (
    Recipe,
    Subject,
    check_targets,
    gather,
    known_subjects,
)
from kspace_denoise.training.succession import Reports, Succession
from kspace_denoise.training.trainer import Report, Trainer, TrainingData
from kspace_denoise.training.whiteness import warn_if_coloured


def train(
    method: str,
    scans: Source | Iterable[Source],
    stage: Stage = "after-sense",
    config: TrainConfig | None = None,
    seed: int = 0,
    *,
    targets: Source | Iterable[Source] | None = None,
    contrasts: Iterable[Source] | Iterable[Iterable[Source]] | None = None,
    start: Denoiser | None = None,
    device: str = "cpu",
    checkpoint: str | Path | None = None,
    resume: bool = False,
    calibration: int | None = None,
    regularisation: float = 0.0,
    cache: str | Path | None = None,
    made: Made | None = None,
    report: Report | None = None,
    reports: Reports | None = None,
) -> Denoiser:
    """Train a denoiser on scans of one or of many subjects.

    Every slice is whitened with its scan's noise covariance and, after SENSE, reconstructed and
    divided by its noise map. `Images` (complex or magnitude, with a sigma) are taken as they are,
    whatever the stage; with `config.vst` the noise of magnitudes is made even (they are taken for
    those of one coil, or of coils combined with weights: Rician).

    `targets`, one for each scan, is what some methods learn from: for "supervised" the clean scan,
    for "noise2noise" another repetition; both in the unit of the scan, through whose coil maps they
    go. `contrasts`, a list for each scan, are the same slices in other contrasts, which the
    denoiser will ask for again; each goes through maps of its own, after SENSE. `start` continues
    from a denoiser trained before, `resume` from `checkpoint`, which is written as training goes.
    `calibration` and `regularisation` are those of the SENSE images, see `denoise`. In the folder
    `cache` these are kept, made once and then read where a batch is cut from them, so that memory
    does not grow with the scans; `made(done, all)` is called after every scan of which they were.
    `report` follows the training; of a method of several networks `reports(name)` follows each.

    Raises:
        ValueError: if the method or stage does not exist, the scans cannot be trained on, targets
            or contrasts do not belong to them or to the method, or `start` is for other images.
        recon.NoiseNotFound: if a scan's noise is unknown and cannot be measured in its k-space.
    """
    config = config or TrainConfig()
    if method in OF_VOLUMES:
        raise ValueError(
            f"{method} learns from the volumes of one diffusion scan together: "
            f"kd.train_volumes({method!r}, images)"
        )
    objective = make_objective(method, config.paper, **config.objective)
    clean = objective.pair == "clean"
    from_clean = isinstance(objective, Diffusion)
    recipe = Recipe(check_stage(stage), calibration, regularisation, config.vst, clean, from_clean)
    subjects = gather(scans, targets, contrasts)
    check_targets(method, objective, subjects)
    shown = int(getattr(objective, "mask_aware", False))
    config = fitted(config, objective, start, len(subjects[0].contrasts) + shown)
    folder = None if cache is None else Path(cache)
    images = _gathered(objective, subjects, recipe, config.domain, folder, made)
    seen = images.images if isinstance(images, StationaryImages) else images
    if isinstance(seen, NoisyImages):
        hole = getattr(objective, "hole", getattr(config.network, "hole", None))
        check_patch(config.patch, hole, seen)
        if seen is images and not (isinstance(objective, DiffDenoise) and hole is None):
            warn_if_coloured(method, hole, seen)
    if isinstance(objective, GSURE) and config.symmetries is None:
        config = config.replace(symmetries=1)  # it is never shown turned images
    objective, config = _fit_to_data(objective, config, images)
    _check_channels(config.network, images.channels)
    network = build_network(config.network, images.channels, seed)
    if getattr(objective, "derivative", None) == "exact":
        differentiate_twice(network)
    if start is not None:
        _check_start(start, images.channels)
        network.load_state_dict(start.network.state_dict())
    kept = None if checkpoint is None else Path(checkpoint)
    run = Succession(config, seed, device, kept, resume, reports)
    learnt, length, told = _lesson(objective, images, run)
    trainer = Trainer(network, objective, learnt, length, seed, device, kept)
    if resume and not (run.records and kept is not None and not kept.exists()):
        trainer.resume()
    network.load_state_dict(trainer.run(reports("student") if run.records and reports else report))
    record = {
        **told,
        **_correlated(images),
        **_record(trainer, run),
        "learnt_from": "scans taken for clean" if from_clean else objective.pair,
        "contrasts": images.contrasts,
        "started_from": None if start is None else start.record,
    }
    return Denoiser(network, objective, method, stage, config, record, device)


def _correlated(images: TrainingData) -> dict[str, Any]:
    """Return what is recorded of noise that is correlated."""
    if not isinstance(images, StationaryImages):
        return {}
    return {"correlation": in_short(images.correlation), "correlation_told_by": images.told_by}


def _lesson(
    objective: Objective[Any], images: TrainingData, run: Succession
) -> tuple[TrainingData, TrainConfig, dict[str, Any]]:
    """Return what the denoiser itself learns from, its part of the run, and what came before it."""
    if not isinstance(objective, DiffDenoise):
        return images, run.config, {}
    assert isinstance(images, NoisyImages)
    return student_of(images, objective, run)


def _record(trainer: Trainer, run: Succession) -> dict[str, Any]:
    """Return how a denoiser was trained; steps and seconds are those of all networks together."""
    before = run.records.values()
    return {
        "version": kspace_denoise.__version__,
        **trainer.identity(),
        "steps": trainer.progress.step + sum(one["steps"] for one in before),
        "seconds": trainer.progress.seconds + sum(one["seconds"] for one in before),
        "waited": trainer.progress.waited,
        "losses": trainer.progress.losses,
    }


def _gathered(
    objective: Objective[Any],
    subjects: list[Subject],
    recipe: Recipe,
    domain: Domain,
    cache: Path | None,
    made: Made | None,
) -> TrainingData:
    """Return what an objective learns from: images, pixels, or k-space of one coil or of several.

    Raises:
        ValueError: as `known_subjects`, `training_examples`, `training_spectra` and
            `training_measurements`, or if the method does not work in the domain.
    """
    of_kspace = isinstance(objective, GSURE) or domain == "svd"
    if cache is not None and (of_kspace or isinstance(objective, Coil2Coil)):
        raise ValueError(
            "a cache holds SENSE images, and this training (gsure, coil2coil, domain = 'svd') "
            "learns from k-space itself: leave it out"
        )
    if domain != "image":
        check_coloured(objective, domain)
    if not of_kspace:
        subjects = known_subjects(subjects, recipe)
        if isinstance(objective, Coil2Coil):
            return _gathered_coils(objective, subjects, recipe)
        if cache is not None:
            images = cached_images(subjects, recipe, cache, made)
        else:
            images = NoisyImages.from_examples(training_examples(subjects, recipe, made))
        if domain == "stationary":
            return StationaryImages.of(images, [subject.source for subject in subjects])
        return images
    if recipe.stage != "after-sense" or recipe.vst or recipe.regularisation:
        raise ValueError(
            "this training learns from k-space itself: leave stage at 'after-sense', and vst and "
            "the penalty of SENSE out"
        )
    if domain == "svd":
        return SpectralImages.collect(training_measurements(subjects, recipe.calibration))
    sources = [subject.source for subject in subjects]
    if all(isinstance(source, Images) for source in sources):
        return Spectra.collect(training_pixels(subjects), PixelSampling(torch.ones(1)))
    if any(isinstance(source, Scan) and source.kspace.shape[1] > 1 for source in sources):
        assert isinstance(objective, GSURE)
        objective.check_coils()
        found = Measurements.collect(training_measurements(subjects, recipe.calibration))
        return found.with_density()
    return Spectra.collect(training_spectra(subjects))


def _gathered_coils(objective: Coil2Coil, subjects: list[Subject], recipe: Recipe) -> CoilImages:
    """Return the coil images that Coil2Coil learns from.

    Raises:
        ValueError: as `training_coils`, or if it is asked for what it cannot do.
    """
    if (
        recipe.stage != "after-sense"
        or recipe.regularisation
        or any(subject.contrasts for subject in subjects)
    ):
        raise ValueError(
            "coil2coil learns the image of all coils, and no other contrasts: leave stage at "
            "'after-sense', and contrasts and the penalty of SENSE out"
        )
    return CoilImages.collect(training_coils(subjects, recipe), objective)


def check_coloured(objective: Objective[Any], domain: Domain) -> None:
    """Refuse a method that cannot learn with a domain other than "image".

    Raises:
        ValueError: naming what can.
    """
    if not isinstance(objective, C2S):
        raise ValueError(
            f"domain = {domain!r} is for c2s, whose corruption it colours; gsure works in the "
            "singular value decomposition by itself, diffdenoise measures how wide its hole has to "
            "be, and the other methods take noise for white"
        )
    if domain == "svd" and objective.levels != "log-normal":
        raise ValueError(
            f"levels is {objective.levels!r}: with domain = 'svd' levels are shares of the noise, "
            "'log-normal'"
        )


def _fit_to_data(
    objective: Objective[Any],
    config: TrainConfig,
    images: TrainingData,
) -> tuple[Objective[Any], TrainConfig]:
    """Take from the images what an objective takes from them, and note it in the config."""
    fit = getattr(objective, "fit", None)
    if fit is None or isinstance(images, (SpectralImages, CoilImages)):
        return objective, config
    if isinstance(images, StationaryImages):
        images = images.images
    known = images.images if isinstance(images, NoisyImages) else images.largest_noise
    fitted: Objective[Any] = fit(known)
    before = dataclasses.asdict(objective)
    found = {k: v for k, v in dataclasses.asdict(fitted).items() if v != before[k]}
    return fitted, config.replace(objective={**config.objective, **found})


def _check_channels(network: NetworkConfig, channels: int) -> None:
    """Refuse a network that was set for images of another kind; left alone, it follows the data."""
    if network.channels not in (type(network)().channels, channels):
        kind = "complex, which takes 2" if channels == 2 else "magnitudes, which takes 1"
        raise ValueError(
            f"[network] has channels = {network.channels}, and the images are {kind}: leave the "
            "setting out, it follows from the data"
        )


def _check_start(start: Denoiser, channels: int) -> None:
    if start.network.channels != channels:
        raise ValueError(
            "the denoiser to start from is for complex images and these are magnitudes, or the "
            "other way round: start from one of the same kind"
        )
