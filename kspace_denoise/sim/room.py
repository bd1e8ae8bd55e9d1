"""What an unshielded room does to a scanner: its sources of interference and its detectors."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any

LONGEST_RINGING = 100.0
"""Samples: a band of 1 / (100 pi), 0.3 % of the readout's; a receiver of an image is far wider."""


@dataclass(frozen=True)
class Room:
    """Sources of interference, detectors, and how they couple.

    Frequencies and widths are in cycles per sample: fractions of the readout bandwidth, whose
    centre is 0. The defaults resemble a published 80 mT scan with five detectors.

    Attributes:
        lines: carrier frequencies of narrow-band sources, in [-0.5, 0.5).
        line_share: share of the interference's power in the lines, in equal parts.
        drift: standard deviation of a carrier's frequency from readout to readout.
        modulation: share of a line's power that comes and goes between readouts, 0 to 1.
        broadband: how many independent sources of white noise there are outside.
        detectors: how many channels record the interference alone.
        detector_noise: thermal sigma of a detector over the sigma of its interference.
        ringing: samples in which the response of a coil decays by 1/e: the longer, the narrower
            its band, 1 / (pi ringing). 0 leaves the interference white; at most 100.
        detector_ringing: the same of a detector.
        wander: relative change of the couplings from the middle of the scan to either end, as the
            patient moves.

    Raises:
        TypeError: if a setting is no number, or the lines are no sequence of numbers.
        ValueError: if a number lies outside its range, or power is given to sources that there
            are none of.
    """

    lines: tuple[float, ...] = (0.016, -0.0625, 0.076)
    line_share: float = 0.1
    drift: float = 0.001
    modulation: float = 0.5
    broadband: int = 3
    detectors: int = 5
    detector_noise: float = 0.3
    ringing: float = 2.5
    detector_ringing: float = 1.0
    wander: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", _frequencies(self.lines))
        for name in ("line_share", "modulation"):
            _check(name, getattr(self, name), 1.0)
        for name in ("ringing", "detector_ringing"):
            _check(name, getattr(self, name), LONGEST_RINGING)
        for name in ("drift", "detector_noise", "wander"):
            _check(name, getattr(self, name), math.inf)
        for name in ("broadband", "detectors"):
            count = getattr(self, name)
            if not (isinstance(count, int) and count >= 0):
                raise ValueError(f"{name} is {count!r}, expected a whole number of at least 0")
        if self.detectors == 0:
            raise ValueError("detectors is 0, expected at least 1")
        self._check_shares()

    def _check_shares(self) -> None:
        if not self.lines and self.line_share > 0:
            raise ValueError(
                f"line_share is {self.line_share}, but there are no lines; pass line_share=0"
            )
        if not self.broadband and self.line_share < 1:
            raise ValueError(
                f"line_share is {self.line_share}, but there is no broadband source to carry the "
                "rest; pass line_share=1"
            )

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of the power of each source: lines first, then broadband."""
        lines = tuple(self.line_share / len(self.lines) for _ in self.lines)
        rest = tuple((1 - self.line_share) / self.broadband for _ in range(self.broadband))
        return lines + rest

    def record(self) -> dict[str, Any]:
        """Return the settings, ready for JSON."""
        return {**asdict(self), "lines": list(self.lines)}


def _frequencies(lines: object) -> tuple[float, ...]:
    """Return the frequencies as plain numbers, from a sequence or an array."""
    frequencies = tuple(lines) if isinstance(lines, Iterable) else (None,)
    if not all(isinstance(line, Real) for line in frequencies):
        raise TypeError(f"lines is {lines!r}, expected frequencies such as (0.1,)")
    for line in frequencies:
        if not -0.5 <= line < 0.5:
            raise ValueError(
                f"a line lies at {line!r} cycles per sample, expected -0.5 <= f < 0.5: divide "
                "its frequency in Hz by the readout bandwidth"
            )
    return tuple(float(line) for line in frequencies)


def _check(name: str, value: object, largest: float) -> None:
    if not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}, expected a number")
    if not (0 <= float(value) <= largest and math.isfinite(value)):
        upper = "and finite" if largest == math.inf else f"and at most {largest:g}"
        raise ValueError(f"{name} is {value!r}, expected at least 0 {upper}")
