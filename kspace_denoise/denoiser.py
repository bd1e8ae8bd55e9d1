"""A trained denoiser: weights, objective, stage, unit and provenance, in one safetensors file."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import kspace_denoise
from kspace_denoise.arrays import Array, like, to_numpy
from kspace_denoise.contrasts import check_count
from kspace_denoise.networks import Doorway, NetworkConfig, build
from kspace_denoise.objectives import Objective, make_objective
from kspace_denoise.prior import Prior
from kspace_denoise.sigma import check_image, checked_sigma
from kspace_denoise.stages import Numpy, Stage, check_stage
from kspace_denoise.symmetry import symmetric_mean
from kspace_denoise.torch_module import DenoiserModule
from kspace_denoise.training.checkpoint import read_tensors, write_tensors
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.facts import signal_scale
from kspace_denoise.units import from_unit, to_unit

UNIT = "SNR: the noise has sigma = 1 per real component; networks see images of root mean square 1"
IMAGES_AT_ONCE = 8
FORMAT = 2
"""Of the file. Networks of format 1 were trained with the phase of their images left on."""


@dataclasses.dataclass
class Denoiser:
    """`denoiser(image, sigma)` returns the clean image, of the kind and shape of the noisy one.

    `record` says how it was trained; `method` and `stage` (None for a denoiser of plain images)
    are what it was trained for.
    """

    network: nn.Module
    objective: Objective[Any]
    method: str
    stage: Stage | None
    config: TrainConfig
    record: dict[str, Any]
    device: str = "cpu"

    @property
    def contrasts(self) -> int:
        """How many other contrasts of each slice it looks at beside the noisy image."""
        own = getattr(self.objective, "mask_aware", False)  # a mask that it is shown counts as one
        return self.config.network.contrasts - int(own)

    @property
    def domain(self) -> str:
        """Where its noise was taken apart: "image" (taken for white), "stationary" or "svd"."""
        return self.config.domain

    @property
    def needs_condition(self) -> bool:
        """Whether it has to be given other contrasts."""
        return self.contrasts > 0

    def __call__(
        self,
        image: Array,
        sigma: Array | float,
        condition: Array | None = None,
        condition_sigma: Array | float | None = None,
    ) -> Array:
        """Denoise images `(..., y, x)`, complex or magnitude, as the denoiser was trained.

        `sigma` is the standard deviation of the noise of each real component, in the unit of
        `image`: a number, or a map that broadcasts against it. The result has the image's unit.
        Where a map is 0 (outside the coil maps) the result is 0.

        `condition` `(..., contrasts, y, x)` holds the same slices in the other contrasts that the
        denoiser was trained with, in that order, each in a unit of its own. `condition_sigma` is
        their noise: a number, one per contrast, or a map that broadcasts against them.

        Raises:
            ValueError: if sigma is not positive and finite or does not fit the image, the image is
                complex and the denoiser is for magnitudes, or the other way round, or `condition`
                is missing, not asked for, or does not fit.
        """
        check_image(image)
        noisy, noise = to_numpy(image), checked_sigma(sigma, image.shape)
        vst = self.config.vst
        images = to_unit(noisy, noise, vst)
        flat = torch.from_numpy(_single(images.reshape(-1, *images.shape[-2:])))
        parts = torch.split(flat, IMAGES_AT_ONCE)
        others: Sequence[Tensor | None] = [None] * len(parts)
        if condition is None:
            check_count(self, 0)
        else:
            check_count(self, _checked_condition(condition, noisy))
            unit = _condition_in_unit(condition, condition_sigma, vst)
            stacked = torch.from_numpy(_single(unit.reshape(-1, *unit.shape[-3:])))
            others = torch.split(stacked, IMAGES_AT_ONCE)
        pieces = [self._denoise(*both) for both in zip(parts, others, strict=True)]
        clean = torch.cat(pieces).numpy().reshape(images.shape)
        return like(from_unit(clean, noise, vst).astype(noisy.dtype), image)

    def _denoise(self, images: Tensor, condition: Tensor | None) -> Tensor:
        """Denoise images (n, y, x) in SNR units."""
        self.network.eval().to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        others = None if condition is None else condition.to(self.device)
        with torch.no_grad():
            return self.in_unit(images.to(self.device), others).cpu()

    def in_unit(self, images: Tensor, condition: Tensor | None = None) -> Tensor:
        """Denoise images (n, y, x) in SNR units where they are, with gradients if they ask.

        `condition` (n, contrasts, y, x) holds the other contrasts in SNR units.
        """
        scale = self._scale(images)
        if condition is not None:
            condition = condition / signal_scale(condition)[..., None, None]
        clean = symmetric_mean(
            lambda turned, *others: self.objective.denoise(
                self.network, turned, 1 / scale, *others
            ),
            images / scale[:, None, None],
            self.config.passes,
            condition,
        )
        return clean * scale[:, None, None]

    def module(self) -> DenoiserModule:
        """Return a torch module around the same network, for code that works on tensors.

        Raises:
            ValueError: if the denoiser needs more than an image and its noise.
        """
        return DenoiserModule(self)

    def _scale(self, images: Tensor) -> Tensor:
        """Return the unit of images (n, y, x) in SNR units: theirs as trained, noise and all.

        Denoisers of every noise level know clean images of root mean square 1: the noise is taken
        off, as far as there is signal beside it.
        """
        scale = signal_scale(images)
        if not getattr(self.objective, "every_level", False):
            return scale
        noise = 2 if images.is_complex() else 1
        return (scale**2 - noise).clamp(min=0.1).sqrt()

    def prior(
        self, rms: float, tick: Callable[[], object] = lambda: None, bfloat16: bool = False
    ) -> Prior:
        """Return `denoise(x, sigma)` for the samplers of `recon`, of complex images of one unit.

        `rms` is the root mean square of the image's magnitude in that unit; `tick` is called before
        every call. `bfloat16` has the network's layers computed in half precision, which is faster
        where the processor has it. One pass; see `Prior`.

        Raises:
            ValueError: if the denoiser was not trained at every noise level, or looks at other
                contrasts, or is for magnitudes, or `rms` is not positive.
        """
        if not 0 < rms < float("inf"):
            raise ValueError(
                f"rms is {rms}, expected that of the images: a positive number, of a scan "
                "recon.signal_rms"
            )
        smallest = getattr(self.objective, "smallest", None)
        if not getattr(self.objective, "every_level", False) or smallest is None:
            raise ValueError(
                f"a sampler asks for the clean image at every noise level, and {self.method} was "
                "trained near that of its scans: train diffusion or gsure"
            )
        if self.network.channels == 1:
            raise ValueError(
                "a sampler works on complex images, and this denoiser is for magnitudes: train one "
                "on complex images, or on raw k-space"
            )
        check_count(self, 0)
        self.network.eval().to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        known = rms * smallest
        return Prior(self.network, self.objective, rms, known, self.device, tick, bfloat16)

    def save(self, path: str | Path) -> None:
        """Write the denoiser as one safetensors file, which appears by rename."""
        record = {
            "format": FORMAT,
            "method": self.method,
            "stage": self.stage,
            "unit": UNIT,
            "channels": self.network.channels,
            "config": self.config.to_dict(),
            "record": {"version": kspace_denoise.__version__, **self.record},
        }
        write_tensors(path, dict(self.network.state_dict()), record)


def build_network(config: NetworkConfig, channels: int, seed: int = 0) -> Doorway:
    """Return an untrained network whose weights depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # noqa: TID251 - inside fork_rng: the global state is put back
        return Doorway(build(dataclasses.replace(config, channels=channels)), channels)


def load(path: str | Path, device: str = "cpu") -> Denoiser:
    """Read a denoiser that `Denoiser.save` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is something else.
    """
    tensors, record = read_tensors(path)
    if "volumes" in record:
        raise ValueError(
            f"{path} is a denoiser for diffusion scans ({record['volumes']}): give it to "
            "`kspace-denoise denoise` with such a scan, or read it with kd.load"
        )
    if "method" not in record:
        raise ValueError(
            f"{path} is the checkpoint of an unfinished training run, not a denoiser: "
            "finish it with `kspace-denoise train … --resume`"
        )
    if record["format"] != FORMAT:
        raise ValueError(
            f"{path} is a denoiser of format {record['format']}, and this version reads {FORMAT}: "
            "train it again"
        )
    config = TrainConfig.from_dict(record["config"])
    network = build_network(config.network, record["channels"])
    network.load_state_dict(tensors)
    objective = make_objective(record["method"], config.paper, **config.objective)
    stage = None if record["stage"] is None else check_stage(record["stage"])
    return Denoiser(network, objective, record["method"], stage, config, record["record"], device)


def _checked_condition(condition: Array, noisy: Numpy) -> int:
    """Return the number of contrasts, if they fit the images."""
    shape = tuple(condition.shape)
    if len(shape) != noisy.ndim + 1 or (*shape[:-3], *shape[-2:]) != noisy.shape:
        raise ValueError(
            f"condition has shape {shape} and image {noisy.shape}: expected the same slices in "
            "other contrasts, (..., contrasts, y, x)"
        )
    others = to_numpy(condition)
    if np.iscomplexobj(others) != np.iscomplexobj(noisy):
        raise ValueError(
            "of image and condition one is complex and one magnitudes: give both alike"
        )
    if not np.all(np.isfinite(others)):
        raise ValueError("condition holds NaN or infinity")
    return int(shape[-3])


def _condition_in_unit(condition: Array, sigma: Array | float | None, vst: bool) -> Numpy:
    """Return the contrasts in SNR units; one sigma per contrast may be given without (y, x)."""
    if sigma is None:
        raise ValueError("the other contrasts come without their noise: give condition_sigma")
    if np.ndim(sigma) == 1:
        sigma = to_numpy(sigma)[:, None, None]
    try:
        noise = checked_sigma(sigma, condition.shape)
    except ValueError as error:
        raise ValueError(f"of the other contrasts, {error}") from None
    return to_unit(condition, noise, vst)


def _single(images: Numpy) -> Numpy:
    """Return a copy in single precision, the precision of the network."""
    return images.astype(np.complex64 if np.iscomplexobj(images) else np.float32)
