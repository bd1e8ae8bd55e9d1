"""DiffDenoise stage by stage: the condition, the sampler with its controls, the student."""

import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

import kspace_denoise as kd
from benchmarks.diffdenoise.case import Case, Numpy
from benchmarks.diffdenoise.methods import STEPS, config
from kspace_denoise.denoiser import Denoiser, build_network
from kspace_denoise.diffdenoise.conditions import each
from kspace_denoise.diffdenoise.sampler import sampled, starts
from kspace_denoise.diffdenoise.teach import Lesson, taught
from kspace_denoise.networks import NAFNetConfig
from kspace_denoise.objectives import DiffDenoise, Loss, make_objective
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.stationary import measured_correlation
from kspace_denoise.training.succession import Succession
from kspace_denoise.training.trainer import Trainer

MODES: dict[str, dict[str, Any]] = {
    "paper": {"paper": True},
    "image": {"variable": "image"},
    "residual": {"variable": "residual"},
    "half-plane-told": {"blind": "half-plane"},
    "hole-5": {"hole": 5},
    "longer": {"times": 3},
    "iterated": {"iterations": 3},
}
CONTROLS: dict[str, tuple[str, int, int]] = {
    "pair": ("symmetric", 2, 10),
    "zero": ("zero", 1, 10),
    "one": ("independent", 1, 10),
    "two": ("independent", 2, 10),
    "eight": ("independent", 8, 10),
    "zero, 3 steps": ("zero", 1, 3),
    "zero, 50 steps": ("zero", 1, 50),
    "one, 3 steps": ("independent", 1, 3),
    "one, 50 steps": ("independent", 1, 50),
}
"""Start, runs and steps, by name."""
FEW = ("pair", "zero", "one", "two")
"""What is asked of every mode and noise; the others of the residual of two kinds of noise."""
ABLATED: dict[str, tuple[str, ...]] = {
    "gaussian": ("half-plane-told", "longer", "iterated"),
    "blur-1.2": ("hole-5", "iterated"),
}
"""Kinds of noise of which all controls are asked, and by what other ways to come closer."""


class Kept(Succession):
    """The blind network of a case is trained once, for all modes that have the same."""

    blind: ClassVar[dict[tuple[str, str], dict[str, Tensor]]] = {}

    def __init__(self, used: TrainConfig, of: str) -> None:
        super().__init__(used, 0, "cpu", None, False, None)
        self.of = of

    def trained(self, name: str, network: nn.Module, objective: Loss[Any], *rest: Any) -> nn.Module:
        """Train one network."""
        if name != "blind network":
            return super().trained(name, network, objective, *rest)
        key = (self.of, repr(objective))
        if key not in self.blind:
            super().trained(name, network, objective, *rest)
            self.blind[key] = network.state_dict()
        network.load_state_dict(self.blind[key])
        return network


class Part(NamedTuple):
    """What a part of the method makes of the test images, and how long that and learning took."""

    name: str
    image: Numpy
    seconds: float
    learnt_in: float | None = None


def steps_of(mode: str) -> int:
    """Return the steps of every network: parts are compared, not equal times."""
    return STEPS * int(MODES[mode].get("times", 1))


def asked(mode: str, noise: str) -> bool:
    """Whether a mode is tried on a kind of noise."""
    return mode in ("paper", "image", "residual") or mode in ABLATED.get(noise, ())


def parts(given: Case, mode: str) -> Iterator[Part]:
    """Yield what the blind network says, every control, and the student."""
    settings = {"hole": given.hole, "blind": blind_of(given), "iterations": 1, **MODES[mode]}
    settings.pop("times", None)
    steps, iterations = steps_of(mode), settings["iterations"]
    share = 1 / (1 + 2 * iterations)
    settings |= {"blind_share": share, "diffusion_share": iterations * share}
    paper = settings.pop("paper", False)
    method = make_objective("diffdenoise", paper, **settings)
    assert isinstance(method, DiffDenoise)
    student = NAFNetConfig(channels=1, direct=paper, phase_width=0.0)
    used = config(steps=steps * (1 + 2 * iterations), network=student, paper=paper)
    run = Kept(used, f"{given.name} {steps} {method.blind} {method.hole}")
    data = in_unit(given.train)
    correlation = measured_correlation(data)
    lesson = taught(data, method, settings["hole"], correlation, run)
    test = in_unit(given.test)
    if iterations == 1:
        yield _timed("condition", test, given, lesson.blind, lesson.blind)
        told = each(test, lesson.blind, lesson.blind, "cpu")
        full = mode == "residual" and given.name in ABLATED
        yield from _controls(lesson, test, told, given, list(CONTROLS if full else FEW))
    network = build_network(student, 1)
    trainer = Trainer(network, method, lesson.images, run.part(share))
    network.load_state_dict(trainer.run())
    denoiser = Denoiser(network, method, "diffdenoise", None, used, {})
    started = time.perf_counter()
    image = kd.denoise(given.test, denoiser).image
    seconds = (time.perf_counter() - started) / len(image)
    yield Part("student", image, seconds, trainer.progress.seconds)


def blind_of(given: Case) -> str:
    """Return the paper's condition network."""
    return "lg-bpn" if given.hole > 1 else "puca"


def in_unit(images: kd.Images) -> NoisyImages:
    """Return images over their noise."""
    assert isinstance(images.sigma, float)
    return NoisyImages.from_arrays(list(images.data / images.sigma))


def _controls(
    lesson: Lesson, test: NoisyImages, told: tuple[Tensor, ...], given: Case, names: list[str]
) -> Iterator[Part]:
    for name in names:
        kind, runs, steps = CONTROLS[name]
        generator = torch.Generator().manual_seed(1)

        def draw(
            x: Tensor, _: Tensor, kind: Any = kind, runs: int = runs, steps: int = steps
        ) -> Tensor:
            noise = starts(kind, runs, x, generator)  # noqa: B023
            return sampled(lesson.diffusion, lesson.model, x, noise, steps)

        yield _timed(name, test, given, draw, lesson.diffusion, told)


def _timed(
    name: str,
    test: NoisyImages,
    given: Case,
    ask: Callable[[Tensor, Tensor], Tensor],
    network: nn.Module,
    of: tuple[Tensor, ...] | None = None,
) -> Part:
    started = time.perf_counter()
    found = each(test, ask, network, "cpu", of)
    seconds = (time.perf_counter() - started) / len(found)
    assert isinstance(given.test.sigma, float)
    return Part(name, torch.stack(found).numpy() * given.test.sigma, seconds)
