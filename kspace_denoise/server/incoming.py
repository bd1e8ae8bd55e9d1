"""Bytes from a socket that may be slow, half-closed, or never stop."""

import socket
import time

from kspace_denoise.server.messages import ProtocolError

_AT_ONCE = 1 << 18


class EndOfStreamError(ProtocolError):
    """The other side has closed its half of the connection between two messages."""


class Incoming:
    """Reads from a socket: a message begins within `idle` seconds and is complete after `whole`.

    What comes ahead is kept, at most 256 KiB.
    """

    def __init__(self, connection: socket.socket, idle: float, whole: float) -> None:
        self._socket = connection
        self._idle, self._whole = idle, whole
        self._kept = bytearray()
        self._ends = 0.0
        self._begun = False
        self.next_message()

    def next_message(self) -> None:
        """Wait for a new message: the time begins anew."""
        self._begun = bool(self._kept)
        self._ends = time.monotonic() + (self._whole if self._begun else self._idle)

    def read(self, count: int, what: str) -> bytes:
        """Return the next `count` bytes.

        Raises:
            EndOfStreamError: if the connection was closed before the message began.
            ProtocolError: if it was closed in the middle, or the time is over.
        """
        if count <= len(self._kept):
            found = bytes(self._kept[:count])
            del self._kept[:count]
            return found
        whole = bytearray(count)
        have = len(self._kept)
        whole[:have] = self._kept
        self._kept.clear()
        with memoryview(whole) as view:
            while have < count:
                have += self._receive(view[have:], what, have, count)
        return bytes(whole) if count < _AT_ONCE else whole  # type: ignore[return-value]

    def _receive(self, view: memoryview, what: str, have: int, count: int) -> int:
        """Fill the view, or a part of it; what comes beyond a small one is kept."""
        left = self._ends - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            if len(view) >= _AT_ONCE:
                received = self._socket.recv_into(view)
            else:
                ahead = self._socket.recv(_AT_ONCE)
                received = min(len(ahead), len(view))
                view[:received] = ahead[:received]
                self._kept += ahead[received:]
        except TimeoutError:
            raise ProtocolError(
                f"nothing came for {self._idle:g} s"
                if not self._begun and not have
                else f"{what} was not complete after {self._whole:g} s"
            ) from None
        if not received:
            if not self._begun and not have:
                raise EndOfStreamError("the connection was closed without a message that says so")
            raise ProtocolError(
                f"the connection was closed in the middle of {what}: {have} of {count} bytes"
            )
        if not self._begun:
            self._begun = True
            self._ends = time.monotonic() + self._whole
        return received
