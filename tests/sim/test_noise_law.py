"""The law of the noise against published measurements, and what it makes possible."""

import warnings

import numpy as np
import pytest

from kspace_denoise.arrays import to_numpy
from kspace_denoise.sim import BalancedSSFP, SpinEcho, Tissue, highest_field, narrowest_bandwidth
from kspace_denoise.sim.noise import covariance_root
from kspace_denoise.sim.noise_law import (
    NoiseLaw,
    correlation_modes,
    covariance_sum,
    largest_mode,
    missing_covariance,
)
from tests.helpers import random_covariance

SETTINGS = [
    {},
    {"averages": 3.0},
    {"noise_law": "coil"},
    {"noise_law": "mixed"},
    {"noise_law": "mixed", "crossover_field": 2.0, "bandwidth_ratio": 0.4},
    {"relaxation_factor": -1.7},
    {"sequence": SpinEcho(0.5, 0.02), "bandwidth_ratio": 0.7},
    {"sequence": BalancedSSFP(0.005, 0.0025, 50), "tissue": "muscle", "noise_law": "mixed"},
]


@pytest.mark.parametrize(
    ("field", "decibels"), [(1.0, 3.0), (1.5, 1.9), (3.0, 0.8), (7.0, 0.2), (9.4, 0.1)]
)
def test_mixture_is_the_noise_figure_measured_of_small_loops(field, decibels):
    """Kumar, Edelstein, Bottomley, Magn Reson Med 61:1201 (2009): loops of 3 cm, B_x = 1 T."""
    body = 1 - NoiseLaw("mixed", crossover_field=1.0).coil_share(field)
    assert abs(-10 * np.log10(body) - decibels) < 0.06


def test_body_law_understates_the_noise_fivefold_at_55_mt():
    law = NoiseLaw("body", crossover_field=0.5)
    assert law.understated(0.055, 3.0) == pytest.approx(5.16, abs=0.01)
    body = NoiseLaw("body").weights(0.055, 3.0)
    mixed = NoiseLaw("mixed", crossover_field=0.5).weights(0.055, 3.0)
    assert np.sqrt(sum(mixed) / sum(body)) == pytest.approx(law.understated(0.055, 3.0))
    assert NoiseLaw("mixed").understated(0.055, 3.0) == 1


@pytest.mark.parametrize(("law", "exponent"), [("body", 1.0), ("coil", 7 / 4)])
def test_snr_follows_the_field_as_the_regime_says(law, exponent):
    for field in (0.055, 0.3, 1.5):
        a = field / 3.0
        noise = np.sqrt(sum(NoiseLaw(law).weights(field, 3.0)))
        assert a**2 / noise == pytest.approx(a**exponent)


def test_mixture_goes_from_coil_to_body_noise_around_the_crossover():
    law = NoiseLaw("mixed", crossover_field=0.5, bandwidth_ratio=3.0, averages=2.0)
    body, coil = law.weights(0.5, 3.0)
    assert body == pytest.approx(coil)
    body, coil = law.weights(3.0, 3.0)
    assert body + coil == pytest.approx(1.5)
    assert law.coil_share(3.0) == pytest.approx(1 / (1 + 6**1.5))


def test_modes_diagonalise_body_and_coil_noise_together(kind, rng):
    psi = random_covariance(rng, 5)
    psi[3] = psi[:, 3] = 0  # a dead channel
    modes, mixing = correlation_modes(kind(psi))
    np.testing.assert_allclose((mixing * modes) @ mixing.conj().T, psi, atol=1e-5)
    np.testing.assert_allclose(mixing @ mixing.conj().T, np.diag(np.diag(psi)), atol=1e-5)
    found = np.asarray(covariance_sum(kind(psi), 0.3, 0.2))
    np.testing.assert_allclose(found, 0.3 * psi + 0.2 * np.diag(np.diag(psi)), atol=1e-6)


def test_what_is_missing_is_a_covariance_to_the_very_limit(kind, rng):
    for psi in (np.eye(3), random_covariance(rng, 3), np.array([[3, 1, 0], [1, 2, 0], [0, 0, 2]])):
        largest = largest_mode(psi)
        diagonal = np.diag(np.diag(psi))
        found = to_numpy(missing_covariance(kind(psi), -0.5 / largest, 1.0))
        np.testing.assert_allclose(found, diagonal - 0.5 / largest * psi, atol=1e-6)
        assert found.dtype == (np.float64 if psi.dtype.kind == "i" else psi.dtype)
        for rounding in (0.0, 1e-13):
            limit = to_numpy(missing_covariance(kind(psi), -(1 + rounding) / largest, 1.0))
            covariance_root(limit, 3)  # refuses what is none
            assert abs(np.linalg.eigvalsh(limit)[0]) < 1e-6


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_highest_field_is_where_the_added_covariance_ceases_to_be_one(rng, settings):
    psi = random_covariance(rng, 4).astype(np.complex128)
    highest = highest_field(psi, 3.0, **settings)
    assert least_eigenvalue(psi, highest, settings) > -1e-10
    if highest < 3.0:
        assert least_eigenvalue(psi, highest * 1.001, settings) < 0


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("field", [0.3, 2.0])
def test_the_narrowest_bandwidth_is_where_it_ceases_too(rng, settings, field):
    psi = random_covariance(rng, 4).astype(np.complex128)
    others = {key: value for key, value in settings.items() if key != "bandwidth_ratio"}
    narrowest = narrowest_bandwidth(psi, field, 3.0, **others)
    for ratio, possible in ((1.0, True), (0.999, False)):
        least = least_eigenvalue(psi, field, others | {"bandwidth_ratio": narrowest * ratio})
        assert (least > -1e-10) == possible


def least_eigenvalue(psi, field, settings):
    """Return that of target - (a²f)²·Ψ, built from the formula, relative to the trace of Ψ."""
    settings = {"noise_law": "body", "crossover_field": 0.25, "bandwidth_ratio": 1.0} | settings
    a = field / 3.0
    r = (settings["crossover_field"] / 3.0) ** 1.5
    c = {"body": 0.0, "coil": 1.0, "mixed": r / (1 + r)}[settings["noise_law"]]
    target = (1 - c) * a**2 * psi + c * np.sqrt(a) * np.diag(np.diag(psi))
    target = target * settings["bandwidth_ratio"] / settings.get("averages", 1.0)
    f = settings.get("relaxation_factor", 1.0)
    if "sequence" in settings:
        from kspace_denoise.sim import relaxation_factor

        f = relaxation_factor(settings["sequence"], settings.get("tissue", "white"), field, 3.0)
    return np.linalg.eigvalsh(target - (a**2 * f) ** 2 * psi)[0] / np.trace(psi).real


def test_a_search_keeps_to_the_fields_where_the_tissue_is_known():
    own = Tissue(t1={0.5: 0.5, 2.0: 0.8}, t2=0.1)
    sequence = SpinEcho(5.0, 0.01)
    with pytest.raises(ValueError, match=r"T1 of 'tissue' is known from 0\.5 to 2 T, not at 3 T"):
        highest_field(np.eye(2), 3.0, sequence=sequence, tissue=own)
    assert highest_field(np.eye(2), 2.0, sequence=sequence, tissue=own) == pytest.approx(2.0, 0.01)
    with pytest.raises(
        ValueError, match=r"no field below 2 T can be simulated, down to 0\.5 T: .*wider"
    ):
        highest_field(np.eye(2), 2.0, sequence=sequence, tissue=own, averages=1000)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"noise_law": "sample"}, "noise_law is 'sample', expected body, coil or mixed"),
        ({"crossover_field": 0.0}, "crossover_field is 0.0, expected a positive number"),
        ({"bandwidth_ratio": -1.0}, "bandwidth_ratio is -1.0"),
        ({"averages": np.nan}, "averages is nan"),
    ],
)
def test_rejects_laws_that_cannot_be(given, message):
    with pytest.raises(ValueError, match=message):
        highest_field(np.eye(2), 3.0, **given)


def test_rejects_covariances_and_fields_that_cannot_be():
    with pytest.raises(ValueError, match=r"shape \(2,\), expected \(coils, coils\)"):
        highest_field(np.ones(2), 3.0)
    with pytest.raises(ValueError, match="negative eigenvalue"):
        highest_field(np.diag([1.0, -1.0]), 3.0)
    with pytest.raises(ValueError, match="source_field is -3, expected a positive number of tesla"):
        highest_field(np.eye(2), -3)
    with pytest.raises(ValueError, match=r"field=4 T is above source_field=3\.0 T"):
        narrowest_bandwidth(np.eye(2), 4, 3.0)


def test_asking_for_limits_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert narrowest_bandwidth(np.eye(2), 0.055, 3.0) == pytest.approx((0.055 / 3) ** 2)
