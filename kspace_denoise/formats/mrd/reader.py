"""Reader of ISMRMRD files: acquisitions become k-space, images become images."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kspace_denoise import recon
from kspace_denoise.formats.hdf5 import file_identity
from kspace_denoise.formats.ismrmrd_header import parse_header
from kspace_denoise.formats.mrd.acquisitions import COUNTERS, Arrangement, Flag, arrange, flagged
from kspace_denoise.formats.mrd.encoding import Encoding, encoding_of
from kspace_denoise.formats.mrd.fill import sampled
from kspace_denoise.formats.mrd.geometry import affine_of
from kspace_denoise.formats.mrd.images import RECORD, image_groups, read_mrd_images
from kspace_denoise.formats.mrd.line_reader import LineReader, open_series, read_heads, read_lines
from kspace_denoise.formats.mrd.lines import Lines
from kspace_denoise.formats.mrd.noise import averaged_spectrum, dwell_factor
from kspace_denoise.scan import Images, LazySlices, Numpy, Scan

ARRAYS = ("mask", "noise_covariance", "noise_profile", "noise_spectrum")
"""What a scan that was written here has beside its acquisitions."""


DWELL = "dwell_time_us"
"""Under which the header says the time between samples, in microseconds."""


def is_mrd(path: str | Path) -> bool:
    """Tell whether an HDF5 file holds an ISMRMRD series, by what is in it."""
    if not h5py.is_hdf5(path):
        return False
    with open_series(path) as file:
        return bool(_groups(file))


def read_mrd(path: str | Path, group: str | None = None) -> Scan | Images:
    """Read the acquisitions of an ISMRMRD file as a scan, of one without them the images.

    Lines become k-space `(images, coils, ky, kx)` with the readout on axis -1; images of several
    slices, contrasts, phases, sets and repetitions follow each other, the slice counting fastest,
    and `header["mrd"]` says which is which. What was not acquired is 0 and not in the mask.
    Averages become their mean, and the noise says so. Readout oversampling stays: see
    `crop.remove_oversampling`. The noise covariance is that of the noise acquisitions, scaled to
    the dwell time of the scan.

    Raises:
        ValueError: if there are several groups and none is named, the header is missing or
            contradicts itself, or as `arrange`.
    """
    with open_series(path) as file:
        name = _group_name(path, file, group)
        series = file[name]
        if "data" not in series:
            return read_mrd_images(path, series)
        try:
            return _read_scan(Path(path), series)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def read_mrd_noise(path: str | Path) -> tuple[Numpy, float] | None:
    """Return the noise acquisitions of a file, None without any.

    Complex `(coils, samples)`, as they were acquired, and their dwell time in microseconds, 0 where
    it is not said.
    """
    with open_series(path) as file:
        series = file[_group_name(path, file, None)]
        return _noise(series["data"], _heads(series["data"])) if "data" in series else None


def series_header(path: str | Path) -> str:
    """Return the header of an ISMRMRD file, as it is."""
    with open_series(path) as file:
        return _xml(file[_group_name(path, file, None)])


def stored_covariance(path: str | Path) -> Numpy | None:
    """Return the noise covariance that stands beside the acquisitions of a file written here."""
    with open_series(path) as file:
        series = file[_group_name(path, file, None)]
        return np.asarray(series["noise_covariance"]) if "noise_covariance" in series else None


def series_lines(path: str | Path, at_once: int = 64) -> Iterator[Lines]:
    """Yield all acquisitions of an ISMRMRD file in their order, some of one shape at once.

    Raises:
        ValueError: as `read_mrd`.
    """
    with open_series(path) as file:
        data = file[_group_name(path, file, None)]["data"]
        name, heads = data.name, _heads(data)
    if heads["trajectory_dimensions"].any():
        raise ValueError(f"{path}: its acquisitions have a trajectory, and Cartesian lines go")
    shapes = np.stack([heads["active_channels"], heads["number_of_samples"]], axis=-1)
    changes = np.flatnonzero(np.any(np.diff(shapes, axis=0) != 0, axis=-1)) + 1
    for run in np.split(np.arange(len(heads)), changes):
        for start in range(0, len(run), at_once):
            chosen = run[start : start + at_once]
            coils, samples = (int(n) for n in shapes[chosen[0]])
            with open_series(path) as file:
                lines = read_lines(file[name], chosen, (coils, samples))
            yield Lines(heads[chosen], lines)


def is_noise_alone(path: str | Path) -> bool:
    """Tell whether the acquisitions of an ISMRMRD file are all of noise."""
    with open_series(path) as file:
        groups = [file[name] for name in _groups(file) if "data" in file[name]]
        return bool(groups) and all(flagged(_heads(g["data"]), Flag.NOISE).all() for g in groups)


def _groups(file: h5py.File) -> list[str]:
    """Return the groups that hold a series."""
    return [
        name
        for name, item in file.items()
        if isinstance(item, h5py.Group) and (_has_acquisitions(item) or image_groups(item))
    ]


def _has_acquisitions(group: h5py.Group) -> bool:
    data = group.get("data")
    fields = getattr(getattr(data, "dtype", None), "names", None) or ()
    return {"head", "data"} <= set(fields)


def _group_name(path: str | Path, file: h5py.File, wanted: str | None) -> str:
    groups = _groups(file)
    if wanted is not None:
        if wanted not in groups:
            raise ValueError(f"{path} has no series {wanted!r}; it holds {', '.join(groups)}")
        return wanted
    if not groups:
        raise ValueError(f"{path} holds no ISMRMRD series")
    if len(groups) > 1:
        raise ValueError(
            f"{path} holds {len(groups)} series: {', '.join(groups)}; name one, as in "
            f"kspace_denoise.read(path, dataset={groups[0]!r})"
        )
    return groups[0]


def _xml(series: h5py.Group) -> str:
    if "xml" not in series:
        raise ValueError(
            "it has acquisitions but no header (`xml`), which says how large the matrix is"
        )
    value = series["xml"][0] if series["xml"].shape else series["xml"][()]
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _heads(data: h5py.Dataset) -> Numpy:
    if not len(data):
        raise ValueError("it has no acquisitions")
    return read_heads(data)


def _read_scan(path: Path, series: h5py.Group) -> Scan:
    xml, data = _xml(series), series["data"]
    encoding, said = encoding_of(xml)
    heads = _heads(data)
    found = arrange(heads, encoding)
    grid = (encoding.lines, encoding.samples)
    arrays, notes = _arrays(series, heads, said, found, grid)
    reader = LineReader(str(path.absolute()), data.name, found, grid, file_identity(series.file))
    if RECORD in series:
        return _written_here(json.loads(series[RECORD][()]), reader, found, arrays)
    header: dict[str, Any] = {"ismrmrd_header": xml, "ismrmrd": said}
    if series_of(found):
        header["mrd"] = series_of(found)
    if notes:
        header["notes"] = notes
    if _dwell(heads, found):
        header[DWELL] = _dwell(heads, found)
    affine = _affine(heads, found, encoding, said)
    if affine is not None:
        header["affine"] = affine.tolist()
    return Scan(
        kspace=_lazily(reader, found),
        field_strength=said.get("field_strength_T"),
        readout_axis=-1,
        header=header,
        **arrays,
    )


def series_of(found: Arrangement) -> dict[str, Any]:
    """Return the counters of images that are more than a stack of slices, and what was left out."""
    said: dict[str, Any] = {}
    if found.images[:, :-1].any() or np.any(found.images[:, -1] != np.arange(len(found.images))):
        said["counters"] = {n: found.images[:, i].tolist() for i, n in enumerate(COUNTERS)}
    if found.left_out:
        said["left_out"] = found.left_out
    return said


def _written_here(
    record: dict[str, Any],
    reader: LineReader,
    found: Arrangement,
    arrays: dict[str, Any],
) -> Scan:
    """Return the scan that was written, axes, mask and header as they were."""
    header = record["header"]
    if "ismrmrd_header" in header:
        header["ismrmrd"], _ = parse_header(header["ismrmrd_header"])
    if record["readout_axis"] != -1:
        reader = dataclasses.replace(reader, transposed=True)
    return Scan(
        kspace=_lazily(reader, found),
        field_strength=record["field_strength"],
        readout_axis=record["readout_axis"],
        header=header,
        **arrays,
    )


def _lazily(reader: LineReader, found: Arrangement) -> LazySlices:
    grid = reader.grid[::-1] if reader.transposed else reader.grid
    return LazySlices((len(found.images), found.shape[0], *grid), np.complex64, reader)


def _arrays(
    series: h5py.Group,
    heads: Numpy,
    said: dict[str, Any],
    found: Arrangement,
    grid: tuple[int, int],
) -> tuple[dict[str, Any], list[str]]:
    """Return mask and noise: what stands beside the acquisitions, or else what they tell."""
    if RECORD in series:
        return {name: np.asarray(series[name]) for name in ARRAYS if name in series}, []
    counts, mask = sampled(found, grid)
    spectrum, mean = averaged_spectrum(counts)
    arrays = {"mask": mask, "noise_spectrum": spectrum}
    measured = _noise(series["data"], heads)
    if measured is None:
        return arrays, []
    samples, dwell = measured
    factor, notes = dwell_factor(dwell, _dwell(heads, found), said.get("relative_noise_bandwidth"))
    covariance = np.asarray(recon.noise_covariance(samples)) * (factor * mean)
    return {**arrays, "noise_covariance": covariance}, notes


def _dwell(heads: Numpy, found: Arrangement) -> float:
    return float(heads["sample_time_us"][found.number[0]])


def _noise(data: h5py.Dataset, heads: Numpy) -> tuple[Numpy, float] | None:
    chosen = np.flatnonzero(flagged(heads, Flag.NOISE))
    if not len(chosen):
        return None
    first = heads[chosen[0]]
    shape = (int(first["active_channels"]), int(first["number_of_samples"]))
    samples = np.concatenate(list(read_lines(data, chosen, shape)), axis=-1)
    return samples, float(first["sample_time_us"])


def _affine(
    heads: Numpy, found: Arrangement, encoding: Encoding, said: dict[str, Any]
) -> Numpy | None:
    """Return where the slices lie, if there is one image of each."""
    other = [i for i, name in enumerate(COUNTERS) if name != "slice"]
    if np.any(found.images[:, other] != found.images[0, other]):
        return None
    extent = said.get("encoded_field_of_view_mm")
    if extent is None:
        return None
    first = [found.number[found.image == i][0] for i in range(len(found.images))]
    return affine_of(heads[first], (encoding.lines, encoding.samples), tuple(extent))
