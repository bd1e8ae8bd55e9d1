"""`kspace-denoise send`: a file to an MRD server, and the images that come back to a file."""

from pathlib import Path

import click

from kspace_denoise import formats
from kspace_denoise.cli.common import (
    PATH,
    check_paths,
    command,
    counter,
    load_noise,
    noise_option,
    note,
    read_scan,
)
from kspace_denoise.recon import NoiseNotFound
from kspace_denoise.server import send as send_to
from kspace_denoise.stages import with_noise

SERIES = {1: "", 2: "_noisy", 3: "_noise_map"}


@command("kspace-denoise send scan.mrd --out denoised.nii.gz")
@click.argument("source", metavar="FILE", type=PATH)
@click.option(
    "--out",
    "output",
    type=PATH,
    metavar="OUT",
    help="Where the images go: .h5, .mrd, .cfl or .nii.gz; further series to OUT_noisy and so on."
    "  [default: FILE_denoised.h5]",
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=9002, show_default=True)
@click.option(
    "--config",
    default="kspace-denoise",
    show_default=True,
    help="What other servers are asked to run; ours does what it was started with.",
)
@noise_option()
def send(
    source: Path, output: Path | None, host: str, port: int, config: str, noise_file: Path | None
) -> None:
    """Send FILE to an MRD server and write the images that come back.

    An ISMRMRD file is sent as it is, noise acquisitions included; of other k-space the lines go,
    and the noise covariance as a text that `kspace-denoise serve` understands.
    """
    output = output or source.with_name(f"{source.name.split('.')[0]}_denoised.h5")
    check_paths(output, source, noise_file)
    as_it_is = formats.is_mrd(source) and noise_file is None
    scan = read_scan(source)
    if not as_it_is:
        try:
            scan = with_noise(scan, load_noise(scan, noise_file))
        except NoiseNotFound as error:
            note(f"{error}: the server has to find it")
    try:
        with counter(len(scan.kspace), "send", "it") as bar:
            answer = send_to(
                source if as_it_is else scan, host, port, config=config, tick=bar.update
            )
    except ConnectionRefusedError as error:
        raise ValueError(
            f"nobody listens on {host}:{port}: start `kspace-denoise serve`"
        ) from error
    for text in answer.texts:
        note(f"the server says: {text}")
    if not answer.images:
        raise ValueError(f"the server at {host}:{port} sent no image")
    ending = output.name[len(output.name.split(".")[0]) :]
    for number in sorted(answer.images):
        images = answer.series(number)
        beside = SERIES.get(number, f"_series_{number}")
        path = output.with_name(f"{output.name.split('.')[0]}{beside}{ending}")
        formats.write(path, images)
        click.echo(f"{path}: {' x '.join(map(str, images.data.shape))}")
