"""Which acquisition of an ISMRMRD series is which line of which image."""

import enum
import functools
from typing import Any, NamedTuple

import numpy as np

from kspace_denoise.formats.mrd.encoding import Encoding
from kspace_denoise.scan import Numpy


class Flag(enum.IntEnum):
    """What is said of an acquisition, by the number of its bit, counted from 1."""

    LAST_IN_SLICE = 8
    NOISE = 19
    CALIBRATION = 20
    CALIBRATION_AND_IMAGING = 21
    REVERSE = 22
    NAVIGATION = 23
    PHASE_CORRECTION = 24
    LAST_IN_MEASUREMENT = 25
    HP_FEEDBACK = 26
    DUMMY = 27
    RT_FEEDBACK = 28
    SURFACE_COIL_CORRECTION = 29
    PHASE_STABILISATION_REFERENCE = 30
    PHASE_STABILISATION = 31


_NO_IMAGE = (
    Flag.NOISE,
    Flag.NAVIGATION,
    Flag.PHASE_CORRECTION,
    Flag.HP_FEEDBACK,
    Flag.DUMMY,
    Flag.RT_FEEDBACK,
    Flag.SURFACE_COIL_CORRECTION,
    Flag.PHASE_STABILISATION_REFERENCE,
    Flag.PHASE_STABILISATION,
)
COUNTERS = ("repetition", "set", "phase", "contrast", "slice")
"""What tells images apart, in the order in which they are stacked."""


class Arrangement(NamedTuple):
    """The lines of a series, and its images.

    `images` `(images, 5)` holds the counters of each. The others have an entry for every line: the
    position of its acquisition in the series, its image, its place in k-space, and the samples of
    the acquisition that count.
    """

    images: Numpy
    number: Numpy
    image: Numpy
    ky: Numpy
    kx: int
    samples: slice
    shape: tuple[int, int]
    """Coils and samples of an acquisition, those that do not count included."""
    left_out: dict[str, int]
    """How many acquisitions are no part of an image, by what they are."""

    @property
    def width(self) -> int:
        """How many samples of a line count."""
        return int(self.samples.stop - self.samples.start)


def flagged(heads: Numpy, *flags: Flag) -> Numpy:
    """Tell of each acquisition whether it has one of the flags."""
    return np.asarray((heads["flags"] & np.uint64(_bits(flags))) != 0)


def arrange(heads: Numpy, encoding: Encoding, names: Numpy | None = None) -> Arrangement:
    """Find image and line of every acquisition.

    `heads` is the structured array of acquisition headers, in their order; `names` is what errors
    call them, by default their place.

    Raises:
        ValueError: naming the acquisition, if there is none of an image, lines lie
            outside the matrix, were acquired twice, differ in coils or samples, run backwards, or
            if images have different numbers of lines.
    """
    names = np.arange(len(heads)) if names is None else names
    number, left_out = _imaging(heads, encoding)
    of_image, named = heads[number], names[number]
    _check_alike(of_image, named)
    kx, samples = _readout(of_image[0], named[0], encoding)
    counters = np.stack([of_image["idx"][name] for name in COUNTERS], axis=-1)
    images, image = np.unique(counters, axis=0, return_inverse=True)
    found = Arrangement(
        images,
        number,
        image.reshape(-1),
        _lines(of_image, named, encoding),
        kx,
        samples,
        (int(of_image[0]["active_channels"]), int(of_image[0]["number_of_samples"])),
        left_out,
    )
    kept = _without_extra_calibration(found, heads, left_out)
    _check_twice(kept, heads, names)
    _check_lengths(kept, names)
    return kept


def is_of_image(head: Any, encoding: Encoding) -> bool:
    """Tell whether one acquisition belongs to an image."""
    flags = int(head["flags"])
    if flags & _bits(_NO_IMAGE) or int(head["encoding_space_ref"]):
        return False
    extra = flags & _bits((Flag.CALIBRATION, Flag.CALIBRATION_AND_IMAGING))
    return encoding.embedded_calibration or extra != _bits((Flag.CALIBRATION,))


@functools.cache
def _bits(flags: tuple[Flag, ...]) -> int:
    return sum(1 << (flag - 1) for flag in flags)


def _imaging(heads: Numpy, encoding: Encoding) -> tuple[Numpy, dict[str, int]]:
    """Return the numbers of the acquisitions of images, and count the others."""
    left_out: dict[str, int] = {}
    kept = np.ones(len(heads), bool)
    reasons = [(flag.name.lower(), flagged(heads, flag)) for flag in _NO_IMAGE]
    reasons += [("other_encoding", heads["encoding_space_ref"] != 0)]
    if not encoding.embedded_calibration:
        both = flagged(heads, Flag.CALIBRATION_AND_IMAGING)
        reasons += [("separate_calibration", flagged(heads, Flag.CALIBRATION) & ~both)]
    for name, found in reasons:
        count = int(np.count_nonzero(kept & found))
        if count:
            left_out[name] = count
        kept &= ~found
    if not kept.any():
        said = ", ".join(f"{n} {name}" for name, n in left_out.items()) or "there are none at all"
        raise ValueError(f"no acquisition belongs to an image: {said}")
    return np.flatnonzero(kept), left_out


def _check_alike(heads: Numpy, number: Numpy) -> None:
    """Refuse lines that differ in what all lines must share."""
    shared = ("active_channels", "number_of_samples", "discard_pre", "discard_post")
    for name in (*shared, "center_sample"):
        other = np.flatnonzero(heads[name] != heads[name][0])
        if len(other):
            raise ValueError(
                f"acquisition {number[other[0]]} has {name} {heads[name][other[0]]}, but "
                f"acquisition {number[0]} has {heads[name][0]}: lines of one scan are alike"
            )
    backwards = np.flatnonzero(flagged(heads, Flag.REVERSE))
    if len(backwards):
        raise ValueError(
            f"acquisition {number[backwards[0]]} runs backwards, as in echo-planar imaging, whose "
            "lines have to be corrected for phase first, which is not done here"
        )
    along = np.flatnonzero(heads["trajectory_dimensions"] > 0)
    if len(along):
        raise ValueError(
            f"acquisition {number[along[0]]} has a trajectory, and Cartesian lines are read here"
        )


def _readout(head: Any, number: int, encoding: Encoding) -> tuple[int, slice]:
    """Return where in k-space the samples of a line begin, and which of them count."""
    before, after = int(head["discard_pre"]), int(head["discard_post"])
    count = int(head["number_of_samples"]) - before - after
    if not 0 < count <= encoding.samples:
        raise ValueError(
            f"acquisition {number} has {count} samples, but the header says a matrix of "
            f"{encoding.samples} along the readout"
        )
    centre = int(head["center_sample"]) - before
    if count == encoding.samples and centre <= 0:  # not said, as of a full echo it need not be
        centre = count // 2
    start = encoding.samples // 2 - centre
    if not 0 <= start <= encoding.samples - count:
        raise ValueError(
            f"acquisition {number} has {count} samples with the echo at {centre}, which lie "
            f"outside a matrix of {encoding.samples} along the readout"
        )
    return start, slice(before, before + count)


def _lines(heads: Numpy, number: Numpy, encoding: Encoding) -> Numpy:
    step = heads["idx"]["kspace_encode_step_1"].astype(np.int64)
    ky = step - encoding.centre + encoding.lines // 2
    outside = np.flatnonzero((ky < 0) | (ky >= encoding.lines))
    if len(outside):
        raise ValueError(
            f"acquisition {number[outside[0]]} is line {step[outside[0]]}, which lies outside the "
            f"matrix: {encoding.lines} lines about line {encoding.centre}"
        )
    return ky


def _without_extra_calibration(
    found: Arrangement, heads: Numpy, left_out: dict[str, int]
) -> Arrangement:
    """Drop calibration lines where there is an imaging line, too; others fill the image."""
    of_line = heads[found.number]
    extra = flagged(of_line, Flag.CALIBRATION) & ~flagged(of_line, Flag.CALIBRATION_AND_IMAGING)
    if not extra.any():
        return found
    place = np.stack([found.image, found.ky], axis=-1)
    taken = {tuple(p) for p in place[~extra]}
    again = extra & np.array([tuple(p) in taken for p in place])
    if again.any():
        left_out["calibration"] = int(again.sum())
    return found._replace(
        number=found.number[~again], image=found.image[~again], ky=found.ky[~again]
    )


def _check_twice(found: Arrangement, heads: Numpy, names: Numpy) -> None:
    average = heads["idx"]["average"][found.number]
    place = np.stack([found.image, found.ky, average], axis=-1)
    order = np.lexsort(place.T[::-1])
    same = np.flatnonzero((np.diff(place[order], axis=0) == 0).all(axis=-1))
    if len(same):
        one, other = sorted(found.number[order[same[0] : same[0] + 2]])
        image = dict(zip(COUNTERS, found.images[found.image[order[same[0]]]].tolist(), strict=True))
        line = int(heads["idx"]["kspace_encode_step_1"][one])
        raise ValueError(
            f"acquisitions {names[one]} and {names[other]} are both line {line} of "
            f"{_words(image)}: duplicated lines that are not numbered as averages"
        )


def _check_lengths(found: Arrangement, names: Numpy) -> None:
    lines = np.bincount(found.image, minlength=len(found.images))
    other = np.flatnonzero(lines != lines[0])
    if len(other):
        last = names[found.number[found.image == other[0]].max()]
        image = dict(zip(COUNTERS, found.images[other[0]].tolist(), strict=True))
        raise ValueError(
            f"{_words(image)} has {lines[other[0]]} lines, the last is acquisition {last}, but "
            f"the first image has {lines[0]}: repetitions of different length, or a series that "
            "was cut short"
        )


def _words(counters: dict[str, int]) -> str:
    said = [f"{name} {n}" for name, n in reversed(counters.items()) if n or name == "slice"]
    return ", ".join(said)
