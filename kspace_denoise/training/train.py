"""`train`: from raw scans to a denoiser."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kspace_denoise import recon
from kspace_denoise.denoiser import Denoiser, build_network
from kspace_denoise.fourier import ifft2c
from kspace_denoise.objectives import make_objective
from kspace_denoise.scan import Images, Scan
from kspace_denoise.stages import (
    Stage,
    check_cartesian,
    check_sampling,
    check_stage,
    coil_sigma,
    in_snr_units,
    known_noise,
    known_sigma,
    reconstruct_slice,
    stage_images,
)
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.trainer import Report, Trainer

Source = Scan | Images


def train(
    method: str,
    scans: Source | Iterable[Source],
    stage: Stage = "after-sense",
    config: TrainConfig | None = None,
    seed: int = 0,
    *,
    start: Denoiser | None = None,
    device: str = "cpu",
    checkpoint: str | Path | None = None,
    resume: bool = False,
    calibration: int | None = None,
    regularisation: float = 0.0,
    report: Report | None = None,
) -> Denoiser:
    """Train a denoiser on noisy scans alone, of one or of many subjects.

    Every slice is whitened with its scan's noise covariance and, after SENSE, reconstructed and
    divided by its noise map. `Images` (complex or magnitude, with a sigma) are taken as they are,
    whatever the stage. `start` continues from a denoiser trained before, `resume` from
    `checkpoint`, which is written as training goes. `calibration` and `regularisation` are those
    of the SENSE images, see `denoise`.

    Raises:
        ValueError: if the method or stage does not exist, or the scans cannot be trained on.
        recon.NoiseNotFound: if a scan's noise is unknown and cannot be measured in its k-space.
    """
    config = config or TrainConfig()
    objective = make_objective(method, config.paper, **config.objective)
    stage = check_stage(stage)
    sources = [scans] if isinstance(scans, (Scan, Images)) else list(scans)
    images = NoisyImages.from_arrays(noisy_images(sources, stage, calibration, regularisation))
    if start is not None:
        config = config.replace(network=start.config.network)
    network = build_network(config.network, images.channels, seed)
    if start is not None:
        if start.network.channels != images.channels:
            raise ValueError(
                "the denoiser to start from is for complex images and these are magnitudes, or the "
                "other way round: start from one of the same kind"
            )
        network.load_state_dict(start.network.state_dict())
    trainer = Trainer(
        network,
        objective,
        images,
        config,
        seed,
        device,
        None if checkpoint is None else Path(checkpoint),
    )
    if resume:
        trainer.resume()
    network.load_state_dict(trainer.run(report))
    record: dict[str, Any] = {
        **trainer.identity(),
        "steps": trainer.progress.step,
        "seconds": trainer.progress.seconds,
        "losses": trainer.progress.losses,
        "started_from": None if start is None else start.record,
    }
    return Denoiser(network, objective, method, stage, config, record, device)


def noisy_images(
    sources: Iterable[Source],
    stage: Stage,
    calibration: int | None = None,
    regularisation: float = 0.0,
) -> Iterator[np.ndarray]:
    """Yield the images (y, x) in SNR units that a stage's denoiser is trained on.

    Raises:
        ValueError: if images come without a sigma.
    """
    for source in sources:
        if isinstance(source, Scan):
            check_cartesian(source, "training")
            check_sampling(source.mask, stage)
            noise = known_noise(source)
            for index in range(len(source.kspace)):
                kspace, mask = source.kspace[index], source.slice_mask(index)
                if not kspace.any():
                    continue  # a blank slice has nothing to teach
                if stage == "before-sense":
                    white = recon.whiten(kspace, noise.covariance)
                    yield from in_snr_units(ifft2c(white), coil_sigma(white, noise))
                else:
                    piece = reconstruct_slice(
                        kspace, noise, mask, calibration, regularisation=regularisation
                    )
                    yield from stage_images(piece, stage)
        else:
            yield from in_snr_units(source.data[:], known_sigma(source))
