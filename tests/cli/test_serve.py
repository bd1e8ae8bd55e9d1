"""`serve` and `send` as processes: images arrive as files, signals stop it, mistakes are told."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kspace_denoise as kd
from kspace_denoise.scan import Images
from tests.cli.runner import fail, succeed

COMMAND = [sys.executable, "-m", "kspace_denoise"]


@pytest.fixture(scope="module")
def scan_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scans")
    words = ["--slices", 2, "--shape", "48x48", "--noise-free"]
    succeed("simulate", "phantom", folder / "clean.h5", *words)
    succeed("simulate", folder / "clean.h5", folder / "noisy.h5", "--sigma", 0.02, "--seed", 1)
    succeed("simulate", folder / "clean.h5", folder / "noisy.mrd", "--sigma", 0.02, "--seed", 1)
    return folder


@pytest.fixture
def server() -> Iterator[tuple[Any, str]]:
    words = ["serve", "--model", "wavelet", "--port", "0", "--also", "noisy", "--complex"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+), wavelet, after-sense\n", line)
        assert found, line
        yield process, found[1]
        process.kill()


def test_what_comes_back_is_what_denoise_writes(
    server: tuple[Any, str], scan_files: Path, tmp_path: Path
) -> None:
    process, port = server
    noisy = scan_files / "noisy.h5"
    output = succeed("send", noisy, "--port", port, "--out", tmp_path / "a.nii.gz").output
    assert "a.nii.gz: 2 x 48 x 48" in output
    assert "a_noisy.nii.gz" in output
    succeed("denoise", noisy, tmp_path / "b.h5", "--model", "wavelet")
    sent, written = kd.read(tmp_path / "a.nii.gz"), kd.read(tmp_path / "b.h5")
    assert isinstance(sent, Images)
    assert isinstance(written, Images)
    turned = sent.data.swapaxes(-1, -2)  # x is the readout in a stream, and was on axis -2
    np.testing.assert_allclose(turned, written.data, rtol=1e-3, atol=1e-5)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "stopped\n")


def test_an_ismrmrd_file_goes_as_it_is(
    server: tuple[Any, str], scan_files: Path, tmp_path: Path
) -> None:
    succeed("send", scan_files / "noisy.mrd", "--port", server[1], "--out", tmp_path / "a.h5")
    succeed("send", scan_files / "noisy.h5", "--port", server[1], "--out", tmp_path / "b.h5")
    one, other = kd.read(tmp_path / "a.h5"), kd.read(tmp_path / "b.h5")
    assert isinstance(one, Images)
    assert isinstance(other, Images)
    np.testing.assert_array_equal(one.data, other.data)


def test_mistakes(scan_files: Path, tmp_path: Path) -> None:
    noisy = scan_files / "noisy.h5"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        out = tmp_path / "a.h5"
        assert f"nobody listens on 127.0.0.1:{port}" in fail(
            "send", noisy, "--port", port, "--out", out
        )
        taken.listen()
        assert f"cannot listen on 127.0.0.1:{port}" in fail(
            "serve", "--model", "bm3d", "--port", port
        )
    assert "none.safetensors" in fail("serve", "--model", "none.safetensors")
    assert "no such file" in fail("send", tmp_path / "none.mrd")
    assert "ends in .h5" in fail("send", noisy, "--out", tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
