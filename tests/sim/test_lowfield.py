import json
import warnings

import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.sim import SpinEcho, add_noise, highest_field, low_field, sequence
from tests.helpers import assert_same_kind, complex_array, random_covariance

T2W = SpinEcho(5.0, 0.09)


def covariance_error(noise, psi):
    """Return the largest error of the sample covariance in units of its standard error."""
    samples = np.moveaxis(noise, -3, 0).reshape(len(psi), -1)
    found = samples @ samples.conj().T / samples.shape[1]
    level = np.sqrt(np.outer(np.diag(psi), np.diag(psi)).real / samples.shape[1])
    return np.max(np.abs(found - psi) / level)


def target_covariance(psi, field, c=0.0, gain=1.0):
    a = field / 3.0
    return gain * ((1 - c) * a**2 * psi + c * np.sqrt(a) * np.diag(np.diag(psi)))


@pytest.mark.parametrize(
    ("settings", "c", "gain"),
    [
        ({}, 0.0, 1.0),
        ({"bandwidth_ratio": 0.5, "averages": 1.5}, 0.0, 1 / 3),
        ({"noise_law": "coil"}, 1.0, 1.0),
        ({"noise_law": "mixed", "crossover_field": 1.0}, 1 / (1 + 3**1.5), 1.0),
        ({"sequence": T2W, "noise_law": "mixed", "crossover_field": 1.0}, 1 / (1 + 3**1.5), 1.0),
        ({"relaxation_factor": -1.5}, 0.0, 1.0),
    ],
    ids=str,
)
def test_noise_of_source_and_simulation_add_up_to_the_law(rng, settings, c, gain):
    psi, coils = random_covariance(rng, 4), 4
    source = add_noise(np.zeros((coils, 200, 150), np.complex64), psi, seed=0)
    low = low_field(source, psi, field=1.2, source_field=3.0, seed=1, **settings)
    target = target_covariance(psi, 1.2, c, gain)
    np.testing.assert_allclose(low.noise_covariance, target, rtol=1e-5)
    assert covariance_error(low.kspace, target) < 5
    correlated = np.vdot(source, low.kspace).real / np.vdot(source, source).real
    assert correlated == pytest.approx(0.16 * low.record["relaxation_factor"], abs=0.02)


@pytest.mark.parametrize("field", [0.055, 0.3, 1.5, 3.0])
@pytest.mark.parametrize(("law", "exponent"), [("body", 1.0), ("coil", 7 / 4)])
def test_snr_falls_with_the_field_as_the_regime_says(rng, field, law, exponent):
    psi = np.diag([1.0, 2.0, 0.5])
    signal = complex_array(rng, (3, 12, 10)) * 1e6  # noise vanishes beside it
    low = low_field(signal, psi, field, 3.0, seed=0, noise_law=law, crossover_field=0.05)
    gain = np.vdot(signal, low.kspace).real / np.vdot(signal, signal).real
    sigma_ratio = np.sqrt(np.trace(low.noise_covariance).real / np.trace(psi).real)
    np.testing.assert_allclose(gain / sigma_ratio, (field / 3.0) ** exponent, rtol=1e-3)


def test_the_same_field_changes_nothing(kind, rng):
    kspace, psi = complex_array(rng, (2, 3, 8, 9)), random_covariance(rng, 3)
    low = low_field(kind(kspace), kind(psi), 3.0, 3.0, seed=0)
    assert_same_kind(low.kspace, kind(kspace))
    assert_same_kind(low.noise_covariance, kind(psi))
    np.testing.assert_array_equal(to_numpy(low.kspace), kspace)
    np.testing.assert_array_equal(to_numpy(low.noise_covariance), psi)


def test_every_kind_of_array_gives_the_same(kind, rng):
    kspace, psi = complex_array(rng, (2, 3, 8, 9)), random_covariance(rng, 3)
    settings = {"noise_law": "mixed", "sequence": T2W, "tissue": "cortex", "seed": 3}
    low = low_field(kind(kspace), kind(psi), 0.3, 3.0, **settings)
    assert_same_kind(low.kspace, kind(kspace))
    assert_same_kind(low.noise_covariance, kind(psi))
    expected = low_field(kspace, psi, 0.3, 3.0, **settings)
    np.testing.assert_allclose(to_numpy(low.kspace), expected.kspace, rtol=1e-5)
    assert expected.kspace.dtype == np.complex64
    double = low_field(kspace.astype(np.complex128), psi, 0.3, 3.0, **settings)
    assert double.kspace.dtype == np.complex128


def test_samples_that_were_not_acquired_stay_silent(rng):
    mask = np.arange(9) % 2 == 0
    kspace = complex_array(rng, (3, 8, 9)) * mask
    given = kspace.copy()
    low = low_field(kspace, random_covariance(rng, 3), 0.3, 3.0, seed=0, mask=mask)
    assert np.all(low.kspace[..., ~mask] == 0)
    assert np.all(low.kspace[..., mask] != 0)
    np.testing.assert_array_equal(kspace, given)


def test_record_says_what_was_assumed(rng):
    kspace = complex_array(rng, (1, 8, 8))
    record = low_field(kspace, np.eye(1), np.float32(0.5), 3, seed=0).record
    assert json.loads(json.dumps(record)) == record
    assert record["field_T"] == 0.5
    assert record["source_field_T"] == 3.0
    assert record["relaxation_factor"] == record["bandwidth_ratio"] == 1.0
    assert record["averages_ratio"] == 1.0
    assert record["relaxation_applied"] is False
    assert record["relaxation_from"] == "none"
    assert record["noise_regime"] == "body"
    assert record["coil_noise_share"] == 0
    assert record["noise_understated"] == pytest.approx(1.150, abs=0.001)


def test_record_holds_sequence_and_tissue(rng):
    flair = sequence("flair", repetition_time=9.0, echo_time=0.11, inversion_time=2.5)
    target = sequence("flair", repetition_time=8.0, echo_time=0.12, inversion_time=2.4)
    record = low_field(
        complex_array(rng, (2, 8, 8)),
        np.eye(2),
        np.float64(0.3),
        3.0,
        seed=0,
        sequence=flair,
        target_sequence=target,
        tissue="cortex",
        noise_law="mixed",
    ).record
    assert json.loads(json.dumps(record)) == record
    assert record["sequence"]["kind"] == "SpinEcho"
    assert record["sequence"]["inversion_time"] == 2.5
    assert record["target_sequence"]["echo_time"] == 0.12
    assert record["tissue"]["name"] == "cortex"
    assert record["tissue"]["t1_s"]["source"] == pytest.approx(1.295)
    assert "Rooney" in record["tissue"]["from"]
    assert record["relaxation_from"] == "sequence and tissue"
    assert record["noise_understated"] == 1
    given = low_field(np.ones((2, 8, 8), np.complex64), np.eye(2), 0.3, 3.0, 0, relaxation_factor=2)
    assert (given.record["relaxation_factor"], given.record["relaxation_from"]) == (2.0, "given")


def test_what_holds_too_much_noise_is_refused_with_what_is_possible(rng):
    psi = random_covariance(rng, 3)
    kspace = complex_array(rng, (3, 8, 8))
    settings = {"averages": 16, "noise_law": "mixed"}
    message = (
        r"1\.5 T cannot be simulated from 3 T: .*the highest field that can be simulated is "
        r"(\S+) T, and at 1\.5 T the narrowest bandwidth_ratio is (\S+)$"
    )
    with pytest.raises(ValueError, match=message) as caught:
        low_field(kspace, psi, 1.5, 3.0, 0, **settings)
    words = str(caught.value).split()
    highest, narrowest = float(words[words.index("T,") - 1]), float(words[-1])
    assert highest == pytest.approx(highest_field(psi, 3.0, **settings), rel=1e-3)
    low_field(kspace, psi, highest, 3.0, 0, **settings)
    low_field(kspace, psi, 1.5, 3.0, 0, **settings, bandwidth_ratio=narrowest)
    with pytest.raises(ValueError, match="cannot be simulated"):
        low_field(kspace, psi, highest * 1.002, 3.0, 0, **settings)
    with pytest.raises(ValueError, match="cannot be simulated"):
        low_field(kspace, psi, 1.5, 3.0, 0, **settings, bandwidth_ratio=narrowest * 0.998)
    with pytest.raises(ValueError, match=r"no field between .* and at 1\.5 T the narrowest"):
        low_field(kspace, psi, 1.5, 3.0, 0, averages=1e9)


def test_the_limits_themselves_are_possible(rng):
    for seed in range(8):
        psi = random_covariance(np.random.default_rng(seed), 4)
        kspace = complex_array(rng, (4, 8, 8))
        for settings in ({"noise_law": "mixed"}, {"averages": 3}, {"noise_law": "coil"}):
            low_field(kspace, psi, highest_field(psi, 3.0, **settings), 3.0, 0, **settings)


def test_body_noise_below_the_crossover_is_warned_of(rng):
    kspace = complex_array(rng, (1, 8, 8))
    message = r"0\.055 T is below the crossover field of 0\.5 T.*understates the noise 5\.2-fold"
    with pytest.warns(UserWarning, match=message) as caught:
        low_field(kspace, np.eye(1), 0.055, 3.0, 0, crossover_field=0.5)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low_field(kspace, np.eye(1), 0.3, 3.0, 0)
        low_field(kspace, np.eye(1), 0.055, 3.0, 0, noise_law="mixed")
        low_field(kspace, np.eye(1), 0.055, 3.0, 0, noise_law="coil")


def test_rejects_fields_that_cannot_be(rng):
    kspace = complex_array(rng, (1, 8, 8))
    with pytest.raises(ValueError, match=r"field=7\.0 T is above source_field=3\.0 T"):
        low_field(kspace, np.eye(1), 7.0, 3.0, seed=0)
    with pytest.raises(ValueError, match="field is 0, expected a positive number of tesla"):
        low_field(kspace, np.eye(1), 0, 3.0, seed=0)
    with pytest.raises(ValueError, match="source_field is nan, expected"):
        low_field(kspace, np.eye(1), 0.3, np.nan, seed=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target_sequence": T2W}, "target_sequence was given without sequence"),
        ({"sequence": T2W, "relaxation_factor": 1.0}, "both sequence and relaxation_factor were"),
        ({"relaxation_factor": np.nan}, "relaxation_factor holds values that are not finite real"),
        ({"relaxation_factor": 1j}, "relaxation_factor holds values that are not finite real"),
        ({"sequence": T2W, "tissue": "bone"}, "'bone' gives 0"),
        ({"sequence": T2W, "tissue": "cartilage"}, r"known from 1\.5 to 3 T, not at 0\.3 T"),
        ({"sequence": T2W, "tissue": "grey"}, "unknown tissue 'grey'"),
    ],
    ids=str,
)
def test_rejects_relaxation_that_cannot_be(rng, given, message):
    with pytest.raises(ValueError, match=message):
        low_field(complex_array(rng, (1, 8, 8)), np.eye(1), 0.3, 3.0, 0, **given)


def test_a_sequence_is_not_its_name(rng):
    with pytest.raises(
        TypeError, match=r"sequence is 'spin-echo', expected what sim\.sequence ret"
    ):
        low_field(complex_array(rng, (1, 8, 8)), np.eye(1), 0.3, 3.0, 0, sequence="spin-echo")


def test_rejects_data_that_do_not_fit(rng):
    with pytest.raises(ValueError, match=r"shape \(2, 2\), expected \(3, 3\) for 3 coils"):
        low_field(complex_array(rng, (3, 8, 8)), np.eye(2), 0.3, 3.0, 0)
    with pytest.raises(TypeError, match="expected complex64 or complex128"):
        low_field(np.ones((3, 8, 8)), np.eye(3), 0.3, 3.0, 0)
    with pytest.raises(ValueError, match=r"shape \(3, 0, 8\): there is nothing in it"):
        low_field(np.ones((3, 0, 8), np.complex64), np.eye(3), 0.3, 3.0, 0)
    for bad in (np.nan, 1j * np.inf):
        kspace = complex_array(rng, (3, 8, 8))
        kspace[1, 2, 3] = bad
        with pytest.raises(ValueError, match="holds NaN or infinite samples; set samples that"):
            low_field(kspace, np.eye(3), 0.3, 3.0, 0)
    with pytest.raises(ValueError, match=r"expected \(..., coils, ky, kx\)"):
        low_field(complex_array(rng, (8, 8)), np.eye(3), 0.3, 3.0, 0)
