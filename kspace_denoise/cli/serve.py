"""`kspace-denoise serve`: an MRD streaming server that denoises."""

import logging
import signal
import sys
import threading
from typing import Any

import click

from kspace_denoise.cli.classical_options import find_denoiser
from kspace_denoise.cli.common import (
    calibration_option,
    command,
    device_option,
    replicas_option,
)
from kspace_denoise.pipeline import check_use
from kspace_denoise.server import Limits, Server, Work
from kspace_denoise.server.reconstruct import ALSO
from kspace_denoise.stages import check_stage

_GIB = 1 << 30


@command("kspace-denoise serve --model c2s.safetensors --also noisy --also noise-map")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9002,
    show_default=True,
    help="0: any free one.",
)
@click.option("--model", required=True, metavar="MODEL", help="A denoiser, as for `denoise`.")
@click.option("--stage", metavar="S", help="before-sense or after-sense.  [default: the model's]")
@click.option(
    "--also",
    multiple=True,
    type=click.Choice(ALSO),
    help="Send the noisy images (series 2), or the noise map (series 3), too; may be repeated.",
)
@click.option("--complex", "complex_images", is_flag=True, help="Send complex images.")
@calibration_option()
@replicas_option()
@click.option(
    "--memory",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="GIB",
    help="Samples that a connection may have waiting for their images to be complete.",
)
@click.option(
    "--connections",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="Clients at a time; more are told to come later.",
)
@click.option(
    "--idle",
    type=click.FloatRange(min=0, min_open=True),
    default=Limits().idle,
    show_default=True,
    metavar="S",
    help="Seconds without a message after which a client is dropped.",
)
@device_option()
def serve(
    host: str,
    port: int,
    model: str,
    stage: str | None,
    memory: float,
    connections: int,
    idle: float,
    device: str,
    **options: Any,
) -> None:
    """Denoise what MRD clients send: acquisitions in, images out, as soon as each is complete.

    The noise is that of the noise acquisitions, scaled to the dwell time of the scan, or else what
    is measured in k-space. Whatever a client does, others are served. Anyone who can reach the port
    can use it, and nothing is encrypted: that is why it listens on this machine alone unless --host
    says otherwise. Stop it with Ctrl-C.
    """
    denoiser = find_denoiser(model, device, None, False)
    used = check_stage(stage or getattr(denoiser, "stage", None) or "after-sense")
    check_use(denoiser, used)
    work = Work(denoiser, str(getattr(denoiser, "method", model)), used, **options)
    limits = Limits(idle=idle, held=int(memory * _GIB))
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", level=logging.INFO)
    try:
        server = Server((host, port), work, limits, connections)
    except OSError as error:
        raise ValueError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    with server:
        _stop_on_signals(server)
        click.echo(f"listening on {host}:{server.server_address[1]}, {work.name}, {used}")
        server.serve_forever()
    click.echo("stopped")


def _stop_on_signals(server: Server) -> None:
    """Stop in a thread of its own: the one that serves would wait for itself."""

    def stop(*_: Any) -> None:
        threading.Thread(target=server.shutdown).start()

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, stop)
