"""DDM2: its settings, and its third stage, a diffusion model from a noise model and shuffled noise.

Xiang, Yurt, Syed, Setsompop, Chaudhari, DDM2: self-supervised diffusion MRI denoising with
generative diffusion models, ICLR 2023, sections 3.2 and 3.3.
"""

import dataclasses
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from kspace_denoise.dmri.schedule import signal_left
from kspace_denoise.dmri.state import State
from kspace_denoise.objectives.objective import Pair
from kspace_denoise.objectives.volume_batch import VolumeBatch
from kspace_denoise.settings import check_choice

Order = Literal["direction", "time"]
Unit = Literal["signal", "range"]
Diffusion = Literal["corrupted", "shuffled", "none"]
Matching = Literal["noise", "residual", "schedule"]
Noise = Literal["shuffled", "gaussian", "still"]
Levels = Literal["log-uniform", "steps"]
Chain = Literal["even", "steps"]
_CHOICES = {
    "order": get_args(Order),
    "unit": get_args(Unit),
    "diffusion": get_args(Diffusion),
    "matching": get_args(Matching),
    "noise": get_args(Noise),
    "levels": get_args(Levels),
    "chain": get_args(Chain),
}


@dataclasses.dataclass(frozen=True)
class DDM2:
    """Images are x = a Φ + mean + s ε, by their state (`State`); levels are of ε over that of Φ.

    Data: the noise model Φ sees `neighbours` other volumes of the shell (None: all of them), the
    nearest in "direction" or in "time" (`order`); with `mix_shells`, of all b > 0. `slab` adjacent
    slices go together.
    `unit`: what images are divided by, the noise map where there is one and then their root mean
    square ("signal"), or as in the paper half the largest value of each volume, less 1 ("range").

    Training: a `share` of it is the noise model's. `diffusion="shuffled"` is the paper's third
    stage, which learns from the noise model alone what clean images are; "corrupted" learns it from
    the noisy images, made noisier, with what the noise model says beside them (Corruption2Self);
    "none" leaves it out. `matching` says how noisy an image is: by its "noise" where that is known,
    by the "residual" that the noise model leaves, or as the paper by the step of the `schedule`.
    `put_back`: what the residuals of all volumes have in common is signal, and goes back.

    Of "shuffled" alone: `levels="log-uniform"` draws the level of each image between `smallest` and
    `largest`; "steps" draws one step of the schedule for a batch, and what is left of the signal
    evenly between that of the step and of the one before. Inference with `chain="even"` takes
    `chain_steps` from the level of the image to `last` of it, in even ratios; with "steps" all
    those of the schedule. A share `eta` of the noise is drawn anew. For ablations: with
    `noise="still"` noise stays where it is, and to copy it is the best there is; "gaussian" is
    drawn. Without `blind` the target is what the noise model says, in place of the noisy image.
    """

    neighbours: int | None = None
    order: Order = "direction"
    mix_shells: bool = False
    slab: int = 1
    unit: Unit = "signal"
    share: float = 0.6
    diffusion: Diffusion = "corrupted"
    matching: Matching = "noise"
    put_back: bool = True
    noise: Noise = "shuffled"
    blind: bool = True
    levels: Levels = "log-uniform"
    smallest: float = 0.02
    largest: float = 1.5
    schedule: str = "rev_warmup70"
    chain: Chain = "even"
    chain_steps: int = 1
    last: float = 0.1
    eta: float = 0.0

    pair: ClassVar[Pair] = "nothing"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            check_choice(name, getattr(self, name), choices)
        if not 0 < self.smallest < self.largest < float("inf"):
            raise ValueError(
                f"smallest is {self.smallest} and largest {self.largest}, expected positive "
                "levels, the first below the second"
            )
        if self.slab < 1 or self.slab % 2 == 0:
            raise ValueError(f"slab is {self.slab}, expected an odd number of slices")
        if self.neighbours is not None and self.neighbours < 1:
            raise ValueError(f"neighbours is {self.neighbours}, expected 1 or more")
        if self.chain_steps < 1:
            raise ValueError(f"chain_steps is {self.chain_steps}, expected 1 or more")
        for name, low in (("share", 0.0), ("last", 0.0), ("eta", -1e-9)):
            value = getattr(self, name)
            if not (low < value <= 1) or (name == "share" and value == 1):
                raise ValueError(f"{name} is {value}, expected a part of 1")
        if self.unit == "range" and self.matching == "noise":
            raise ValueError('matching = "noise" needs unit = "signal", that of the noise map')
        signal_left(self.schedule)  # refuses a schedule that there is not

    @classmethod
    def paper(cls) -> "DDM2":
        """Return the paper's way: its order, unit, states, levels and chain."""
        return cls(
            neighbours=2,
            order="time",
            unit="range",
            diffusion="shuffled",
            matching="schedule",
            put_back=False,
            levels="steps",
            chain="steps",
            eta=1.0,
        )

    def loss(self, network: nn.Module, batch: VolumeBatch, generator: torch.Generator) -> Tensor:
        """Return E|f(Φ + mean / a + d ε', d) - x|² over pixels that are not blank, ε' shuffled."""
        assert batch.expected is not None
        assert batch.state is not None
        state, used = State.of(batch.state), batch.image != 0
        left = batch.image - state.signal * batch.expected - state.mean
        noise = torch.where(used, left / state.level, 0)
        if self.noise == "shuffled":
            noise = shuffled(noise, used, generator)
        elif self.noise == "gaussian":
            drawn = torch.randn(noise.shape, generator=generator, device=noise.device)
            noise = torch.where(used, drawn, 0)
        d = self.draw_levels(len(batch), generator, batch.device)
        start = torch.where(used, batch.expected + state.mean / state.signal, 0)
        clean: Tensor = network(start + d[:, None, None, None] * noise, d)
        target = batch.image if self.blind else batch.expected
        error = torch.where(used, clean - target, 0).square().sum()
        return error / used.sum().clamp(min=1)

    def draw_levels(self, count: int, generator: torch.Generator, device: torch.device) -> Tensor:
        """Draw the level of the noise of each image, `(count,)`, over that of the signal."""
        drawn = torch.rand(count, generator=generator, device=device)
        if self.levels == "log-uniform":
            return self.smallest * (self.largest / self.smallest) ** drawn
        a = signal_left(self.schedule).to(device)
        step = torch.randint(1, len(a), (1,), generator=generator, device=device)
        left = a[step] + (a[step - 1] - a[step]) * drawn
        return ((1 - left**2).sqrt() / left).float().clamp(min=1e-3)


def shuffled(values: Tensor, used: Tensor, generator: torch.Generator) -> Tensor:
    """Return images `(..., y, x)` whose used pixels have changed places at random; others are 0."""
    flat, of_use = values.flatten(0, -3).flatten(1), used.flatten(0, -3).flatten(1)
    keys = torch.rand(flat.shape, generator=generator, device=values.device)
    at_random = torch.where(of_use, keys, 2).argsort(dim=1)
    in_place = torch.where(of_use, 0, 2).argsort(dim=1, stable=True)
    moved = torch.zeros_like(flat).scatter(1, in_place, flat.gather(1, at_random))
    return torch.where(used, moved.view_as(values), 0)
