"""What the header of an ISMRMRD series says of its matrix."""

from typing import Any, NamedTuple

from kspace_denoise.formats.ismrmrd_header import parse_header


class Encoding(NamedTuple):
    """The matrix of k-space, and which line is its centre."""

    lines: int
    samples: int
    centre: int
    """The counter kspace_encode_step_1 of the line that passes through k = 0."""
    embedded_calibration: bool
    """Whether lines for calibration have the contrast of the image, and so may fill it."""


def encoding_of(xml: str) -> tuple[Encoding, dict[str, Any]]:
    """Return the encoding of a header, and all that the header says.

    Raises:
        ValueError: if it cannot be read, contradicts itself, or is of three-dimensional or
            non-Cartesian k-space, which is not read.
    """
    said, problem = parse_header(xml)
    if problem:
        raise ValueError(problem)
    if "encoded_matrix" not in said:
        raise ValueError("its header has no encodedSpace with a matrixSize: the matrix is unknown")
    samples, lines, partitions = (int(n) for n in said["encoded_matrix"])
    if min(samples, lines, partitions) < 1:
        raise ValueError(f"its header says a matrix of {samples} x {lines} x {partitions}")
    if partitions > 1:
        raise ValueError(
            f"its k-space is three-dimensional ({partitions} partitions), and slices are read "
            "here: transform it along the partitions first"
        )
    kind = said.get("trajectory", "cartesian")
    if kind not in ("cartesian", "epi"):
        raise ValueError(f"its trajectory is {kind!r}, and Cartesian lines are read here")
    centre = _centre(said.get("phase_encoding_limits") or {}, lines)
    embedded = said.get("calibration_mode", "embedded") in ("embedded", "interleaved")
    return Encoding(lines, samples, centre, embedded), said


def _centre(limits: dict[str, int], lines: int) -> int:
    """Return the counter of the central line; without limits that of a full matrix."""
    centre, last = limits.get("center", lines // 2), limits.get("maximum", lines - 1)
    first = limits.get("minimum", 0)
    if not first <= centre <= last:
        raise ValueError(
            f"its header contradicts itself: lines {first} to {last} with their centre at {centre}"
        )
    if last - first >= lines:
        raise ValueError(
            f"its header contradicts itself: lines {first} to {last}, but a matrix of {lines} lines"
        )
    return centre
