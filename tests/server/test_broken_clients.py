"""What no client should send: answered or dropped with a line in the log, and no other stops."""

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ismrmrd
import numpy as np
import pytest

from kspace_denoise.server import Limits, Server, send
from kspace_denoise.server.messages import Id, Words, write_close, write_words
from tests.formats.mrd.series import acquisition, samples
from tests.server.conftest import COILS, SIZE, XML
from tests.server.test_server import expected, port_of, stream

HEADER = write_words(Words(Id.HEADER, XML))


def head(**changes: Any) -> bytes:
    """Return the header of an acquisition that has no samples after it."""
    made = acquisition(samples((COILS, 2 * SIZE)))
    values = made.getHead()
    for name, value in changes.items():
        setattr(values, name, value)
    return struct.pack("<H", Id.ACQUISITION) + bytes(values)


def image_head(**changes: Any) -> bytes:
    made = ismrmrd.Image.from_array(np.zeros((4, 4), np.float32), transpose=False).getHead()
    for name, value in changes.items():
        setattr(made, name, value)
    return struct.pack("<H", Id.IMAGE) + bytes(made) + struct.pack("<Q", 0)


BAD: dict[str, tuple[bytes, str]] = {
    "another protocol": (
        b"GET / HTTP/1.1\r\n\r\n",
        "a message of number 17735 came; there is 1, 2",
    ),
    "old message": (struct.pack("<H", 1001), "a message of number 1001 came"),
    "no header": (head() + bytes(8 * COILS * 2 * SIZE), "came before the header"),
    "half a header": (HEADER[:500], "closed in the middle of a text: 494 of"),
    "half a number": (b"\x03", "closed in the middle of the number of a message"),
    "half an acquisition": (HEADER + head() + bytes(9), "closed in the middle of the samples"),
    "no XML": (write_words(Words(Id.HEADER, "<x>")), "ismrmrd_header not read"),
    "XML of something else": (write_words(Words(Id.HEADER, "<x/>")), "no encodedSpace"),
    "two headers": (HEADER + HEADER, "a second header came"),
    "entities": (write_words(Words(Id.HEADER, "<!ENTITY a 'b'><x/>")), "XML entities"),
    "text of 4 GB": (struct.pack("<HI", Id.TEXT, 2**32 - 1), "of 4294967295 bytes came, at most"),
    "readout of 34 GB": (
        HEADER + head(number_of_samples=65535, active_channels=65535),
        r"\(acquisition\) of 343\d* bytes came, at most",
    ),
    "image of 9 TB": (
        image_head(matrix_size=(65535, 65535, 65535)),
        r"\(image\) of \d+ bytes came, at most",
    ),
    "attributes of 16 EB": (
        image_head()[:-8] + struct.pack("<Q", 2**64 - 1),
        "of 18446744073709551679 bytes",
    ),
    "image of no type": (image_head(data_type=77), "data of type 77"),
    "covariance": (
        HEADER + write_words(Words(Id.TEXT, '{"noise_covariance": [[1], [2]]}')),
        r"covariance has shape \(1,\)",
    ),
    "covariance of words": (
        HEADER + write_words(Words(Id.TEXT, '{"noise_covariance": "large"}')),
        "could not convert|covariance",
    ),
}


def answer_of(server: Server, sent: bytes) -> bytes:
    """Send bytes and close that half; return all that comes back."""
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=30) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        found = b""
        with contextlib.suppress(ConnectionResetError):  # it closes while bytes are on their way
            while more := connection.recv(1 << 16):
                found += more
        return found


@pytest.mark.parametrize("case", list(BAD))
def test_bad_streams_are_answered(
    server: Server, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    sent, message = BAD[case]
    found = answer_of(server, sent)
    assert found.endswith(write_close())
    assert b"error: " in found
    assert [r.levelname for r in caplog.records].count("WARNING") == 1
    assert re.search(message, found.decode(errors="replace"))
    assert "bug" not in caplog.text


def test_damaged_streams_never_stop_it(
    server: Server, file: Path, kspace: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(4)
    whole = np.frombuffer(stream(kspace[:1]), np.uint8)
    heads = 2 + 1024 + 6 + len(XML) + 400
    for number in range(60):
        damaged = whole.copy()
        where = rng.integers(0, heads if number % 2 else len(whole), 1 + number % 20)
        damaged[where] = rng.integers(0, 256, len(where))
        answer_of(server, damaged[: rng.integers(1, len(whole) + 1)].tobytes())
    assert "bug" not in caplog.text, caplog.text
    found = send(file, port=port_of(server)).series(1)
    np.testing.assert_allclose(found.data, np.abs(expected(file).image), rtol=1e-5)


def test_random_bytes_never_stop_it(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(5)
    starts = [b"", HEADER, *(struct.pack("<H", i) for i in Id)]
    for number in range(120):
        answer_of(server, starts[number % len(starts)] + rng.bytes(rng.integers(0, 3000)))
    assert "bug" not in caplog.text, caplog.text


def test_slow_and_silent_clients_are_dropped(start: Callable[..., Server]) -> None:
    server = start(Limits(idle=0.3, message=0.4))
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=10) as connection:
        assert b"nothing came for 0.3 s" in connection.recv(1000)
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=10) as connection:
        found = b""
        for byte in HEADER[:100]:  # a byte now and then, so that it is never silent for long
            try:
                connection.send(bytes([byte]))
            except OSError:
                break
            time.sleep(0.02)
        found = connection.recv(1000)
        assert b"was not complete after 0.4 s" in found
    assert time.monotonic() - begun < 8


def test_a_client_that_does_not_take_its_images_is_dropped(
    start: Callable[..., Server], kspace: np.ndarray, file: Path
) -> None:
    server = start(Limits(message=1.0), complex_images=True, also=("noisy", "noise-map"))
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    deaf.connect(("127.0.0.1", port_of(server)))
    many = np.concatenate([kspace] * 3)
    threading.Thread(target=_send_all, args=(deaf, stream(many)), daemon=True).start()
    assert send(file, port=port_of(server)).images[1]
    deaf.close()


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _send_all(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(data)


def test_what_waits_for_its_image_is_bounded(start: Callable[..., Server], file: Path) -> None:
    server = start(Limits(held=100_000))
    with pytest.raises(ValueError, match="at most 100000 are held: the flag LAST_IN_SLICE"):
        send(file, port=port_of(server))


def test_too_many_clients_are_told_to_come_later(start: Callable[..., Server], file: Path) -> None:
    server = start(connections=2)
    waiting = [socket.create_connection(("127.0.0.1", port_of(server))) for _ in range(2)]
    time.sleep(0.2)
    with pytest.raises(ValueError, match="too many connections, come later"):
        send(file, port=port_of(server))
    for one in waiting:
        one.close()
    time.sleep(0.2)
    assert send(file, port=port_of(server)).images[1]


def test_broken_clients_take_nothing_from_a_good_one_and_nothing_is_left(
    server: Server, file: Path, kspace: np.ndarray
) -> None:
    whole = stream(kspace[:1])
    before = threading.active_count(), _open_files()
    rng = np.random.default_rng(6)

    def broken() -> None:
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port_of(server))) as connection:
                _send_all(connection, whole[: rng.integers(1, len(whole))])
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    threads = [threading.Thread(target=broken) for _ in range(4)]
    for thread in threads:
        thread.start()
    found = send(file, port=port_of(server)).series(1)
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(found.data, np.abs(expected(file).image), rtol=1e-5)
    ends = time.monotonic() + 10
    while threading.active_count() > before[0] and time.monotonic() < ends:
        time.sleep(0.05)
    assert threading.active_count() <= before[0]
    assert _open_files() <= before[1]
