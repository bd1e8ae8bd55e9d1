"""How a sampler of `reconstruct` draws: its options, and what belongs to which."""

from typing import NamedTuple

import click

from kspace_denoise.cli.common import Decorator
from kspace_denoise.cli.options import group, together

SAMPLES = 8
"""Images that a sampler draws of each slice."""
STEPS, SWEEPS, STEPS_OF_SWEEP = 50, 30, 8
"""How often the model is asked for each sample: by split-gibbs in each of so many sweeps."""


class Sampling(NamedTuple):
    """The options; None stands for the method's own number, or for none."""

    samples: int | None = None
    steps: int | None = None
    sweeps: int | None = None
    bfloat16: bool = False
    keep_samples: bool = False

    @property
    def calls(self) -> int:
        """How often at most a prior is asked for each slice; 0 of methods that draw no samples."""
        return (self.steps or 0) * (self.sweeps or 1)

    def check(self, method: str, own: "Sampling | None", samplers: str) -> None:
        """Refuse options that a method has not, whose own numbers are given; None: it draws none.

        Raises:
            click.UsageError: naming the first of them.
        """
        given = [name for name, value in zip(self._fields, self, strict=True) if value]
        if given and own is None:
            option = given[0].replace("_", "-")
            raise click.UsageError(f"--{option}: {method} draws no samples; {samplers} do")
        if self.sweeps and own is not None and own.sweeps is None:
            raise click.UsageError(f"--sweeps: {method} has none; split-gibbs has")

    def over(self, own: "Sampling") -> "Sampling":
        """Return these options, and a method's own numbers where there are none."""
        numbers = {name: getattr(self, name) or getattr(own, name) for name in self._fields}
        return Sampling(**numbers)


def sampling_options() -> Decorator:
    """Return the options of samplers, which `take` makes a `Sampling` of."""
    option = group("Samplers")
    return together(
        option(
            "--samples",
            type=click.IntRange(min=1),
            metavar="N",
            help=f"How many images are drawn of each slice.  [default: {SAMPLES}]",
        ),
        option(
            "--steps",
            type=click.IntRange(min=2),
            metavar="N",
            help="How often the model is asked for each sample; of split-gibbs: in each sweep.  "
            f"[default: {STEPS}; split-gibbs {STEPS_OF_SWEEP}]",
        ),
        option(
            "--sweeps",
            type=click.IntRange(min=2),
            metavar="N",
            help=f"How often split-gibbs goes between data and model.  [default: {SWEEPS}]",
        ),
        option(
            "--bfloat16",
            is_flag=True,
            help="Compute the layers of the model in half precision: faster where the processor "
            "has it.",
        ),
        option(
            "--keep-samples",
            is_flag=True,
            help="Write the images that are drawn as well, as `posterior_samples`.",
        ),
    )
