"""DiffDenoise stage by stage: the condition, the sampler with its controls, the student."""

import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

import kspace_denoise as kd
from benchmarks.diffdenoise.case import UNEVEN, Case, Numpy
from benchmarks.diffdenoise.methods import COLOURED, METHODS, STEPS, config
from kspace_denoise.denoiser import Denoiser, build_network
from kspace_denoise.diffdenoise.conditions import each
from kspace_denoise.diffdenoise.sampler import sampled, starts
from kspace_denoise.diffdenoise.teach import Lesson, taught
from kspace_denoise.networks import NAFNetConfig
from kspace_denoise.objectives import DiffDenoise, Loss, make_objective
from kspace_denoise.objectives.diffdenoise import Start
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
CONTROLS: dict[str, tuple[Start, int, int]] = {
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


def asked(name: str, noise: str) -> bool:
    """Whether a method or mode is tried on a kind of noise."""
    if name in METHODS:
        return not (name in COLOURED and noise in UNEVEN)
    return name in ("paper", "image", "residual") or name in ABLATED.get(noise, ())


class Kept(Succession):
    """The blind network of a case is trained once, for all modes that have the same."""

    blind: ClassVar[dict[tuple[str, str], dict[str, Tensor]]] = {}

    def __init__(self, used: TrainConfig, seed: int, of: str) -> None:
        super().__init__(used, seed, "cpu", None, False, None)
        self.of = of

    def trained(self, name: str, network: nn.Module, objective: Loss[Any], *rest: Any) -> nn.Module:
        """Train one network."""
        if name != "blind network":
            return super().trained(name, network, objective, *rest)
        key = (self.of, f"{self.seed} {objective}")
        if key not in self.blind:
            super().trained(name, network, objective, *rest)
            self.blind[key] = network.state_dict()
        network.load_state_dict(self.blind[key])
        return network


class Part(NamedTuple):
    """What a part of the method makes of the test images, after how many steps of training.

    `seconds` is for an image, without what came before that part.
    """

    name: str
    image: Numpy
    seconds: float
    steps: int


def parts(given: Case, mode: str, seed: int) -> Iterator[Part]:
    """Yield what the blind network says, every control, and the student.

    The student in one pass as they, and over the eight symmetries as it is used.
    """
    settings = {"hole": given.hole, "blind": blind_of(given), "iterations": 1, **MODES[mode]}
    steps, iterations = STEPS * settings.pop("times", 1), settings["iterations"]
    share = 1 / (1 + 2 * iterations)
    settings |= {"blind_share": share, "diffusion_share": iterations * share}
    paper = settings.pop("paper", False)
    method = make_objective("diffdenoise", paper, **settings)
    assert isinstance(method, DiffDenoise)
    student = NAFNetConfig(channels=1, direct=paper, phase_width=0.0)
    used = config(steps=steps * (1 + 2 * iterations), network=student, paper=paper)
    run = Kept(used, seed, f"{given.name} {steps} {method.blind} {method.hole}")
    data = in_unit(given.train)
    correlation = None if given.name in UNEVEN else measured_correlation(data)
    lesson = taught(data, method, settings["hole"], correlation, run)
    test = in_unit(given.test)
    if iterations == 1:
        yield Part("condition", *_timed(test, given, lesson.blind, lesson.blind), steps)
        told = each(test, lesson.blind, lesson.blind, "cpu")
        for name in CONTROLS if mode == "residual" and given.name in ABLATED else FEW:
            draw = _control(lesson, *CONTROLS[name])
            yield Part(name, *_timed(test, given, draw, lesson.diffusion, told), 2 * steps)
    network = build_network(student, 1, seed)
    trainer = Trainer(network, method, lesson.images, run.part(share), seed)
    network.load_state_dict(trainer.run())
    for name, symmetries in (("student, one pass", 1), ("student", None)):
        passes = used if symmetries is None else used.replace(symmetries=symmetries)
        denoiser = Denoiser(network, method, "diffdenoise", None, passes, {})
        started = time.perf_counter()
        image = kd.denoise(given.test, denoiser).image
        seconds = (time.perf_counter() - started) / len(image)
        yield Part(name, image, seconds, used.steps or 0)


def blind_of(given: Case) -> str:
    """Return the paper's condition network."""
    return "lg-bpn" if given.hole > 1 else "puca"


def in_unit(images: kd.Images) -> NoisyImages:
    """Return images over their noise."""
    assert isinstance(images.sigma, float)
    return NoisyImages.from_arrays(list(images.data / images.sigma))


def _control(
    lesson: Lesson, kind: Start, runs: int, steps: int
) -> Callable[[Tensor, Tensor], Tensor]:
    generator = torch.Generator().manual_seed(1)

    def draw(x: Tensor, _: Tensor) -> Tensor:
        noise = starts(kind, runs, x, generator)
        return sampled(lesson.diffusion, lesson.model, x, noise, steps)

    return draw


def _timed(
    test: NoisyImages,
    given: Case,
    ask: Callable[[Tensor, Tensor], Tensor],
    network: nn.Module,
    of: tuple[Tensor, ...] | None = None,
) -> tuple[Numpy, float]:
    """Return the test images as something tells them, and the seconds for each."""
    started = time.perf_counter()
    found = each(test, ask, network, "cpu", of)
    seconds = (time.perf_counter() - started) / len(found)
    assert isinstance(given.test.sigma, float)
    return torch.stack(found).numpy() * given.test.sigma, seconds
