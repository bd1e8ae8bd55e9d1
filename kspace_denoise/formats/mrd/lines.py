"""A scan as acquisitions: the lines of each image, with their headers."""

import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from kspace_denoise.formats.mrd.acquisitions import COUNTERS, Flag
from kspace_denoise.formats.mrd.geometry import place_slices
from kspace_denoise.optional import optional
from kspace_denoise.scan import Numpy, Scan


class Lines(NamedTuple):
    """Acquisitions of one image: their headers `(n,)`, and samples `(n, coils, samples)`."""

    heads: Numpy
    samples: Numpy


def ismrmrd() -> ModuleType:
    """Import the package that says how headers are laid out, without its change of all warnings."""
    with warnings.catch_warnings():
        package: ModuleType = optional("ismrmrd", "MRD files and streams need", "mrd")
    return package


def check_lines(scan: Scan) -> tuple[Numpy, slice]:
    """Return the lines `(images, ky)` that hold samples, and where samples of a line are.

    Of masks that vary along the readout otherwise than by a partial echo, whole lines.

    Raises:
        ValueError: if the scan has a trajectory.
        TypeError: if its k-space is in double precision.
    """
    if scan.trajectory is not None:
        raise ValueError("this scan has a trajectory, and MRD is written for Cartesian lines here")
    if scan.kspace.dtype != np.complex64:
        raise TypeError(
            f"k-space is {scan.kspace.dtype}, and MRD holds complex64: convert it before writing"
        )
    slices, _, ny, nx = turned(scan.kspace.shape, scan)
    if scan.mask is None:
        return np.ones((slices, ny), bool), slice(0, nx)
    mask: Numpy = np.broadcast_to(scan.mask, (slices, *scan.kspace.shape[2:]))
    if scan.readout_axis != -1:
        mask = mask.swapaxes(-1, -2)
    lines = np.asarray(mask.any(axis=-1))
    echo = np.asarray(mask.any(axis=(0, 1)))
    first, last = (int(n) for n in np.flatnonzero(echo)[[0, -1]])
    partial = np.all(mask == (lines[..., None] & echo)) and echo[first : last + 1].all()
    return lines, slice(first, last + 1) if partial else slice(0, nx)


def turned(shape: tuple[int, ...], scan: Scan) -> tuple[int, int, int, int]:
    """Return the shape of k-space with the readout last."""
    slices, coils, ny, nx = shape
    return (slices, coils, nx, ny) if scan.readout_axis != -1 else (slices, coils, ny, nx)


def scan_lines(scan: Scan, centre: int) -> Iterator[Lines]:
    """Yield the acquisitions of each image of a scan.

    `centre` is the counter of the central line. The readout is x, where it is not known ky, as in
    fastMRI.

    Raises:
        ValueError, TypeError: as `check_lines`.
    """
    sampled, echo = check_lines(scan)
    slices, coils, ny, nx = turned(scan.kspace.shape, scan)
    template = np.zeros((), ismrmrd().hdf5.acquisition_header_dtype)
    template["version"] = 1
    template["available_channels"] = template["active_channels"] = coils
    template["number_of_samples"] = echo.stop - echo.start
    template["center_sample"] = nx // 2 - echo.start
    template["sample_time_us"] = scan.header.get("dwell_time_us", 0.0)
    counters = _counters(scan, slices)
    places = _places(scan, (ny, nx), slices)
    done = 0
    for index in range(slices):
        lines = np.flatnonzero(sampled[index])
        heads = np.repeat(template, len(lines))
        heads["scan_counter"] = done + np.arange(len(lines))
        heads["idx"]["kspace_encode_step_1"] = lines - ny // 2 + centre
        for name, values in counters.items():
            heads["idx"][name] = values[index]
        for name, values in places.items():
            heads[name] = values[index]
        heads["flags"][-1:] = 1 << (Flag.LAST_IN_SLICE - 1)
        if index == slices - 1:
            heads["flags"][-1:] |= np.uint64(1 << (Flag.LAST_IN_MEASUREMENT - 1))
        kspace = scan.kspace[index]
        if scan.readout_axis != -1:
            kspace = kspace.swapaxes(-1, -2)
        samples = kspace[:, lines, echo].transpose(1, 0, 2)
        done += len(lines)
        yield Lines(heads, np.ascontiguousarray(samples))


def _counters(scan: Scan, slices: int) -> dict[str, Any]:
    said = scan.header.get("mrd", {}).get("counters")
    if isinstance(said, dict) and all(len(said.get(name, ())) == slices for name in COUNTERS):
        return said
    return {"slice": range(slices)}


def _places(scan: Scan, shape: tuple[int, int], slices: int) -> dict[str, Numpy]:
    if "affine" not in scan.header:
        return {}
    return place_slices(np.asarray(scan.header["affine"]), shape, slices)
