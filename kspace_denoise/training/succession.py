"""Several networks trained one after the other, each with its share and its own checkpoint."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from kspace_denoise.objectives import Loss
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.trainer import Progress, Report, Trainer

Reports = Callable[[str], Report]
"""What follows the training of a network, by what it is called."""


@dataclasses.dataclass
class Succession:
    """What all networks of a run have in common, and what each left behind."""

    config: TrainConfig
    seed: int
    device: str
    checkpoint: Path | None
    resume: bool
    reports: Reports | None
    records: dict[str, Any] = dataclasses.field(default_factory=dict)

    def trained(
        self,
        name: str,
        network: nn.Module,
        objective: Loss[Any],
        data: Any,
        share: float,
        watch: Callable[[Trainer], None] | None = None,
    ) -> nn.Module:
        """Train one network with a share of the whole, from its checkpoint if there is one.

        `watch` is called with the trainer after every ten steps.
        """
        config = self.part(share)
        shape = getattr(getattr(network, "network", network), "config", config.network)
        config = config.replace(network=shape)  # by which a checkpoint is known
        trainer = Trainer(network, objective, data, config, self.seed, self.device, self.kept(name))
        if self.resume and trainer.checkpoint is not None and trainer.checkpoint.exists():
            trainer.resume()
        done = trainer.progress.step
        title = f"{name}, from step {done}" if done else name
        follow = self.reports(title) if self.reports else None

        def report(progress: Progress) -> None:
            if watch is not None:
                watch(trainer)
            if follow is not None:
                follow(progress)

        network.load_state_dict(trainer.run(report))
        self.records[name] = {
            **trainer.identity(),
            "steps": trainer.progress.step,
            "seconds": trainer.progress.seconds,
            "losses": trainer.progress.losses,
        }
        return network

    def part(self, share: float) -> TrainConfig:
        """Return the config of a share of the run; settings of objectives are told apart."""
        config = self.config.replace(objective={})
        if config.steps is None:
            return config.replace(minutes=share * config.minutes)
        return config.replace(steps=max(1, round(share * config.steps)))

    def kept(self, name: str) -> Path | None:
        """Return where the network of that name keeps its checkpoint."""
        if self.checkpoint is None:
            return None
        return self.checkpoint.with_name(f"{self.checkpoint.name}.{name.replace(' ', '-')}")
