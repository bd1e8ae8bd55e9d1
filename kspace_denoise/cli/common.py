"""What the commands share: options, reading with clear refusals, noise, device, progress."""

import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

import click
import numpy as np

from kspace_denoise import formats, recon
from kspace_denoise.arrays import Array, to_numpy
from kspace_denoise.cli.group import ExampleCommand
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.stages import known_covariance

T = TypeVar("T")
Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

PATH = click.Path(path_type=Path)


def command(example: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a click command whose help ends with the example."""
    return click.command(cls=ExampleCommand, example=example)


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


def later_option(name: str, what: str) -> Decorator:
    """Return an option that belongs to later work, and says so when it is used."""

    def refuse(_ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise click.UsageError(f"{name} belongs to a later version ({what})")

    return click.option(name, hidden=True, expose_value=False, callback=refuse)


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
    """Return `cpu` or `cuda`.

    Raises:
        ValueError: if CUDA is asked for and there is none.
    """
    if name == "cpu":
        return name
    import torch

    if torch.cuda.is_available():
        return "cuda"
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


def check_paths(output: Path, *inputs: Path | None) -> None:
    """Refuse, before any work, an output that cannot be written or that is an input.

    Raises:
        ValueError, FileNotFoundError: as `formats.check_output`.
    """
    formats.check_output(output)
    check_distinct(output, *inputs)


def check_distinct(output: Path, *inputs: Path | None) -> None:
    """Refuse an output that is an input.

    Raises:
        ValueError: naming the file.
    """
    for path in inputs:
        if path is not None and path.exists() and output.exists() and output.samefile(path):
            raise ValueError(f"{output} is also an input; give the output another name")


class Covariance(NamedTuple):
    """A noise covariance and where it came from."""

    matrix: Numpy
    """Ψ[i, j] = E[n_i conj(n_j)], complex `(coils, coils)`, in the squared unit of the k-space."""
    source: str

    @property
    def sigma(self) -> float:
        """Standard deviation per real component of the median coil."""
        return float(np.sqrt(np.median(np.diag(self.matrix).real) / 2))


def load_covariance(scan: Scan, noise_file: Path | None = None) -> Covariance:
    """Return the noise covariance from the noise scan, else the file, else the k-space itself.

    Raises:
        recon.NoiseNotFound: if none is stored and no part of k-space is noise alone.
        ValueError, FileNotFoundError: if the noise scan cannot be read or has other coils.
    """
    if noise_file is not None:
        noise = formats.read_noise(noise_file)
        if noise.samples is not None:
            matrix = to_numpy(recon.noise_covariance(noise.samples))
        else:
            assert noise.covariance is not None
            matrix = noise.covariance
        coils = scan.kspace.shape[1]
        if len(matrix) != coils:
            raise ValueError(f"{noise_file} has {len(matrix)} coils, but the scan has {coils}")
        return Covariance(matrix, f"noise scan {noise_file}")
    if scan.noise_covariance is not None:
        return Covariance(scan.noise_covariance, "stored in the file")
    return Covariance(known_covariance(scan), "measured in k-space")


def progress(items: Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
    """Wrap a loop in a bar on stderr: on a terminal only, after two seconds."""
    from tqdm import tqdm

    bar: Iterable[T] = tqdm(
        items,
        desc=description,
        total=total,
        delay=2,
        leave=False,
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
    )
    return bar


def note(message: str) -> None:
    """Tell the user something on stderr that is no error."""
    click.echo(f"note: {message}", err=True)


def command_line() -> str:
    """Return the command as it was called, for the provenance record."""
    words = click.get_current_context().meta.get("command_line", [])
    return shlex.join(str(word) for word in words)


def training_bar(title: str) -> Callable[[Any], None]:
    """Return what follows a training run: a bar with rate and time left, on a terminal only."""
    from tqdm import tqdm

    bar = tqdm(desc=title, delay=2, leave=False, file=sys.stderr, disable=not sys.stderr.isatty())

    def follow(done: Any) -> None:
        bar.total = done.steps
        bar.set_postfix(loss=f"{done.losses[-1][1]:.3f}", refresh=False)
        bar.update(done.step - bar.n)
        if done.step == done.steps:
            bar.close()

    return follow
