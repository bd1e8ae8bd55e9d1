"""What an experiment is told, and what it leaves for the report."""

import dataclasses
from collections.abc import Callable
from typing import Any

from kspace_denoise.demo.cases import Case, Outcome
from kspace_denoise.demo.scores import Row, data_range, mean_row, paired_gain, slice_rows
from kspace_denoise.denoiser import Denoiser
from kspace_denoise.stages import Stage
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.trainer import Report

Denoisers = dict[Stage, Denoiser]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How long, from which seed, on what device, and whom to tell.

    `minutes` is the training time on phantoms, both stages together. `tell` is given sentences,
    `watch` a title and returns what follows a training run.
    """

    seed: int = 0
    minutes: float = 2.5
    device: str = "cpu"
    config: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    tell: Callable[[str], None] = lambda _sentence: None
    watch: Callable[[str], Report | None] = lambda _title: None


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Cases, what the methods made of them, and the sentences that say how.

    The first outcome is the noisy images. `reference` says what the scores compare with.
    """

    title: str
    story: list[str]
    reference: str
    cases: list[Case]
    outcomes: list[Outcome]
    denoisers: Denoisers
    seed: int = 0

    def rows(self) -> list[Row]:
        """Return one row per method and stage."""
        peak = data_range(self.cases)
        noisy = self.outcomes[0]
        return [
            {
                **mean_row(outcome, self.cases, peak, self.seed),
                **paired_gain(outcome, noisy, self.cases, peak),
                "reference": self.reference,
            }
            for outcome in self.outcomes
        ]

    def slice_rows(self) -> list[Row]:
        """Return one row per method, stage and slice."""
        peak = data_range(self.cases)
        return [row for outcome in self.outcomes for row in slice_rows(outcome, self.cases, peak)]

    def curves(self) -> dict[str, list[Any]]:
        """Return the training curve (step, loss) of each stage."""
        return {stage: d.record["losses"] for stage, d in self.denoisers.items()}
