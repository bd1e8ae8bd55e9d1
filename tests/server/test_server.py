"""The server over a true socket: with the package ismrmrd as the client, and with our own."""

import io
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ismrmrd
import numpy as np
import pytest

import kspace_denoise as kd
from kspace_denoise.crop import remove_oversampling
from kspace_denoise.scan import Scan
from kspace_denoise.server import Server, send
from tests.formats.mrd.series import header, write
from tests.server.conftest import COILS, SIZE, SLICES, XML, Softer, lines


def expected(file: Path) -> Any:
    """Return what the functions that the server calls give for the whole file."""
    scan = kd.read(file)
    assert isinstance(scan, Scan)
    return kd.denoise(remove_oversampling(scan), Softer())


def port_of(server: Server) -> int:
    return int(server.server_address[1])


def stream(kspace: np.ndarray, xml: str = XML, close: bool = True) -> bytes:
    """Return a session as the package ismrmrd writes it."""
    buffer = io.BytesIO()
    writer = ismrmrd.ProtocolSerializer(buffer)
    writer.serialize(ismrmrd.ConfigFile("kspace-denoise"))
    writer.serialize(ismrmrd.xsd.CreateFromDocument(xml))
    writer.serialize("a remark")
    for one in lines(kspace):
        writer.serialize(one)
    wave = ismrmrd.Waveform.from_array(np.zeros((2, 5), np.uint32))
    writer.serialize(wave)
    if close:
        writer.close()
    return buffer.getvalue()


def converse(server: Server, sent: bytes, finish: bool = False) -> list[Any]:
    """Send bytes; return what the package ismrmrd reads from the answer."""
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=30) as connection:
        connection.sendall(sent)
        if finish:
            connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as back:
            return list(ismrmrd.ProtocolDeserializer(back).deserialize())


def images_in(answer: list[Any]) -> list[Any]:
    return [one for one in answer if isinstance(one, ismrmrd.Image)]


def test_the_package_ismrmrd_is_understood_and_understands(
    server: Server, file: Path, kspace: np.ndarray
) -> None:
    answer = converse(server, stream(kspace))
    found = images_in(answer)
    assert len(found) == SLICES
    np.testing.assert_allclose(
        np.stack([one.data[0, 0] for one in found]), np.abs(expected(file).image), rtol=1e-5
    )
    assert "waveforms are not used" in answer
    last = found[-1]
    assert (last.slice, last.image_series_index, last.image_index) == (2, 1, 3)
    assert last.image_type == ismrmrd.IMTYPE_MAGNITUDE
    assert list(last.position) == [0, 0, 12]
    assert list(last.field_of_view) == [200, 220, 5]
    meta = ismrmrd.Meta.deserialize(last.attribute_string)
    assert meta["ImageProcessingHistory"] == ["kspace-denoise", "after-sense", "softer"]
    assert float(meta["NoiseSigma"]) == pytest.approx(
        np.median(expected(file).sigma[2][expected(file).sigma[2] > 0]), rel=1e-4
    )


def test_our_client_sends_files_and_scans(server: Server, file: Path) -> None:
    found = send(file, port=port_of(server)).series(1)
    np.testing.assert_allclose(found.data, np.abs(expected(file).image), rtol=1e-5)
    scan = kd.read(file)
    assert isinstance(scan, Scan)
    assert found.affine is not None
    again = send(scan, port=port_of(server)).series(1)
    np.testing.assert_allclose(again.data, found.data, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(again.affine, found.affine, atol=1e-4)


def test_noisy_images_and_noise_map_are_series_of_their_own(
    start: Callable[..., Server], file: Path
) -> None:
    server = start(also=("noisy", "noise-map"), complex_images=True)
    answer, whole = send(file, port=port_of(server)), expected(file)
    np.testing.assert_allclose(answer.series(1).data, whole.image, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(answer.series(2).data, whole.noisy, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(answer.series(3).data, whole.sigma, rtol=1e-4)


def test_before_sense_too(start: Callable[..., Server], file: Path) -> None:
    scan = kd.read(file)
    assert isinstance(scan, Scan)
    whole = kd.denoise(remove_oversampling(scan), Softer(), "before-sense")
    server = start(stage="before-sense")
    found = send(file, port=port_of(server)).series(1)
    np.testing.assert_allclose(found.data, np.abs(whole.image), rtol=1e-4, atol=1e-7)


def test_an_image_comes_before_the_next_slice_is_sent(server: Server, kspace: np.ndarray) -> None:
    whole, one = stream(kspace, close=False), stream(kspace[:1], close=False)
    wave = len(stream(kspace[:0], close=False)) - len(stream(kspace[:0], close=False)[:-80])
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=30) as connection:
        connection.sendall(one[: len(one) - wave - 2])
        with connection.makefile("rb") as back:
            answer = ismrmrd.ProtocolDeserializer(back).deserialize()
            assert next(answer).slice == 0
            connection.sendall(whole[len(one) - wave - 2 :] + b"\x04\x00")
            assert [one.slice for one in images_in(list(answer))] == [1, 2]


def test_a_stream_that_just_ends_is_answered(server: Server, kspace: np.ndarray) -> None:
    acquisitions = lines(kspace)
    for one in acquisitions:
        one.clear_all_flags() if one.idx.slice else None
    buffer = io.BytesIO()
    writer = ismrmrd.ProtocolSerializer(buffer)
    writer.serialize(ismrmrd.xsd.CreateFromDocument(XML))
    for one in acquisitions:
        writer.serialize(one)
    assert len(images_in(converse(server, buffer.getvalue(), finish=True))) == SLICES


def test_undersampled_lines_with_calibration(
    server: Server, tmp_path: Path, kspace: np.ndarray
) -> None:
    kept = [
        one
        for one in lines(kspace)
        if one.is_flag_set(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
        or one.idx.kspace_encode_step_1 % 2
        or 10 <= one.idx.kspace_encode_step_1 < 22
    ]
    file = write(tmp_path / "half.mrd", kept, XML)
    found = send(file, port=port_of(server)).series(1)
    np.testing.assert_allclose(found.data, np.abs(expected(file).image), rtol=1e-4, atol=1e-7)


def test_images_go_back_as_they_came(server: Server) -> None:
    buffer = io.BytesIO()
    data = np.arange(6, dtype=np.int16).reshape(2, 3)
    with ismrmrd.ProtocolSerializer(buffer) as writer:
        writer.serialize(ismrmrd.Image.from_array(data, transpose=False))
    (said, image) = converse(server, buffer.getvalue())
    assert "images go back as they came" in said
    np.testing.assert_array_equal(image.data[0, 0], data)


def test_many_clients_at_once_get_their_own_images(server: Server, file: Path) -> None:
    found: list[Any] = [None] * 6

    def run(number: int) -> None:
        found[number] = send(file, port=port_of(server)).series(1).data

    threads = [threading.Thread(target=run, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in found:
        np.testing.assert_allclose(one, np.abs(expected(file).image), rtol=1e-5)


def test_noise_that_nobody_knows_is_said(server: Server, tmp_path: Path) -> None:
    flat = np.ones((1, COILS, SIZE, 2 * SIZE), np.complex64)
    file = write(tmp_path / "scan.mrd", lines(flat)[1:], XML)
    with pytest.raises(ValueError, match=r"the server at 127\.0\.0\.1:\d+ says: .*noise"):
        send(file, port=port_of(server))


def test_bad_series_are_answered_with_the_number_of_the_acquisition(
    server: Server, tmp_path: Path, kspace: np.ndarray
) -> None:
    wrong = lines(kspace)
    wrong[40].idx.kspace_encode_step_1 = 50
    file = write(tmp_path / "bad.mrd", wrong, XML)
    with pytest.raises(ValueError, match="says: acquisition 40 is line 50, which lies outside"):
        send(file, port=port_of(server))
    file = write(tmp_path / "other.mrd", lines(kspace), header(x=2 * SIZE, z=3))
    with pytest.raises(ValueError, match="three-dimensional"):
        send(file, port=port_of(server))


def test_nobody_listens(file: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            send(file, port=free.getsockname()[1])
