"""`simulate --field` with relaxation, coil noise, receiver and timing from the file."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from kspace_denoise import formats, sim
from kspace_denoise.cli.timing import _EXTRA
from kspace_denoise.fourier import ifft2c
from kspace_denoise.scan import Scan
from tests.cli.conftest import SHAPE, clean_kspace, covariance
from tests.cli.runner import fail, files_in, succeed
from tests.cli.test_simulate import relative_error, simulated
from tests.formats.test_fastmri_loader import load

CPU = ["--device", "cpu"]
PARAMETERS = (
    "<sequenceParameters><TR>400</TR><TE>9</TE><TI>N/A</TI><flipAngle_deg>70</flipAngle_deg>"
    "<sequence_type>Flash</sequence_type></sequenceParameters></ismrmrdHeader>"
)


def with_parameters(path: Path, parameters: str = PARAMETERS) -> Path:
    """Write the timing of a sequence into the header of a file."""
    with h5py.File(path, "r+") as file:
        header = file["ismrmrd_header"][()].decode()
        del file["ismrmrd_header"]
        file["ismrmrd_header"] = header.replace("</ismrmrdHeader>", parameters)
    return path


def law_of(scan: Scan) -> dict[str, Any]:
    law = scan.header["provenance"]["parameters"]["low_field"]
    assert isinstance(law, dict)
    return law


def test_a_sequence_changes_the_signal_and_not_the_noise(scan_file: Path) -> None:
    timing = ["--tr", 5000, "--te", 90]
    scan = simulated(scan_file, "--field", 1.5, "--sequence", "spin-echo", *timing)
    sequence = sim.sequence("spin-echo", repetition_time=5, echo_time=0.09)
    f = sim.relaxation_factor(sequence, "white", 1.5, 3.0)
    assert abs(f - 1) > 0.02
    psi = 0.25 * covariance()
    np.testing.assert_allclose(scan.noise_covariance, psi)
    assert relative_error(scan.kspace[:] - 0.25 * f * clean_kspace(), psi) < 5
    law = law_of(scan)
    assert law["relaxation_factor"] == pytest.approx(f)
    assert law["timing_from"] == {"repetition_time": "command line", "echo_time": "command line"}


def test_the_timing_comes_from_the_file_where_the_command_is_silent(scan_file: Path) -> None:
    path = with_parameters(scan_file)
    options = ["--field", 1, "--sequence", "gradient-echo", "--tissue", "fat", "--te", 5]
    scan = simulated(path, *options, "--target-tr", 300)
    at_source = sim.sequence("gradient-echo", repetition_time=0.4, echo_time=0.005, flip_angle=70)
    target = sim.sequence("gradient-echo", repetition_time=0.3, echo_time=0.005, flip_angle=70)
    law = law_of(scan)
    f = sim.relaxation_factor(at_source, "fat", 1.0, 3.0, target)
    assert law["relaxation_factor"] == pytest.approx(f)
    assert law["timing_from"] == {
        "repetition_time": "header of IN",
        "echo_time": "command line",
        "flip_angle": "header of IN",
    }
    said = scan.header["ismrmrd"]
    assert (said["field_strength_T"], said["sequence"]["repetition_time_ms"]) == (1, 300)


@pytest.mark.parametrize("law", ["coil", "mixed"])
def test_coil_noise_bandwidth_and_averages(scan_file: Path, law: str) -> None:
    options = ["--noise-law", law, "--crossover-field", 0.5, "--bandwidth-ratio", 0.5]
    scan = simulated(scan_file, "--field", 0.3, *options, "--averages", 2)
    ratio, a = (0.5 / 3) ** 1.5, 0.1
    c = 1.0 if law == "coil" else ratio / (1 + ratio)
    own = np.diag(np.diag(covariance()))
    expected = 0.25 * ((1 - c) * a**2 * covariance() + c * np.sqrt(a) * own)
    np.testing.assert_allclose(scan.noise_covariance, expected, rtol=1e-6)  # type: ignore[arg-type]
    assert relative_error(scan.kspace[:] - a**2 * clean_kspace(), expected) < 5


@pytest.mark.filterwarnings("default")
def test_the_body_law_below_the_crossover_warns_once(scan_file: Path) -> None:
    done = succeed("simulate", scan_file, scan_file.with_name("out.h5"), "--field", 0.055, *CPU)
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: 0.055 T is below the crossover field")


def test_a_relaxation_factor_may_be_given_and_negative(scan_file: Path) -> None:
    scan = simulated(scan_file, "--field", 1.5, "--relaxation-factor", -0.7)
    psi = 0.25 * covariance()
    assert relative_error(scan.kspace[:] + 0.25 * 0.7 * clean_kspace(), psi) < 5
    assert law_of(scan)["relaxation_factor"] == -0.7


def test_a_source_without_noise_gives_the_truth_at_that_field(clean_file: Path) -> None:
    """It has the scale of a noisy scan of that field, which can be scored against it."""
    out = clean_file.with_name("out.h5")
    options = ["--field", 0.3, "--source-field", 3, "--relaxation-factor", 1.2, "--noise-free"]
    done = succeed("simulate", clean_file, out, *options, *CPU)
    assert "note: IN is free of noise" in done.stderr
    scan = formats.read(out)
    assert isinstance(scan, Scan)
    assert scan.noise_covariance is None
    np.testing.assert_allclose(scan.kspace[:], 0.012 * clean_kspace(), rtol=1e-5, atol=1e-7)


def test_every_sequence_is_known_with_what_it_needs() -> None:
    assert set(_EXTRA) == set(sim.SEQUENCES)
    given = {"inversion_time": 0.1, "flip_angle": 30.0}
    for name, extra in _EXTRA.items():
        sim.sequence(name, repetition_time=1, echo_time=0.01, **{key: given[key] for key in extra})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sequence", "spin-echo"], "spin-echo needs --tr and --te, which the file does not say"),
        (["--sequence", "bssfp", "--tr", 5, "--te", 2], "bssfp needs --flip"),
        (["--sequence", "flair", "--tr", 9000, "--te", 90], "flair needs --ti"),
        (["--sequence", "spin-echo", "--tr", 500, "--te", 9, "--flip", 9], "has no --flip"),
        (["--sequence", "epi"], "--sequence epi: there are spin-echo"),
        (
            ["--sequence", "spin-echo", "--tr", 5, "--te", 90],
            "--sequence spin-echo, TR 5 ms, TE 90 ms: did you mean 5000 and 90? TR has to hold TE",
        ),
        (["--sequence", "bssfp", "--tr", 5, "--te", -1, "--flip", 9], "TE -1 ms, flip angle 9: TR"),
        (
            ["--sequence", "bssfp", "--tr", 5, "--te", 2, "--flip", 190],
            "the flip angle has to be between 0 and 180 degrees",
        ),
        (["--source-field", 1500], "--source-field 1500 is above 25 T: fields are in tesla"),
        (["--noise-law", "bodily"], "'bodily' is not one of"),
        (["--bandwidth-ratio", 0], "bandwidth_ratio is 0.0, expected a positive number"),
        (["--averages", "nan"], "averages is nan"),
        (["--bandwidth-ratio", 0.01], "the highest field that can be simulated is"),
        (["--relaxation-factor", "nan"], "relaxation_factor"),
        (["--relaxation-factor", 1, "--sequence", "flair"], "choose one of --sequence and"),
        (["--tr", 500], "--tr needs --sequence"),
        (["--tissue", "fat"], "--tissue needs --sequence"),
    ],
)
def test_refusals(scan_file: Path, options: list[object], message: str) -> None:
    out = scan_file.with_name("out.h5")
    assert message in fail("simulate", scan_file, out, "--field", 1.5, *options, *CPU)
    assert files_in(scan_file.parent) == ["scan.h5"]


def test_refusals_of_tissues_and_fields(scan_file: Path) -> None:
    out = scan_file.with_name("out.h5")
    timing = ["--sequence", "spin-echo", "--tr", 5000, "--te", 90, "--tissue"]
    common = ["simulate", scan_file, out, "--field"]
    assert "--tissue wood: there are" in fail(*common, 1.5, *timing, "wood", *CPU)
    grey = fail(*common, 1.5, *timing, "grey", *CPU)
    assert "--tissue grey: did you mean cortex or deep_grey? there are" in grey
    assert "did you mean muscle?" in fail(*common, 1.5, *timing, "Muscles", *CPU)
    assert "55 mT is 0.055 (tesla)" in fail(*common, 55, *CPU)
    known = sim.TISSUES["cartilage"].fields[0]
    message = fail(*common, known / 2, *timing, "cartilage", *CPU)
    assert "cartilage" in message
    assert "T" in message
    assert "--noise-law needs --field" in fail(*common[:3], "--sigma", 1, "--noise-law", "body")
    assert files_in(scan_file.parent) == ["scan.h5"]


def test_fastmris_own_loader_reads_what_is_written(scan_file: Path) -> None:
    """Every header entry that it asks for follows the simulation, and so does the target."""
    scan = simulated(with_parameters(scan_file), "--field", 0.5, "--sequence", "gradient-echo")
    values, mask, target, attributes = load(scan_file.with_name("out.h5"), 1)
    np.testing.assert_array_equal(values, scan.kspace[1])
    assert mask is None
    images = np.sqrt(np.sum(np.abs(ifft2c(scan.kspace[:])) ** 2, axis=1))
    np.testing.assert_allclose(target, images[1], rtol=1e-5)
    assert attributes["max"] == pytest.approx(images.max())
    assert attributes["encoding_size"] == (*SHAPE[2:], 1)
    assert (attributes["acquisition"], attributes["patient_id"]) == ("T1w", "x")
    simulated(scan_file, "--acceleration", 2, "--calibration", 6)
    values, mask, target, attributes = load(scan_file.with_name("out.h5"), 0)
    assert target is None
    assert "max" not in attributes
    np.testing.assert_array_equal((values != 0).all(axis=(0, 1)), mask)
    assert attributes["acceleration"] == 2


def test_a_file_without_timing_is_left_without(scan_file: Path) -> None:
    formats.read(with_parameters(scan_file, "<sequenceParameters/></ismrmrdHeader>"))
    out = scan_file.with_name("out.h5")
    message = fail("simulate", scan_file, out, "--field", 1, "--sequence", "bssfp", *CPU)
    assert "needs --tr and --te and --flip" in message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--source-field", 1.5], "the file says 3 T, and --source-field 1.5 T is used instead"),
        (
            ["--sequence", "spin-echo", "--te", 15],
            "--sequence spin-echo, but the header says Flash, TR 400 ms, TE 9 ms, flip angle 70 "
            "degrees; what is not given is taken from it",
        ),
        (
            ["--sequence", "gradient-echo", "--te", 0.09],
            "TE 0.09 ms: times are in milliseconds, and 0.09 s is 90",
        ),
        (["--sequence", "gradient-echo", "--flip", 0.5], "flip angle 0.5: angles are in degrees"),
    ],
)
def test_likely_slips_are_told(scan_file: Path, options: list[object], words: str) -> None:
    path, out = with_parameters(scan_file), scan_file.with_name("out.h5")
    done = succeed("simulate", path, out, "--field", 1, *options, *CPU)
    assert done.stderr == f"warning: {words}\n"


def test_nothing_is_told_where_all_agrees(scan_file: Path) -> None:
    path, out = with_parameters(scan_file), scan_file.with_name("out.h5")
    options = ["--field", 0.3, "--source-field", 3.01, "--sequence", "gradient-echo"]
    done = succeed("simulate", path, out, *options, "--target-te", 20, *CPU)
    assert done.stderr == ""
    f = law_of(formats.read(out))["relaxation_factor"]  # type: ignore[arg-type]
    assert done.stdout.splitlines()[1] == (
        f"low field: 3.01 to 0.3 T, f = {f:.4g} (white, GradientEcho, TR 400 ms from the header, "
        "TE 9 ms from the header, then 20, flip 70 degrees from the header), body noise"
    )
    (line,) = [x for x in succeed("info", out).stdout.splitlines() if x.startswith("low_field ")]
    assert line.endswith(done.stdout.splitlines()[1].removeprefix("low field: "))


@pytest.mark.parametrize(
    "before", ["", PARAMETERS.replace("</seq", "<echo_spacing>4</echo_spacing></seq")]
)
def test_the_header_says_the_sequence_that_was_simulated(scan_file: Path, before: str) -> None:
    if before:
        with_parameters(scan_file, before)
    options = ["--sequence", "flair", "--tr", 9000, "--te", 90, "--ti", 2500, "--target-ti", 2000]
    scan = simulated(scan_file, "--field", 1, *options)
    said = scan.header["ismrmrd"]["sequence"]
    assert said == {
        "repetition_time_ms": 9000,
        "echo_time_ms": 90,
        "inversion_time_ms": 2000,
        "type": "FLAIR",
    }
    assert ("echo_spacing" in scan.header["ismrmrd_header"]) == bool(before)
    assert law_of(scan)["field_ratio"] == pytest.approx(1 / 3)
    load(scan_file.with_name("out.h5"), 0)  # fastMRI's own loader reads the header


def test_a_tenth_is_a_tenth(scan_file: Path) -> None:
    assert law_of(simulated(scan_file, "--field", 0.3))["field_ratio"] == 0.1
