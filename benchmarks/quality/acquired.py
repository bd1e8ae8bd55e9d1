"""The part of k-space that was acquired: without the empty lines that a scanner filled up."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from benchmarks.quality.volumes import Numpy
from kspace_denoise.crop import centre_crop
from kspace_denoise.scan import LazySlices, Scan

_KEPT = 0.9  # of the acquired lines, at least: fewer are no symmetric acquisition


def cut_empty_lines(
    scans: Sequence[Scan], noise_free: Scan | None = None
) -> tuple[list[Scan], Scan | None]:
    """Return repetitions, and the noise-free scan beside them, without empty edges of k-space.

    M4Raw acquires 195 of 256 lines and fills the rest with zeros, which colours the noise of the
    images. The largest central window in which every line was acquired, of all repetitions, has
    white noise again, of the same sigma; its pixels are larger along the phase encoding. Of 195
    lines from 30 to 224, with the centre at 128, these are the 194 from 31 on.

    Raises:
        ValueError: if a scan is blank, or was acquired on one side of the centre only.
    """
    sizes = [_window(scan) for scan in scans]
    size = min(ny for ny, _ in sizes), min(nx for _, nx in sizes)
    clean = None if noise_free is None else _cut(noise_free, size)
    return [_cut(scan, size) for scan in scans], clean


def _window(scan: Scan) -> tuple[int, int]:
    """Return the size `(ky, kx)` of the largest central window without empty lines."""
    ny, nx = scan.kspace.shape[-2:]
    if scan.mask is not None:
        return ny, nx
    sampled = _sampled(scan)
    rows, columns = np.asarray(sampled.any(axis=1)), np.asarray(sampled.any(axis=0))
    return _length(rows, "ky"), _length(columns, "kx")


def _sampled(scan: Scan) -> Numpy:
    """Return where `(ky, kx)` the slice nearest to the middle that is not blank has samples."""
    count = len(scan.kspace)
    for index in sorted(range(count), key=lambda i: abs(i - count // 2)):
        sampled = np.any(scan.kspace[index] != 0, axis=0)
        if sampled.any():
            return np.asarray(sampled)
    raise ValueError(f"all {count} slices of k-space are blank")


def _length(sampled: Numpy, name: str) -> int:
    """Return the length of the longest window between the empty edges, centred as images are."""
    lines = np.flatnonzero(sampled)
    first, last, centre = int(lines[0]), int(lines[-1]), len(sampled) // 2
    size = min(2 * (centre - first) + 1, 2 * (last - centre + 1))
    if size < _KEPT * len(lines):
        raise ValueError(
            f"k-space holds lines {first} to {last} of {len(sampled)} along {name}, and its centre "
            f"is {centre}: what was acquired on one side only cannot be cut to white noise"
        )
    return size


def _cut(scan: Scan, size: tuple[int, int]) -> Scan:
    count, coils, *grid = scan.kspace.shape
    if size == tuple(grid):
        return scan
    cut = LazySlices(
        (count, coils, *size),
        scan.kspace.dtype,
        lambda index: centre_crop(scan.kspace[index], size),
    )
    return dataclasses.replace(scan, kspace=cut)
