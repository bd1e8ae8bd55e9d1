"""What the commands share: options, reading with clear refusals, noise, device, progress."""

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import click

from kspace_denoise import formats, recon
from kspace_denoise.arrays import Array, to_numpy
from kspace_denoise.cli.group import ExampleCommand, is_first_process
from kspace_denoise.geometry import cropped_affine, image_affine
from kspace_denoise.scan import Images, Numpy, Scan
from kspace_denoise.stages import KnownNoise, known_noise, shape_from_scan

T = TypeVar("T")
Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

PATH = click.Path(path_type=Path)


def command(
    example: str, tables: Mapping[str, Mapping[str, str]] | None = None
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a click command whose help ends with the example, after the tables by title."""
    return click.command(cls=ExampleCommand, example=example, tables=tables)


def noise_option() -> Decorator:
    """`--noise FILE`: a noise scan."""
    return click.option(
        "--noise",
        "noise_file",
        type=PATH,
        metavar="FILE",
        help="A noise scan (`noise`: coils, samples). Otherwise the noise covariance stored in "
        "the scan is used, or else what can be measured in its k-space.",
    )


def calibration_option() -> Decorator:
    """`--calibration N`."""
    return click.option(
        "--calibration",
        type=int,
        metavar="N",
        help="Side of the k-space centre that the coil maps come from.  [default: what is fully "
        "sampled, at most 24]",
    )


def replicas_option() -> Decorator:
    """`--replicas N`."""
    return click.option(
        "--replicas",
        type=int,
        default=0,
        show_default=True,
        help="Pseudo-replicas that measure the noise map where it has no closed form.",
    )


def seed_option() -> Decorator:
    """`--seed N`."""
    return click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")


def device_option() -> Decorator:
    """`--device auto|cpu|cuda`, resolved to `cpu` or `cuda`."""
    return click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        callback=lambda _ctx, _option, value: resolve_device(value),
        help="Where to compute; auto takes a GPU if there is one.",
    )


def resolve_device(name: str) -> str:
    """Return `cpu` or `cuda`, of a process that torchrun has started with the number of its GPU.

    Raises:
        ValueError: if CUDA is asked for and there is none.
    """
    if name == "cpu":
        return name
    import torch

    if torch.cuda.is_available():
        if "LOCAL_RANK" not in os.environ:
            return "cuda"
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        return f"cuda:{os.environ['LOCAL_RANK']}"
    if name == "cuda":
        raise ValueError("--device cuda: no usable CUDA device here; use --device cpu or auto")
    return "cpu"


def to_device(values: Numpy, device: str) -> Array:
    """Return the array as it is for the CPU, as a torch tensor on a GPU."""
    if device == "cpu":
        return values
    import torch

    return torch.from_numpy(values).to(device)


def read_scan(path: Path) -> Scan:
    """Read a file that must hold k-space.

    Raises:
        ValueError, FileNotFoundError: as `formats.read`, and if it holds images only.
    """
    content = formats.read(path)
    if not isinstance(content, Scan):
        raise ValueError(
            f"{path} holds images (`{content.header['dataset']}`), but this command needs k-space"
        )
    return content


def check_paths(output: Path, *inputs: Path | None, kspace: bool = False) -> None:
    """Refuse, before any work, an output that cannot be written or that is an input.

    Raises:
        ValueError, FileNotFoundError: as `formats.check_output`.
    """
    formats.check_output(output, kspace)
    check_distinct(output, *inputs)


def check_distinct(output: Path, *inputs: Path | None) -> None:
    """Refuse an output that is an input.

    Raises:
        ValueError: naming the file.
    """
    for path in inputs:
        if path is not None and path.exists() and output.exists() and output.samefile(path):
            raise ValueError(f"{output} is also an input; give the output another name")


def note_unsampled_data(scan: Scan) -> None:
    """Tell the user if the mask contradicts the data, as far as the middle slice shows."""
    index = len(scan.kspace) // 2
    mask = scan.slice_mask(index)
    if mask is None:
        return
    held = (scan.kspace[index] != 0).any(axis=0) & ~mask
    if held.any():
        note(
            f"slice {index} holds data at {held.sum()} positions where the mask says that they "
            "were not sampled; these data are ignored"
        )


def load_noise(scan: Scan, noise_file: Path | None = None) -> KnownNoise:
    """Return the noise covariance from the noise scan, else the file, else the k-space itself.

    A noise scan gives the covariance alone; profile and spectrum are those stored in the file, or
    those that the scan itself shows.

    Raises:
        recon.NoiseNotFound: if none is stored and no part of k-space is noise alone.
        ValueError, FileNotFoundError: if the noise scan cannot be read or has other coils.
    """
    if noise_file is None:
        return known_noise(scan)
    covariance = _read_covariance(noise_file, scan)
    coils = scan.kspace.shape[1]
    if len(covariance) != coils:
        raise ValueError(f"{noise_file} has {len(covariance)} coils, but the scan has {coils}")
    given = known_noise(scan, covariance)._replace(source=f"noise scan {noise_file}")
    return shape_from_scan(scan, given)


def _read_covariance(path: Path, scan: Scan) -> Numpy:
    """Return the covariance of a noise scan as this scan has it, or the one that a file stores."""
    noise = formats.read_noise(path)
    try:
        if noise.samples is None:
            recon.whitening_matrix(noise.covariance)  # refuses what is no covariance
            assert noise.covariance is not None
            return noise.covariance
        covariance = to_numpy(recon.noise_covariance(noise.samples))
        recon.whitening_matrix(covariance)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if noise.dwell_us is None:
        return covariance
    bandwidth = scan.header.get("ismrmrd", {}).get("relative_noise_bandwidth")
    factor, assumed = formats.dwell_factor(
        noise.dwell_us, scan.header.get("dwell_time_us"), bandwidth
    )
    for sentence in assumed:
        note(f"{path}: {sentence}")
    return covariance * factor


def image_header(content: Scan | Images, size: tuple[int, int] | None = None) -> dict[str, Any]:
    """Return what the header of a scan says that is true of its images as well.

    And where they lie in the patient, if they are cropped to `size`, too.
    """
    stale = ("noise", "snr_", "reconstruction_shape", "dataset", "affine")
    kept = {name: v for name, v in content.header.items() if not name.startswith(stale)}
    if isinstance(content, Images):
        affine, whole = content.affine, content.data.shape[-2:]
    else:
        affine, whole = image_affine(content), content.kspace.shape[-2:]
    if affine is None:
        return kept
    moved = affine if size is None else cropped_affine(affine, (whole[0], whole[1]), size)
    return {**kept, "affine": moved.tolist()}


def progress(items: Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
    """Wrap a loop in a bar on stderr: on a terminal only, after two seconds."""
    bar: Iterable[T] = _bar(items, description, total, "it")
    return bar


def counter(total: int, description: str, unit: str) -> Any:
    """Return the same bar, to be counted by hand: a context manager with `update(n)`."""
    return _bar(None, description, total, unit)


def _bar(items: Iterable[T] | None, description: str, total: int | None, unit: str) -> Any:
    from tqdm import tqdm

    return tqdm(
        items,
        desc=description,
        total=total,
        unit=unit,
        delay=2,
        leave=False,
        file=sys.stderr,
        **terminal_size(),
        disable=not sys.stderr.isatty(),
    )


def terminal_size() -> dict[str, int]:
    """Return the size of the terminal for a bar; 80 x 24 where it says 0, which would hide it."""
    try:
        columns, lines = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):  # no terminal: no bar either
        columns = lines = 0
    return {"ncols": columns or 80, "nrows": lines or 24}


def note(message: str) -> None:
    """Tell the user something on stderr that is no error; of several processes the first does."""
    if is_first_process():
        click.echo(f"note: {message}", err=True)


def command_line() -> str:
    """Return the command as it was called, for the provenance record."""
    words = click.get_current_context().meta.get("command_line", [])
    return shlex.join(str(word) for word in words)
