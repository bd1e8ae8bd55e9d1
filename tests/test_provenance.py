"""The provenance record is complete, plain JSON, and the same for the same work."""

import json
from pathlib import Path

import numpy as np
import pytest

import kspace_denoise
from kspace_denoise.provenance import record, sha256, to_json


def test_a_record(tmp_path: Path) -> None:
    (tmp_path / "in.h5").write_bytes(b"abc")
    made = record(
        "kspace-denoise x", [tmp_path / "in.h5"], seed=0, sigma=np.float32(0.5), sigma_unit="raw",
        data_range=2.0, levels=np.arange(2), path=tmp_path,
    )  # fmt: skip
    assert made == json.loads(to_json(made))
    assert made["version"] == kspace_denoise.__version__
    assert made["command"] == "kspace-denoise x"
    assert made["inputs"][0]["sha256"].startswith("ba7816bf8f01cfea414140de5dae2223b00361a3")
    assert (made["seed"], made["sigma"], made["sigma_unit"], made["data_range"]) == (
        0, 0.5, "raw", 2.0,
    )  # fmt: skip
    assert made["parameters"] == {"levels": [0, 1], "path": str(tmp_path)}


def test_checksums_of_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sha256(tmp_path / "none")


def test_json_of_odd_values() -> None:
    odd = {"nan": float("nan"), "inf": np.float64("inf"), "c": 1 + 2j, "t": (1, None, True)}
    assert json.loads(to_json(odd)) == {
        "nan": None, "inf": None, "c": {"real": 1, "imaginary": 2}, "t": [1, None, True],
    }  # fmt: skip
    with pytest.raises(TypeError, match="not JSON serializable"):
        to_json({"object": object()})
