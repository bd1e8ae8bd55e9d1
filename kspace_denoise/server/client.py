"""The other side: sends a scan to an MRD server, and takes the images that come back."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

import h5py
import numpy as np

from kspace_denoise.formats.ismrmrd_writer import fitting_header
from kspace_denoise.formats.mrd.encoding import encoding_of
from kspace_denoise.formats.mrd.geometry import affine_of
from kspace_denoise.formats.mrd.lines import Lines, scan_lines, turned
from kspace_denoise.formats.mrd.reader import is_mrd, series_header, series_lines, stored_covariance
from kspace_denoise.scan import Images, Numpy, Scan
from kspace_denoise.server.incoming import Incoming
from kspace_denoise.server.messages import (
    Close,
    Id,
    Image,
    Words,
    read_message,
    write_acquisitions,
    write_close,
    write_words,
)
from kspace_denoise.server.session import covariance_text

Tick: TypeAlias = Callable[[int], None]


class Answer(NamedTuple):
    """What a server sent back: images by series, as they came, and what it said."""

    images: dict[int, list[Image]]
    texts: list[str]

    def series(self, number: int) -> Images:
        """Return the images `(images, y, x)` of a series, and where they lie in the patient.

        Raises:
            KeyError: if there is no such series.
            ValueError: if its images have different sizes.
        """
        found = self.images[number]
        shapes = {image.data.shape[-2:] for image in found}
        if len(shapes) > 1:
            raise ValueError(f"images of series {number} have different sizes: {sorted(shapes)}")
        data = np.concatenate([image.data.reshape(-1, *image.data.shape[-2:]) for image in found])
        heads = np.stack([image.head for image in found])
        extent = tuple(float(n) for n in heads["field_of_view"][0])
        affine = affine_of(heads, data.shape[-2:], (extent[0], extent[1], extent[2]))
        return Images(data=data, affine=affine, header={"dataset": f"series {number}"})


def send(
    source: str | Path | Scan,
    host: str = "127.0.0.1",
    port: int = 9002,
    *,
    config: str = "kspace-denoise",
    timeout: float = 600.0,
    tick: Tick | None = None,
) -> Answer:
    """Send an ISMRMRD file as it is, or a scan, and return what comes back.

    Of a file every acquisition is sent, noise included; of a `Scan` its lines, and its noise
    covariance as a text that a server of this package understands. `tick` is told how many images
    were sent. `timeout` is in seconds without an answer.

    Raises:
        ValueError: if the server says "error", or what it sends is no message of the protocol.
        OSError: if there is no server.
    """
    xml, text, lines = _prepared(source)
    with socket.create_connection((host, port), timeout=timeout) as connection:
        answer = Answer({}, [])
        problem: list[Exception] = []
        listener = threading.Thread(target=_listen, args=(connection, timeout, answer, problem))
        listener.start()
        try:
            start = [Words(Id.CONFIG_FILE, config), Words(Id.HEADER, xml)]
            start += [] if text is None else [Words(Id.TEXT, text)]
            connection.sendall(b"".join(map(write_words, start)))
            for one in lines:
                connection.sendall(write_acquisitions(one.heads, one.samples))
                if tick is not None:
                    tick(1)
            connection.sendall(write_close())
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has said why, or the listener knows
        listener.join()
    for said in answer.texts:
        if said.startswith("error: "):
            raise ValueError(f"the server at {host}:{port} says: {said.removeprefix('error: ')}")
    if problem:
        raise problem[0]
    return answer


def _listen(
    connection: socket.socket, timeout: float, answer: Answer, problem: list[Exception]
) -> None:
    """Take messages until the server closes."""
    incoming = Incoming(connection, timeout, timeout)
    try:
        while True:
            incoming.next_message()
            message = read_message(incoming, 1 << 32)
            if isinstance(message, Close):
                return
            if isinstance(message, Image):
                answer.images.setdefault(int(message.head["image_series_index"]), []).append(
                    message
                )
            elif isinstance(message, Words):
                answer.texts.append(message.text)
    except (ValueError, OSError) as error:
        problem.append(error)
    finally:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RD)


def _prepared(source: str | Path | Scan) -> tuple[str, str | None, Iterator[Lines]]:
    """Return header, text and acquisitions."""
    if isinstance(source, Scan):
        _, _, ny, nx = turned(source.kspace.shape, source)
        xml = fitting_header(source, (nx, ny))
        text = _covariance_text(source.noise_covariance)
        return xml, text, scan_lines(source, encoding_of(xml)[0].centre)
    if not (h5py.is_hdf5(source) and is_mrd(source)):
        raise ValueError(f"{source} is no ISMRMRD file: read it first, kspace_denoise.read(path)")
    return series_header(source), _covariance_text(stored_covariance(source)), series_lines(source)


def _covariance_text(known: Numpy | None) -> str | None:
    return None if known is None else covariance_text(known)
