"""A trained denoiser: weights, objective, stage, unit and provenance, in one safetensors file."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kspace_denoise.arrays import Array, like, to_numpy
from kspace_denoise.networks import Doorway, UNet, UNetConfig
from kspace_denoise.objectives import Objective, make_objective
from kspace_denoise.stages import Numpy, Stage, check_stage, in_snr_units
from kspace_denoise.symmetry import symmetric_mean
from kspace_denoise.training.checkpoint import read_tensors, write_tensors
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.images import signal_scale

UNIT = "SNR: the noise has sigma = 1 per real component; networks see images of root mean square 1"
IMAGES_AT_ONCE = 8


@dataclasses.dataclass
class Denoiser:
    """`denoiser(image, sigma)` returns the clean image, of the kind and shape of the noisy one.

    `record` says how it was trained; `method` and `stage` (None for a denoiser of plain images)
    are what it was trained for.
    """

    network: nn.Module
    objective: Objective
    method: str
    stage: Stage | None
    config: TrainConfig
    record: dict[str, Any]
    device: str = "cpu"

    def __call__(self, image: Array, sigma: Array | float) -> Array:
        """Denoise images `(..., y, x)`, complex or magnitude, as the denoiser was trained.

        `sigma` is the standard deviation of the noise of each real component, in the unit of
        `image`: a number, or a map that broadcasts against it. The result has the image's unit.
        Where a map is 0 (outside the coil maps) the result is 0.

        Raises:
            ValueError: if sigma is not positive and finite or does not fit the image, or the
                image is complex and the denoiser is for magnitudes, or the other way round.
        """
        noisy, noise = to_numpy(image), _checked_sigma(sigma, image.shape)
        if noisy.ndim < 2 or not np.all(np.isfinite(noisy)):
            raise ValueError(
                f"image of shape {noisy.shape} is no image (..., y, x) or holds NaN or infinity"
            )
        images = in_snr_units(noisy, noise)
        flat = torch.from_numpy(_single(images.reshape(-1, *images.shape[-2:])))
        pieces = [self._denoise(part) for part in torch.split(flat, IMAGES_AT_ONCE)]
        clean = torch.cat(pieces).numpy().reshape(images.shape)
        return like((clean * noise).astype(noisy.dtype), image)

    def _denoise(self, images: Tensor) -> Tensor:
        """Denoise images (n, y, x) in SNR units."""
        images = images.to(self.device)
        scale = signal_scale(images)
        self.network.eval().to(self.device)
        with torch.no_grad():
            clean = symmetric_mean(
                lambda turned: self.objective.denoise(self.network, turned, 1 / scale),
                images / scale[:, None, None],
                self.config.passes,
            )
        return (clean * scale[:, None, None]).cpu()

    def save(self, path: str | Path) -> None:
        """Write the denoiser as one safetensors file, which appears by rename."""
        record = {
            "format": 1,
            "method": self.method,
            "stage": self.stage,
            "unit": UNIT,
            "channels": self.network.channels,
            "config": self.config.to_dict(),
            "record": self.record,
        }
        write_tensors(path, dict(self.network.state_dict()), record)


def build_network(config: UNetConfig, channels: int, seed: int = 0) -> Doorway:
    """Return an untrained network whose weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # noqa: TID251 - inside fork_rng: the global state is put back
        return Doorway(UNet(dataclasses.replace(config, channels=channels)), channels)


def load(path: str | Path, device: str = "cpu") -> Denoiser:
    """Read a denoiser that `Denoiser.save` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is something else.
    """
    tensors, record = read_tensors(path)
    if "method" not in record:
        raise ValueError(
            f"{path} is the checkpoint of an unfinished training run, not a denoiser: "
            "finish it with `kspace-denoise train … --resume`"
        )
    config = TrainConfig.from_dict(record["config"])
    network = build_network(config.network, record["channels"])
    network.load_state_dict(tensors)
    objective = make_objective(record["method"], config.paper, **config.objective)
    stage = None if record["stage"] is None else check_stage(record["stage"])
    return Denoiser(network, objective, record["method"], stage, config, record["record"], device)


def _checked_sigma(sigma: Array | float, shape: tuple[int, ...]) -> Numpy:
    noise = np.asarray(sigma if isinstance(sigma, (int, float)) else to_numpy(sigma), np.float32)
    if not np.all(np.isfinite(noise)) or np.any(noise < 0) or not np.any(noise > 0):
        raise ValueError("sigma must be positive and finite: give the noise of each real component")
    try:
        return np.broadcast_to(noise, shape)
    except ValueError:
        raise ValueError(
            f"sigma has shape {noise.shape}, which does not fit images of shape {tuple(shape)}"
        ) from None


def _single(images: Numpy) -> Numpy:
    """Return a copy in single precision, the precision of the network."""
    return images.astype(np.complex64 if np.iscomplexobj(images) else np.float32)
