import json
import re
import warnings

import numpy as np
import pytest
import torch

from kspace_denoise.arrays import to_numpy
from kspace_denoise.sim import (
    SpinEcho,
    add_noise,
    highest_field,
    low_field,
    narrowest_bandwidth,
    sequence,
)
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


@pytest.mark.parametrize("mapped", [False, True])
def test_the_seed_of_the_source_may_be_given_again(rng, mapped):
    psi, shape = random_covariance(rng, 4), (4, 200, 150)
    factor = np.ones(shape[1:]) if mapped else None
    for seed in (0, lambda: np.random.default_rng(3), lambda: torch.Generator().manual_seed(3)):
        first, second = (seed, seed) if seed == 0 else (seed(), seed())
        source = add_noise(np.zeros(shape, np.complex64), psi, seed=first)
        low = low_field(source, psi, 1.2, 3.0, seed=second, relaxation_factor=factor)
        assert covariance_error(low.kspace, 0.16 * psi) < 5


@pytest.mark.parametrize("law", ["body", "mixed", "coil"])
def test_a_covariance_of_any_type_is_worth_its_value(kind, rng, law):
    kspace = complex_array(rng, (3, 8, 9))
    whole = np.array([[3, 1, 0], [1, 2, 0], [0, 0, 2]])
    expected = low_field(kspace, whole.astype(np.float64), 0.3, 3.0, 0, noise_law=law)
    for dtype in (np.int64, np.float32, np.complex64, np.complex128):
        psi = kind(whole.astype(dtype))
        low = low_field(kind(kspace), psi, 0.3, 3.0, 0, noise_law=law)
        found = to_numpy(low.noise_covariance)
        assert found.dtype == (np.float64 if dtype == np.int64 else dtype)
        np.testing.assert_allclose(found, expected.noise_covariance, rtol=1e-6)
        np.testing.assert_allclose(to_numpy(low.kspace), expected.kspace, rtol=1e-5)
        assert_same_kind(low.noise_covariance, psi)


def test_without_noise_any_factor_is_possible(rng):
    kspace, psi = complex_array(rng, (2, 8, 9)), np.zeros((2, 2))
    for law in ("body", "mixed", "coil"):
        settings = {"relaxation_factor": 2.0, "noise_law": law}
        low = low_field(kspace, psi, 2.9, 3.0, 0, **settings)
        np.testing.assert_allclose(low.kspace, kspace * (2 * (2.9 / 3) ** 2), rtol=1e-6)
        assert not low.noise_covariance.any()
        assert highest_field(psi, 3.0, **settings) == 3.0
        assert narrowest_bandwidth(psi, 2.9, 3.0, **settings) == 0
    factor = np.full((8, 9), 2.0)
    low = low_field(kspace, psi, 2.9, 3.0, 0, relaxation_factor=factor)
    np.testing.assert_allclose(low.kspace, kspace * (2 * (2.9 / 3) ** 2), atol=1e-5)


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
    assert record["law"] == "Wu, Chen, Nayak, PLoS ONE 11:e0154711 (2016)"
    assert record["coil_noise_share"] == 0
    assert record["noise_understated"] == pytest.approx(1.150, abs=0.001)


@pytest.mark.parametrize("law", ["coil", "mixed"])
def test_record_names_the_source_of_coil_noise(rng, law):
    record = low_field(complex_array(rng, (1, 8, 8)), np.eye(1), 0.3, 3, 0, noise_law=law).record
    assert "Hoult, Lauterbur, J Magn Reson 34:425 (1979)" in record["law"]
    assert ("Wu, Chen, Nayak" in record["law"]) == (law == "mixed")


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
        r"(\S+) T, and all below it can; at 1\.5 T the narrowest bandwidth_ratio is (\S+)$"
    )
    with pytest.raises(ValueError, match=message) as caught:
        low_field(kspace, psi, 1.5, 3.0, 0, **settings)
    highest, narrowest = map(float, re.search(message, str(caught.value)).groups())
    assert highest == pytest.approx(highest_field(psi, 3.0, **settings), rel=1e-3)
    low_field(kspace, psi, highest, 3.0, 0, **settings)
    low_field(kspace, psi, 1.5, 3.0, 0, **settings, bandwidth_ratio=narrowest)
    with pytest.raises(ValueError, match="cannot be simulated"):
        low_field(kspace, psi, highest * 1.002, 3.0, 0, **settings)
    with pytest.raises(ValueError, match="cannot be simulated"):
        low_field(kspace, psi, 1.5, 3.0, 0, **settings, bandwidth_ratio=narrowest * 0.998)
    with pytest.raises(ValueError, match=r"no field below .*; at 1\.5 T the narrowest"):
        low_field(kspace, psi, 1.5, 3.0, 0, averages=1e9)


def test_a_limit_is_said_to_hold_for_the_factor_that_was_given(rng):
    kspace, psi = complex_array(rng, (2, 8, 8)), np.eye(2)
    for factor in (2.5, np.full((8, 8), 2.5)):
        with pytest.raises(ValueError, match=r"hold for this relaxation_factor, which changes"):
            low_field(kspace, psi, 1.5, 3.0, 0, relaxation_factor=factor)


def test_the_limits_themselves_are_possible(rng):
    for seed in range(8):
        psi = random_covariance(np.random.default_rng(seed), 4)
        kspace = complex_array(rng, (4, 8, 8))
        for settings in ({"noise_law": "mixed"}, {"averages": 3}, {"noise_law": "coil"}):
            field = highest_field(psi, 3.0, **settings)
            low = low_field(kspace, psi, field, 3.0, 0, **settings)
            # One mode is full: what the scaled source holds there is all that the target may.
            lacking = low.noise_covariance - (field / 3.0) ** 4 * psi
            modes = np.linalg.eigvalsh(lacking) / np.linalg.eigvalsh(psi)[-1]
            assert abs(modes[0]) < 1e-6
            assert np.isfinite(low.kspace).all()


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
