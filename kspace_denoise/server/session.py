"""One connection: what a client says, and what it is answered."""

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from kspace_denoise.scan import Numpy
from kspace_denoise.server.groups import Group, Series
from kspace_denoise.server.incoming import EndOfStreamError, Incoming
from kspace_denoise.server.messages import (
    Acquisition,
    Close,
    Id,
    Image,
    Message,
    Waveform,
    Words,
    read_message,
    write_close,
    write_image,
    write_words,
)
from kspace_denoise.server.reconstruct import Work, images_of

log = logging.getLogger("kspace_denoise.server")


class Limits(NamedTuple):
    """What a client may ask for: seconds and bytes."""

    idle: float = 300.0
    """Until the next message begins."""
    message: float = 60.0
    """Until a message that has begun is complete, or is taken by the client."""
    largest: int = 1 << 28
    """A message."""
    held: int = 1 << 30
    """Samples that wait for their image to be complete."""


class Session:
    """Reads the messages of a client until it closes; sends an image as soon as it is complete.

    Images are computed one at a time over all sessions, under `turn`.
    """

    def __init__(
        self, connection: socket.socket, peer: str, work: Work, limits: Limits, turn: threading.Lock
    ) -> None:
        self._socket, self._peer, self._work = connection, peer, work
        self._limits, self._turn = limits, turn
        self._incoming = Incoming(connection, limits.idle, limits.message)
        self._series: Series | None = None
        self._images = 0
        self._told: set[str] = set()

    def run(self) -> None:
        """Serve the client; whatever goes wrong ends this session alone, with a line in the log."""
        try:
            self._converse()
        except (ValueError, OSError) as error:
            log.warning("%s: %s", self._peer, error)
            with contextlib.suppress(OSError):
                self._say(f"error: {error}")
        except Exception:
            log.exception("%s: this is a bug; please report it", self._peer)
            with contextlib.suppress(OSError):
                self._say("error: a bug in the server, see its log")
        finally:
            with contextlib.suppress(OSError):
                self._send(write_close())
        log.info("%s: %d images sent", self._peer, self._images)

    def _converse(self) -> None:
        while True:
            self._incoming.next_message()
            try:
                message = read_message(self._incoming, self._limits.largest)
            except EndOfStreamError as ending:
                log.info("%s: %s", self._peer, ending)
                message = Close()
            if isinstance(message, Close):
                if self._series is not None:
                    self._send_groups(self._series.rest())
                return
            self._take(message)

    def _take(self, message: Message) -> None:
        if isinstance(message, Words):
            self._take_words(message)
        elif isinstance(message, Acquisition):
            group = self._known_series("an acquisition").add(message)
            if group is not None:
                self._send_groups([group])
        elif isinstance(message, Image):
            self._say_once("images go back as they came: denoising begins from acquisitions here")
            self._send(write_image(message))
            self._images += 1
        elif isinstance(message, Waveform):
            self._say_once("waveforms are not used")

    def _take_words(self, words: Words) -> None:
        if words.id is Id.HEADER:
            if self._series is not None:
                raise ValueError("a second header came; one series is sent in a connection")
            self._series = Series(words.text, self._limits.held)
        elif words.id is Id.TEXT:
            self._take_text(words.text)
        else:
            log.info("%s: asks for the configuration %r", self._peer, words.text[:60])

    def _take_text(self, text: str) -> None:
        """Take a noise covariance where the text is one; other texts go to the log."""
        covariance = parse_covariance(text)
        if covariance is None:
            log.info("%s: says %r", self._peer, text[:200])
        else:
            self._known_series("a noise covariance").given_covariance = covariance

    def _known_series(self, what: str) -> Series:
        if self._series is None:
            raise ValueError(f"{what} came before the header, which says how large the matrix is")
        return self._series

    def _send_groups(self, groups: Iterable[Group]) -> None:
        assert self._series is not None
        for group in groups:
            with self._turn:
                images = list(images_of(self._series, group, self._work))
            for sentence in self._series.notes:
                self._say_once(sentence)
            for image in images:
                self._send(write_image(image))
                self._images += 1

    def _say_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            log.info("%s: %s", self._peer, text)
            self._say(text)

    def _say(self, text: str) -> None:
        self._send(write_words(Words(Id.TEXT, text)))

    def _send(self, data: bytes) -> None:
        self._socket.settimeout(self._limits.message)
        self._socket.sendall(data)


COVARIANCE = "noise_covariance"


def covariance_text(covariance: Numpy) -> str:
    """Return a noise covariance as the text that a server here understands."""
    return json.dumps({COVARIANCE: [covariance.real.tolist(), covariance.imag.tolist()]})


def parse_covariance(text: str) -> Numpy | None:
    """Return the covariance that a text holds, None if it holds none.

    Raises:
        ValueError: if it is not square.
    """
    try:
        said = json.loads(text)
    except ValueError:
        return None
    if not isinstance(said, dict) or COVARIANCE not in said:
        return None
    real, imaginary = (np.asarray(part, np.float64) for part in said[COVARIANCE])
    if real.ndim != 2 or real.shape[0] != real.shape[1] or real.shape != imaginary.shape:
        raise ValueError(f"the noise covariance has shape {real.shape}, expected (coils, coils)")
    return np.asarray(real + 1j * imaginary)
