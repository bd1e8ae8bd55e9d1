"""The listening socket, and a thread for each client."""

import logging
import socketserver
import threading
from typing import Any

from kspace_denoise.server.messages import Id, Words, write_close, write_words
from kspace_denoise.server.reconstruct import Work
from kspace_denoise.server.session import Limits, Session

log = logging.getLogger("kspace_denoise.server")

CONNECTIONS = 64
"""How many clients are served beside each other; more are told to come later."""


class Server(socketserver.ThreadingTCPServer):
    """Serves MRD clients: `serve_forever()`, `shutdown()`, `server_address`.

    Raises:
        OSError: if the address cannot be listened on.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = True
    request_queue_size = CONNECTIONS

    def __init__(
        self,
        address: tuple[str, int],
        work: Work,
        limits: Limits | None = None,
        connections: int = CONNECTIONS,
    ) -> None:
        self.work, self.limits = work, limits or Limits()
        self.turn = threading.Lock()
        self._free = threading.BoundedSemaphore(connections)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread for a client, or refuse it if there are too many."""
        if not self._free.acquire(blocking=False):
            log.warning("%s: refused, too many connections", _name(client_address))
            with request:
                request.settimeout(1)
                busy = Words(Id.TEXT, "error: too many connections, come later")
                _try_to_send(request, write_words(busy) + write_close())
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a client."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Log what a session did not expect."""
        log.exception("%s: this is a bug; please report it", _name(client_address))


class _Handler(socketserver.BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        peer = _name(self.client_address)
        log.info("%s: connected", peer)
        Session(self.request, peer, self.server.work, self.server.limits, self.server.turn).run()


def _name(address: Any) -> str:
    return ":".join(str(part) for part in address[:2])


def _try_to_send(connection: Any, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError as error:
        log.info("a refused client did not hear why: %s", error)
