import json

import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.sim import add_noise, low_field
from tests.helpers import assert_same_kind, complex_array, random_covariance


def test_noise_of_source_and_simulation_add_up_to_the_law(rng):
    psi, coils = random_covariance(rng, 4), 4
    source = add_noise(np.zeros((coils, 200, 150), np.complex64), psi, seed=0)
    low = low_field(source, psi, field=1.5, source_field=3.0, seed=1)
    np.testing.assert_allclose(low.noise_covariance, psi / 4, rtol=1e-6)
    noise = low.kspace.reshape(coils, -1)
    measured = noise @ noise.conj().T / noise.shape[1]
    level = np.sqrt(np.diag(psi).real) / 2
    bound = 5 * np.outer(level, level) / np.sqrt(noise.shape[1])
    assert np.all(np.abs(measured - psi / 4) < bound)


@pytest.mark.parametrize("field", [0.055, 0.3, 1.5, 3.0])
def test_snr_is_proportional_to_the_field(rng, field):
    psi = random_covariance(rng, 3)
    signal = complex_array(rng, (3, 12, 10)) * 1e6  # noise vanishes beside it
    low = low_field(signal, psi, field, 3.0, seed=0)
    gain = np.vdot(signal, low.kspace).real / np.vdot(signal, signal).real
    sigma_ratio = np.sqrt(np.trace(low.noise_covariance).real / np.trace(psi).real)
    np.testing.assert_allclose(gain / sigma_ratio, field / 3.0, rtol=1e-4)


def test_the_same_field_changes_nothing(kind, rng):
    kspace, psi = complex_array(rng, (2, 3, 8, 9)), random_covariance(rng, 3)
    low = low_field(kind(kspace), kind(psi), 3.0, 3.0, seed=0)
    assert_same_kind(low.kspace, kind(kspace))
    assert_same_kind(low.noise_covariance, kind(psi))
    np.testing.assert_array_equal(to_numpy(low.kspace), kspace)
    np.testing.assert_array_equal(to_numpy(low.noise_covariance), psi)


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
    assert record["relaxation_applied"] is False
    assert record["noise_regime"] == "body"


def test_rejects_fields_that_cannot_be(rng):
    kspace = complex_array(rng, (1, 8, 8))
    with pytest.raises(ValueError, match=r"field=7\.0 T is above source_field=3\.0 T"):
        low_field(kspace, np.eye(1), 7.0, 3.0, seed=0)
    with pytest.raises(ValueError, match="field is 0, expected a positive number of tesla"):
        low_field(kspace, np.eye(1), 0, 3.0, seed=0)
    with pytest.raises(ValueError, match="source_field is nan, expected"):
        low_field(kspace, np.eye(1), 0.3, np.nan, seed=0)
