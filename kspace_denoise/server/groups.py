"""Acquisitions of a stream, collected until an image is complete."""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

from kspace_denoise import recon
from kspace_denoise.formats.mrd.acquisitions import COUNTERS, Flag, arrange, is_of_image
from kspace_denoise.formats.mrd.encoding import encoding_of
from kspace_denoise.formats.mrd.fill import fill_image, sampled
from kspace_denoise.formats.mrd.noise import averaged_spectrum, dwell_factor
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.server.messages import Acquisition

Key: TypeAlias = tuple[int, ...]


class Group(NamedTuple):
    """The acquisitions of one image, and their numbers in the stream."""

    heads: Numpy
    samples: list[Numpy]
    numbers: Numpy

    @property
    def middle(self) -> Numpy:
        """The header of the central acquisition, which stands for the image."""
        step = self.heads["idx"]["kspace_encode_step_1"].astype(int)
        middle = self.heads[np.argmin(np.abs(step - np.median(step)))]
        return np.asarray(middle)


class Series:
    """What is known of a series so far: its header, its noise, and images that are not complete.

    `most` is how many bytes of samples are held.
    """

    def __init__(self, xml: str, most: int) -> None:
        self.xml = xml
        self.encoding, self.said = encoding_of(xml)
        self._most, self._held = most, 0
        self._noise: list[Acquisition] = []
        self._open: dict[Key, list[tuple[int, Acquisition]]] = {}
        self._received = 0
        self.notes: list[str] = []
        self.given_covariance: Numpy | None = None
        self._of_noise: Numpy | None = None

    def add(self, acquisition: Acquisition) -> Group | None:
        """Take an acquisition; return the image that it completes, if it says that it does.

        Raises:
            ValueError: if more would have to be held than is allowed.
        """
        number, head = self._received, acquisition.head
        self._received += 1
        flags = int(head["flags"])
        noise = bool(flags & (1 << (Flag.NOISE - 1)))
        if not noise and not is_of_image(head, self.encoding):
            return None
        size = acquisition.samples.nbytes
        if self._held + size > self._most:
            raise ValueError(
                f"acquisition {number} would make it {self._held + size} bytes that wait for their "
                f"images to be complete, at most {self._most} are held: the flag LAST_IN_SLICE "
                "says that one is"
            )
        self._held += size
        if noise:
            self._noise.append(acquisition)
            self._of_noise = None
            return None
        key = tuple(int(head["idx"][name]) for name in COUNTERS)
        self._open.setdefault(key, []).append((number, acquisition))
        last = flags & (1 << (Flag.LAST_IN_SLICE - 1))
        average = int(head["idx"]["average"])
        return self._close(key) if last and average >= self._last_average else None

    def rest(self) -> Iterator[Group]:
        """Yield the images that nothing said to be complete, as at the end of a series."""
        for key in sorted(self._open):
            yield self._close(key)

    @property
    def _last_average(self) -> int:
        return int((self.said.get("average_limits") or {}).get("maximum", 0))

    def _close(self, key: Key) -> Group:
        lines = self._open.pop(key)
        self._held -= sum(line.samples.nbytes for _, line in lines)
        return Group(
            np.stack([line.head for _, line in lines]),
            [line.samples for _, line in lines],
            np.array([number for number, _ in lines]),
        )

    def scan(self, group: Group) -> Scan:
        """Return an image's k-space as a scan of one slice.

        Raises:
            ValueError: as `arrange`, naming acquisitions by their number in the stream.
        """
        found = arrange(group.heads, self.encoding, group.numbers)
        grid = (self.encoding.lines, self.encoding.samples)
        counts, mask = sampled(found, grid)
        spectrum, mean = averaged_spectrum(counts)
        lines = np.stack([group.samples[i] for i in found.number])
        covariance = self._covariance(float(group.heads["sample_time_us"][found.number[0]]))
        return Scan(
            kspace=fill_image(lines, found.ky, found, grid)[None],
            mask=mask,
            noise_covariance=None if covariance is None else covariance * mean,
            noise_spectrum=spectrum,
            field_strength=self.said.get("field_strength_T"),
            readout_axis=-1,
            header={"ismrmrd_header": self.xml, "ismrmrd": self.said},
        )

    def _covariance(self, dwell: float) -> Numpy | None:
        if self.given_covariance is not None or not self._noise:
            return self.given_covariance
        if self._of_noise is None:
            samples = np.concatenate([one.samples for one in self._noise], axis=-1)
            self._of_noise = np.asarray(recon.noise_covariance(samples))
        factor, self.notes = dwell_factor(
            float(self._noise[0].head["sample_time_us"]),
            dwell,
            self.said.get("relative_noise_bandwidth"),
        )
        return np.asarray(self._of_noise * factor)
