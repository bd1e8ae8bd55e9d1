"""DiffDenoise: its settings, and its last stage, a student of what the diffusion model draws.

Demir, Liu, Chen, Chen, Zhao, Mailhe, Chen, Sun, DiffDenoise: self-supervised medical image
denoising with conditional diffusion models, 2025.
"""

import dataclasses
from typing import ClassVar, Literal, get_args

from torch import Tensor, nn

from kspace_denoise.networks import ARCHITECTURES, BlindConfig
from kspace_denoise.objectives.batch import Batch
from kspace_denoise.objectives.conditional_diffusion import ConditionalDiffusion, Error, Variable
from kspace_denoise.objectives.objective import Pair
from kspace_denoise.objectives.one_pass import OnePass
from kspace_denoise.objectives.regression import Regression
from kspace_denoise.settings import check_choice

Start = Literal["symmetric", "independent", "zero"]
"""Noise and its negative, noise drawn anew for every run, or no noise."""
BLIND = tuple(
    name for name, (config, _) in ARCHITECTURES.items() if issubclass(config, BlindConfig)
)


@dataclasses.dataclass(frozen=True)
class DiffDenoise(OnePass):
    """Four stages, each learnt from the noisy images alone.

    1. A network that is `blind` in a `hole` around each pixel (None: as wide as the noise is
       correlated) tells the image x_c. 2. A diffusion model of the noisy image itself
       (`variable="image"`) or of what x_c misses of it ("residual"), given x_c. 3. From noise and
       its negative (`start="symmetric"`), from so many `runs` of noise drawn anew
       ("independent") or from none ("zero"), DDIM goes down `steps` levels; the mean is the image.
       4. A student learns that from the noisy image, in one pass: the denoiser. With more
       `iterations` the student's image takes the place of x_c, and all but the first begins again.

    With `stop_early` the diffusion model is taken as it was when the estimated error of what it
    draws was least, of ten looks on the way: the longer it trains, the more noise it brings back.
    The training is shared: `blind_share` and `diffusion_share` of it, the rest for the student.
    """

    blind: str = "puca"
    hole: int | None = None
    variable: Variable = "residual"
    error: Error = "squared"
    of_noise: bool = False
    schedule: str = "log-normal"
    start: Start = "zero"
    runs: int = 1
    steps: int = 10
    iterations: int = 1
    blind_share: float = 0.3
    diffusion_share: float = 0.4
    stop_early: bool = True

    pair: ClassVar[Pair] = "nothing"

    architecture: ClassVar[str] = "nafnet"
    """The student, unless another one is chosen."""

    def __post_init__(self) -> None:
        check_choice("blind", self.blind, BLIND)
        check_start(self.start, self.runs)
        self.model()  # refuses what it does not know
        for name, most in (("steps", 1000), ("iterations", 100)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 1 to {most}")
        if self.hole is not None and (self.hole < 1 or self.hole % 2 == 0):
            raise ValueError(f"hole is {self.hole}, expected an odd number of pixels")
        shares = (self.blind_share, self.diffusion_share)
        if min(shares) <= 0 or sum(shares) >= 1:
            raise ValueError(
                f"blind_share is {shares[0]} and diffusion_share {shares[1]}, expected parts of 1 "
                "that leave some for the student"
            )

    @classmethod
    def paper(cls) -> "DiffDenoise":
        """Return the paper's choices: of x', L1 of the noise, a symmetric pair."""
        model = ConditionalDiffusion.paper()
        return cls(
            variable=model.variable, error=model.error, of_noise=model.of_noise,
            schedule=model.schedule, start="symmetric", runs=2, stop_early=False,
        )  # fmt: skip

    @property
    def student_share(self) -> float:
        """The share of the training that is left for the student."""
        return 1 - self.blind_share - self.diffusion_share

    def model(self, scale: float = 1.0) -> ConditionalDiffusion:
        """Return the second stage, of residuals of root mean square `scale`."""
        return ConditionalDiffusion(
            schedule=self.schedule,  # type: ignore[arg-type]
            weighting="one" if self.of_noise else "equalised",
            variable=self.variable,
            error=self.error,
            of_noise=self.of_noise,
            scale=scale if self.variable == "residual" else 1.0,
        )

    def loss(self, network: nn.Module, batch: Batch, generator: object) -> Tensor:
        """Return the squared error of the student against what was drawn."""
        return Regression.loss(self, network, batch, generator)  # type: ignore[arg-type]


def check_start(kind: str, runs: int) -> None:
    """Refuse a kind of start that there is not, or a number of runs that does not fit it.

    Raises:
        ValueError: naming what there is.
    """
    check_choice("start", kind, get_args(Start))
    if runs < 1 or (kind == "symmetric" and runs % 2) or (kind == "zero" and runs > 1):
        expected = {"symmetric": "an even number", "independent": "1 or more", "zero": "1"}[kind]
        raise ValueError(f"runs is {runs}, expected {expected} with start = {kind!r}")
