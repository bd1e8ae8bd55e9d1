"""The signal of a spin echo, with or without inversion recovery."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Reals: TypeAlias = np.ndarray[Any, Any]


@dataclass(frozen=True)
class SpinEcho:
    """Timing of a spin-echo sequence, in seconds."""

    repetition_time: float
    echo_time: float
    inversion_time: float | None = None

    def signal(self, proton_density: Reals, t1: Reals, t2: Reals) -> Reals:
        """Return the signal, signed where an inversion left the magnetisation negative.

        PD · (1 - 2 exp(-TI/T1) + exp(-TR/T1)) · exp(-TE/T2), or without inversion
        PD · (1 - exp(-TR/T1)) · exp(-TE/T2) (Bernstein, King, Zhou, Handbook of MRI Pulse
        Sequences, chapters 14.1 and 14.2; echo time short against TR). Times are in seconds.
        """
        recovered = np.exp(-self.repetition_time / t1)
        if self.inversion_time is None:
            longitudinal = 1 - recovered
        else:
            longitudinal = 1 - 2 * np.exp(-self.inversion_time / t1) + recovered
        return np.asarray(proton_density * longitudinal * np.exp(-self.echo_time / t2))


CONTRASTS = {
    "PDw": SpinEcho(repetition_time=3.5, echo_time=0.015),
    "T1w": SpinEcho(repetition_time=2.3, echo_time=0.008, inversion_time=1.1),
    "T2w": SpinEcho(repetition_time=5.0, echo_time=0.090),
    "FLAIR": SpinEcho(repetition_time=9.0, echo_time=0.110, inversion_time=2.5),
}


def spin_echo(contrast: str) -> SpinEcho:
    """Return the default timing of a contrast.

    Raises:
        ValueError: if there is no such contrast; the message lists them.
    """
    if contrast not in CONTRASTS:
        raise ValueError(f"unknown contrast {contrast!r}; there are: {', '.join(CONTRASTS)}")
    return CONTRASTS[contrast]
