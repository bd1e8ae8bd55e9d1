"""The loop that trains any stage of any method: optimiser, EMA, checkpoint, exact resume."""

import dataclasses
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from kspace_denoise.objectives import AnyBatch, Loss
from kspace_denoise.training.ahead import Ahead
from kspace_denoise.training.checkpoint import differences, read_tensors, write_tensors
from kspace_denoise.training.coils import CoilImages
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.curve import ends, going_well, has_exploded, has_fallen, usual
from kspace_denoise.training.facts import checksum
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.measurements import Measurements
from kspace_denoise.training.parts import Parts, mixed_seed
from kspace_denoise.training.processes import check_alike, check_shares, joined, told_by_first
from kspace_denoise.training.spectra import Spectra
from kspace_denoise.training.spectral_images import SpectralImages
from kspace_denoise.training.stationary import StationaryImages

TrainingData = NoisyImages | StationaryImages | CoilImages | Spectra | Measurements | SpectralImages

STEPS_TO_PLAN = 10
"""Where minutes are given, the number of steps is planned anew after every so many."""
FREE = ("minutes", "steps", "learning_rate", "checkpoint_seconds", "symmetries", "compile")
"""Settings that may be others when a run is resumed."""


@dataclasses.dataclass
class Progress:
    """What a run has done: `losses` holds (step, mean loss since the last entry).

    `waited` are those of its seconds in which nothing was computed for want of a batch.
    """

    step: int = 0
    steps: int | None = None
    seconds: float = 0.0
    losses: list[tuple[int, float]] = dataclasses.field(default_factory=list)
    waited: float = 0.0


PATCH = 64
"""Pixels of the side of a crop, unless the config says so; less of images that are smaller."""
Report = Callable[[Progress], None]


class Trainer:
    """Train one stage.

    Step k draws its batch and noise from generators seeded by (seed, k) alone, so a run of given
    `steps` that was killed and resumed takes exactly the steps of one that was not. A run of given
    minutes takes as many steps as its pace allows.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Loss[Any],
        images: TrainingData,
        config: TrainConfig,
        seed: int = 0,
        device: str = "cpu",
        checkpoint: Path | None = None,
    ) -> None:
        self.network = network.to(device=indexed(device), memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.objective, self.images, self.config = objective, images, config
        self.seed, self.device, self.checkpoint = seed, indexed(device), checkpoint
        self.progress = Progress(steps=config.steps)
        self.average = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self._compiled: nn.Module = torch.compile(self.network) if config.compile else self.network  # type: ignore[assignment]
        self._recent: list[Tensor] = []
        self._kept: int | None = None  # the step that the checkpoint is of

    def run(self, report: Report | None = None) -> dict[str, Tensor]:
        """Train to the end and return the averaged weights.

        Raises:
            TrainingDivergedError: if a gradient is not finite or the loss explodes; the message
                says whether a lower learning rate may go on from the checkpoint.
        """
        free = {name: getattr(self.config, name) for name in FREE}
        weights = checksum(self.network.state_dict().values())
        start = {"step": self.progress.step, "weights": weights, **free}
        check_alike({**self.identity(), **_plain(start)})
        check_shares(self.config.parts, self.config.batch, joined().total)
        self.network.train()
        parts = Parts(self._compiled, self.objective, self.device, self.config.parts)
        with parts, Ahead(self._batch) as batches:
            self._run(parts, batches, report)
        self.save()
        return self.average

    def _run(self, parts: Parts, batches: Ahead[AnyBatch], report: Report | None) -> None:
        started = saved = time.monotonic() - self.progress.seconds
        waited = self.progress.waited
        while self.progress.steps is None or self.progress.step < self.progress.steps:
            self._step(parts, batches.take(self.progress.step))
            self.progress.seconds = time.monotonic() - started
            self.progress.waited = waited + batches.waited
            self._plan()
            if self.progress.step % STEPS_TO_PLAN == 0 or self.progress.step == self.progress.steps:
                self._log()
                if report:
                    report(self.progress)
                if time.monotonic() - saved > self.config.checkpoint_seconds and self._worth_it():
                    self.save()
                    saved = time.monotonic()

    def _batch(self, step: int) -> AnyBatch:
        """Draw the batch of a step."""
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, step))
        patch = self.config.patch or PATCH
        batch: AnyBatch = self.images.draw(self.config.batch, patch, generator)
        return batch.to(self.device)

    def _step(self, parts: Parts, batch: AnyBatch) -> None:
        step = self.progress.step
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * self._schedule(step)
        parts.objective = self._objective(step)
        loss = parts.gradient(batch, mixed_seed(self.seed, step))
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip, foreach=True)
        if not torch.isfinite(norm):
            raise self._diverged(f"the gradient of step {step} is not finite")
        self.optimiser.step()
        self._follow(step)
        self._recent.append(loss)
        self.progress.step = step + 1

    def _objective(self, step: int) -> Loss[Any]:
        """Return the objective of a step: of most methods that of all.

        Until the run's length is known it is the beginning.
        """
        at = getattr(self.objective, "at", None)
        if at is None:
            return self.objective
        current: Loss[Any] = at(step / self.progress.steps if self.progress.steps else 0.0)
        return current

    def _schedule(self, step: int) -> float:
        """Warm up, then fall to zero along a cosine; flat until the run's length is known."""
        rise = min(1.0, (step + 1) / self.config.warmup)
        if self.progress.steps is None:
            return rise
        return rise * 0.5 * (1 + math.cos(math.pi * step / self.progress.steps))

    def _follow(self, step: int) -> None:
        """Move the averaged weights; short runs forget their start faster."""
        decay = min(self.config.ema, (1 + step) / (10 + step))
        weights = self.network.state_dict()
        averages = [self.average[name] for name in weights]
        move = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        move(averages, list(weights.values()), 0)

    def _plan(self) -> None:
        """Keep the number of steps in line with the minutes, from the pace so far."""
        done = self.progress.step
        if self.config.steps is None and done % STEPS_TO_PLAN == 0:
            left = 60 * self.config.minutes - self.progress.seconds
            planned = done + max(0, int(left * done / self.progress.seconds))
            self.progress.steps = told_by_first(planned)

    def _log(self) -> None:
        if not self._recent:
            return
        mean = float(torch.stack(self._recent).mean())
        self._recent = []
        if has_exploded(mean, self.progress.losses):
            median = usual(self.progress.losses)
            raise self._diverged(f"the loss has grown from {median:.3g} to {mean:.3g}")
        self.progress.losses.append((self.progress.step, mean))

    def _diverged(self, sign: str) -> "TrainingDivergedError":
        """Return the error, with a promise only where something was learnt before the checkpoint.

        A step that is too large kills a network at once, and leaves the loss where it began.
        """
        advice = "set learning_rate lower and start again"
        before = [entry for entry in self.progress.losses if entry[0] <= (self._kept or 0)]
        if has_fallen(before):
            first, last = ends(before)
            advice = (
                f"{self.checkpoint} is of step {self._kept}, when the loss had fallen from "
                f"{first:.3g} to {last:.3g}: set learning_rate lower and resume"
            )
        elif self._kept is not None:
            advice += f": by step {self._kept}, that of {self.checkpoint}, nothing had been learnt"
        return TrainingDivergedError(f"training diverged: {sign}; {advice}")

    def _worth_it(self) -> bool:
        """Return whether to keep this state: the first, then those of losses that are going well.

        A healthy run passes often; one about to diverge leaves the last good state as it is. Losses
        of an objective that changes in the course of training say nothing.
        """
        changes = hasattr(self.objective, "at")
        return self._kept is None or changes or going_well(self.progress.losses)

    def save(self) -> None:
        """Write the checkpoint: weights, their average, the optimiser's moments, progress."""
        if self.checkpoint is None:
            return
        self._kept = self.progress.step
        if not joined().first:
            return
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{k}": v for k, v in moments.items()}
        write_tensors(self.checkpoint, tensors, {"identity": self.identity(), **self._state()})

    def _state(self) -> dict[str, Any]:
        return {"progress": dataclasses.asdict(self.progress)}

    def identity(self) -> dict[str, Any]:
        """Return what must agree between a checkpoint and the run that resumes it.

        The learning rate need not: a run that diverged goes on with a lower one.
        """
        objective = {"name": type(self.objective).__name__, **dataclasses.asdict(self.objective)}
        config = self.config.to_dict()
        for free in FREE:
            config.pop(free)
        data = self.images.identity()
        return _plain({"seed": self.seed, "config": config, "objective": objective, "data": data})

    def resume(self) -> None:
        """Continue from the checkpoint.

        Raises:
            FileNotFoundError: if there is none.
            ValueError: if it belongs to another run; the message names what differs.
        """
        if self.checkpoint is None:
            raise FileNotFoundError("nothing to resume: this run keeps no checkpoint")
        tensors, record = read_tensors(self.checkpoint)
        if "identity" not in record:
            raise ValueError(f"{self.checkpoint} is not the checkpoint of a training run")
        mine, theirs = self.identity(), record["identity"]
        if mine != theirs:
            raise ValueError(
                f"{self.checkpoint} belongs to another run ({differences(theirs, mine)}): resume "
                "with the same files, seed and config, or start anew without --resume"
            )
        self._load(tensors, record["progress"])

    def _load(self, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
        self.network.load_state_dict(_under("network.", tensors))
        self.average = {
            name: value.to(self.device) for name, value in _under("average.", tensors).items()
        }
        state = self.optimiser.state_dict()
        parameters = list(self.network.parameters())
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _under("optimiser.", tensors).items():
            index, key = name.split(".", 1)
            like = value if key == "step" else parameters[int(index)]
            # In the layout of the parameter, which the fused optimiser takes for granted.
            moments.setdefault(int(index), {})[key] = torch.empty_like(like).copy_(value)
        state["state"] = moments
        self.optimiser.load_state_dict(state)
        progress["losses"] = [tuple(entry) for entry in progress["losses"]]
        planned = progress.pop("steps")
        self.progress = Progress(**progress, steps=self.config.steps or planned)
        self._kept = self.progress.step


def indexed(device: str) -> str:
    """Return a device with its number: which GPU is the current one, each thread knows apart."""
    return f"cuda:{torch.cuda.current_device()}" if device == "cuda" else device


class TrainingDivergedError(ValueError):
    """Training went to infinity and was stopped."""


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record as it will look when read back from JSON (tuples become lists)."""
    plain: dict[str, Any] = json.loads(json.dumps(record))
    return plain
