"""M4Raw: repetitions in files of their own, lines that are zero, an echo off centre."""

from pathlib import Path

import numpy as np
import pytest

from kspace_denoise import formats
from kspace_denoise.scan import Scan
from tests.formats.files import kspace, write_file, write_m4raw


def test_what_its_header_does_not_say_is_known(tmp_path: Path) -> None:
    path = write_m4raw(tmp_path, slices=1)
    scan = formats.read(path)
    assert isinstance(scan, Scan)
    assert (scan.kspace.shape, scan.field_strength, scan.readout_axis) == (
        (1, 4, 256, 256),
        0.3,
        -2,
    )
    assert formats.kind_of(path, scan.header, scan.kspace.shape) == "M4Raw, one repetition"
    assert "notes" not in scan.header
    assert scan.mask is None  # the lines that are zero were filled in, not left out
    other = write_file(tmp_path / "2022061003_T102.h5", kspace=kspace((1, 4, 64, 64)))
    assert formats.read(other).field_strength is None  # type: ignore[union-attr]


def test_repetitions_are_found_in_order(tmp_path: Path) -> None:
    names = ["1_T102", "1_T101", "1_T110", "1_T201", "1_FLAIR01", "2_T101", "1_T101x", "1_T1"]
    for name in names:
        write_file(tmp_path / f"{name}.h5", kspace=kspace())
    (tmp_path / "1_T103.txt").touch()
    found = formats.repetitions(tmp_path / "1_T102.h5")
    assert [path.name for path in found] == ["1_T101.h5", "1_T102.h5", "1_T110.h5"]
    assert formats.repetitions(tmp_path / "1_FLAIR01.h5") == [tmp_path / "1_FLAIR01.h5"]
    assert formats.repetitions(tmp_path / "1_T1.h5") == [tmp_path / "1_T1.h5"]
    with pytest.raises(FileNotFoundError, match="no such file"):
        formats.repetitions(tmp_path / "1_T104.h5")


def test_other_repetitions_are_numbered_by_rep(tmp_path: Path) -> None:
    for name in ("brain_rep2", "brain_rep10", "brain_rep1", "knee_rep1"):
        write_file(tmp_path / f"{name}.h5", kspace=kspace())
    found = formats.repetitions(tmp_path / "brain_rep10.h5")
    assert [path.stem for path in found] == ["brain_rep1", "brain_rep2", "brain_rep10"]


def test_repetitions_are_read_together_or_refused(tmp_path: Path) -> None:
    first = write_file(tmp_path / "a_rep1.h5", kspace=kspace(seed=1))
    second = write_file(tmp_path / "a_rep2.h5", kspace=kspace(seed=2), mask=np.ones(10))
    scans = formats.read_repetitions(second)
    np.testing.assert_array_equal(scans[0].kspace[:], kspace(seed=1))
    np.testing.assert_array_equal(scans[1].kspace[:], kspace(seed=2))
    write_file(tmp_path / "a_rep3.h5", kspace=kspace(seed=2), mask=np.arange(10) % 2)
    with pytest.raises(ValueError, match=r"a_rep3.h5 has another sampling mask than .*a_rep1.h5"):
        formats.read_repetitions(first)
    write_file(tmp_path / "a_rep3.h5", kspace=kspace((3, 2, 24, 12)))
    with pytest.raises(ValueError, match=r"a_rep3.h5 has k-space \(3, 2, 24, 12\), but .*a_rep1"):
        formats.read_repetitions(first)
    write_file(tmp_path / "a_rep3.h5", reconstruction=kspace()[:, 0])
    with pytest.raises(ValueError, match=r"a_rep3.h5 holds images, but a repetition of"):
        formats.read_repetitions(first)
