"""A diffusion scan without its noise, by a trained DDM2, and its file."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import kspace_denoise
from kspace_denoise.dmri import corrupted, shuffled
from kspace_denoise.dmri.expected import expected
from kspace_denoise.dmri.matched import levels_of, states_of
from kspace_denoise.dmri.prepare import Prepared, prepare
from kspace_denoise.dmri.put_back import put_back
from kspace_denoise.dmri.volumes import Tick, nothing
from kspace_denoise.objectives.ddm2 import DDM2
from kspace_denoise.scan import Images
from kspace_denoise.training.checkpoint import write_tensors
from kspace_denoise.training.config import TrainConfig

FORMAT = 1
"""Of the file."""


@dataclasses.dataclass(frozen=True)
class ShellModel:
    """What was trained on one shell."""

    bval: float
    neighbours: int
    """How many other volumes the noise model sees."""
    noise_model: nn.Module
    diffusion: nn.Module | None = None


@dataclasses.dataclass
class VolumeDenoiser:
    """`denoiser(images)` returns a diffusion scan without its noise.

    `record` says how it was trained. Shells without a model, as those of too few volumes, come out
    as they are.
    """

    shells: list[ShellModel]
    method: DDM2
    config: TrainConfig
    record: dict[str, Any]
    device: str = "cpu"

    name = "ddm2"

    def __call__(
        self, images: Images, diffusion: bool = True, seed: int = 0, tick: Tick = nothing
    ) -> Images:
        """Denoise `(volumes, slices, y, x)`, complex or magnitude, of the scan it was trained on.

        The result has the unit, dtype, b-values, directions and place in space of what was given,
        and is 0 where that is. Without `diffusion` it is what the noise model says. Before every
        volume `tick` is called.

        Raises:
            ValueError: as `prepare`.
        """
        clean = images.data.copy()
        generator = torch.Generator(self.device).manual_seed(seed)
        for prepared, model in self.matched(images):
            told = expected(model.noise_model, prepared.volumes, self.device)
            found = self._clean(prepared, model, told, generator, tick) if diffusion else told
            if diffusion and self.method.put_back:
                found = put_back(prepared, found)
            restored = prepared.restored(found).astype(images.data.dtype)
            volumes = prepared.shell.volumes
            clean[volumes] = np.where(images.data[volumes] == 0, 0, restored)
        return dataclasses.replace(images, data=clean, sigma=None)

    def matched(self, images: Images) -> list[tuple[Prepared, ShellModel]]:
        """Return the shells of a scan that there is a model for, ready for the networks.

        Raises:
            ValueError: as `prepare`.
        """
        trained = {model.bval: model.neighbours for model in self.shells}
        return [
            (prepared, min(self.shells, key=lambda model: abs(model.bval - prepared.shell.bval)))
            for prepared in prepare(images, self.method, trained)
        ]

    def _clean(
        self,
        prepared: Prepared,
        model: ShellModel,
        told: Tensor,
        generator: torch.Generator,
        tick: Tick,
    ) -> Tensor:
        if model.diffusion is None:
            return told
        method, volumes = self.method, prepared.volumes
        states = states_of(prepared, told, method)
        levels = levels_of(prepared, states, method)
        if method.diffusion == "corrupted":
            return corrupted.denoised(
                model.diffusion, volumes, told, levels, self.config, self.device, tick
            )
        settings = (method, self.config, self.device, generator, tick)
        return shuffled.denoised(model.diffusion, volumes, states, levels, *settings)

    def save(self, path: str | Path) -> None:
        """Write the denoiser as one safetensors file, which appears by rename."""
        tensors = {
            f"{number}.{stage}.{name}": value
            for number, model in enumerate(self.shells)
            for stage, network in (("noise", model.noise_model), ("diffusion", model.diffusion))
            if network is not None
            for name, value in network.state_dict().items()
        }
        record = {
            "format": FORMAT,
            "volumes": self.name,
            "shells": [[model.bval, model.neighbours] for model in self.shells],
            "settings": dataclasses.asdict(self.method),
            "config": self.config.to_dict(),
            "record": {"version": kspace_denoise.__version__, **self.record},
        }
        write_tensors(path, tensors, record)
