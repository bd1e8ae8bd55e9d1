"""The tables hold the measurements they name, and agree with others as well as those do."""

import numpy as np
import pytest

from kspace_denoise.sim import TISSUES, SpinEcho, Tissue, highest_field, low_field, phantom
from kspace_denoise.sim.tissues import tissue_named


def bottomley(coefficient, exponent, field):
    """Return T1 = A·(γB)^B, Bottomley et al., Med Phys 11:425 (1984)."""
    return coefficient * (42.577e6 * field) ** exponent


def test_brain_holds_the_dispersion_of_rooney_above_half_a_tesla():
    """Rooney et al. 2007: T1 = 0.583 B0^0.382 in white and 0.857 B0^0.376 in grey matter."""
    for field in (0.6, 1.5, 3.0, 7.0):
        assert np.isclose(TISSUES["white"].t1_at(field), 0.583 * field**0.382, rtol=0.002)
        assert np.isclose(TISSUES["cortex"].t1_at(field), 0.857 * field**0.376, rtol=0.002)


def test_brain_at_50_mt_holds_what_was_measured_there_and_the_power_law_misses_by_a_third():
    measured = {"white": (0.275, 0.101), "cortex": (0.327, 0.101)}  # O'Reilly, Webb 2022
    for name, (t1, t2) in measured.items():
        assert np.isclose(TISSUES[name].t1_at(0.05), t1, rtol=0.01)
        assert np.isclose(TISSUES[name].t2_at(0.05), t2, rtol=0.01)
    assert 0.583 * 0.05**0.382 < 0.7 * 0.275


@pytest.mark.parametrize("field", [0.1, 0.2, 0.3, 0.5, 1.0, 1.5])
def test_brain_agrees_with_an_independent_compilation_within_its_scatter(field):
    """Laboratories differ by 20 %; Bottomley et al. compiled excised and living tissue."""
    white, grey = TISSUES["white"].t1_at(field), TISSUES["cortex"].t1_at(field)
    assert np.isclose(white, bottomley(0.00152, 0.3477, field), rtol=0.2)
    assert np.isclose(grey, bottomley(0.00362, 0.3082, field), rtol=0.1)


def test_brain_at_3_t_holds_t2_of_wansapura_whose_t1_is_independent_of_the_table():
    for name, t1, t2 in (("white", 0.832, 0.0796), ("cortex", 1.331, 0.110)):
        assert np.isclose(TISSUES[name].t1_at(3.0), t1, rtol=0.07)
        assert np.isclose(TISSUES[name].t2_at(3.0), t2, rtol=0.01)


def test_t2_against_gradient_echo_sampling_of_a_spin_echo():
    """PubMed 20593370 (2010), not in the table: it agrees in white matter, and not in cortex."""
    measured = {1.5: (0.080, 0.087, 0.080), 3.0: (0.071, 0.076, 0.068), 7.0: (0.047, 0.047, 0.046)}
    excess = {1.5: (1.2, 1.35), 3.0: (1.4, 1.65), 7.0: (1.15, 1.2)}
    for field, (white, frontal, occipital) in measured.items():
        assert np.isclose(TISSUES["white"].t2_at(field), white, rtol=0.13)
        cortex = TISSUES["cortex"].t2_at(field)
        assert excess[field][0] < cortex / frontal < cortex / occipital < excess[field][1]


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("white", {1.5: 0.0662, 3.0: 0.0532, 7.0: 0.0268}),
        ("cortex", {1.5: 0.0840, 3.0: 0.0660, 7.0: 0.0332}),
    ],
)
def test_t2_star_fits_peters_at_three_fields(name, measured):
    for field, value in measured.items():
        assert np.isclose(TISSUES[name].t2_star_at(field), value, rtol=0.08)


def test_body_holds_its_sources_and_fat_agrees_with_campbell_washburn():
    for field in (0.05, 0.2, 0.5):
        assert np.isclose(TISSUES["muscle"].t1_at(field), bottomley(0.000455, 0.4203, field))
        assert np.isclose(TISSUES["liver"].t1_at(field), bottomley(0.000534, 0.3799, field))
    assert np.isclose(TISSUES["fat"].t1_at(0.55), 0.187, rtol=0.2)  # not in the table
    assert np.isclose(TISSUES["blood"].t1_at(0.55), 1.122)


def test_t1_of_the_heart_grows_between_laboratories_as_it_does_within_one():
    """Campbell-Washburn et al., abstract: T1 is 32 % shorter at 0.55 T than at 1.5 T on average."""
    heart = TISSUES["myocardium"]
    assert np.isclose(heart.t1_at(0.55) / heart.t1_at(1.5), 0.68, rtol=0.05)


@pytest.mark.parametrize("name", TISSUES)
def test_t1_never_falls_and_t2_is_shorter_everywhere(name):
    tissue = TISSUES[name]
    assert tissue.name == name
    assert tissue.source
    fields = np.geomspace(*tissue.measured, 40)
    t1 = [tissue.t1_at(field) for field in fields]
    t2 = [tissue.t2_at(field) for field in fields]
    t2_star = [tissue.t2_star_at(field) for field in fields]
    assert np.all(np.diff(t1) > -1e-9)
    assert np.all(np.array(t2) < t1)
    assert np.all(np.array(t2_star) <= t2)


def test_a_tissue_of_ones_own_is_interpolated():
    own = Tissue(t1={3.0: 0.9, 0.3: 0.45}, t2={0.3: 0.1, 3.0: 0.05}, name="graft")
    assert own.t1_at(0.3) == pytest.approx(0.45)
    assert own.t1_at(np.sqrt(0.9)) == pytest.approx(np.sqrt(0.9 * 0.45))  # a power law
    assert own.t2_at(1.65) == pytest.approx(1 / 15)  # a straight line of the rate
    assert own.measured == (0.3, 3.0)
    assert own.fields == pytest.approx((0.27, 3.3))
    constant = Tissue(t1=1.2, t2=0.06, dephasing=2.0)
    assert (constant.t1_at(0.01), constant.t2_at(11.7)) == (1.2, 0.06)
    assert constant.t2_star_at(3.0) == pytest.approx(1 / (1 / 0.06 + 6))
    single = Tissue(t1={3.0: 1.0}, t2={3.0: 0.1})
    assert (single.t1_at(3.0), single.t2_at(np.float32(3.0))) == (1.0, 0.1)
    assert single.fields == single.measured == (3.0, 3.0)
    with pytest.raises(ValueError, match=r"T1 of 'graft' is known from 0\.3 to 3 T, not at 7 T "):
        own.t1_at(7.0)
    with pytest.raises(ValueError, match=r"T2 of 'graft' is known from 0\.3 to 3 T, not at 0\.1 T"):
        own.t2_at(0.1)


def test_times_are_extrapolated_by_a_tenth_of_the_field_with_a_warning():
    own = Tissue(t1={0.3: 0.45, 1.5: 0.7, 3.0: 0.9}, t2={0.3: 0.1, 1.5: 0.08, 3.0: 0.05})
    message = r"relaxation times below 0\.3 T are extrapolated.*known from 0\.3 to 3 T"
    with pytest.warns(UserWarning, match=message) as caught:
        t1 = own.t1_at(0.27)
    assert caught[0].filename == __file__
    assert t1 == pytest.approx(0.45 * 0.9 ** (np.log(0.7 / 0.45) / np.log(5)))
    with pytest.warns(UserWarning, match=r"relaxation times above 3 T are extrapolated"):
        assert own.t2_at(3.3) == pytest.approx(1 / (20 + 0.2 * 7.5))
    for field in (0.269, 3.31):
        with pytest.raises(ValueError, match=r"known from 0\.3 to 3 T, not at"):
            own.t1_at(field)
    with pytest.raises(ValueError, match=r"T1 of 'tissue' is known at 3 T, not at 2\.9 T"):
        Tissue(t1={3.0: 1.0}, t2=0.1).t1_at(2.9)


def test_what_extrapolates_to_no_time_is_refused():
    steep = Tissue(t1=1.0, t2={1.5: 0.01, 1.6: 0.1})
    with (
        pytest.warns(UserWarning, match="extrapolated"),
        pytest.raises(
            ValueError, match=r"T2 of 'tissue' is not positive when extrapolated to 1\.7"
        ),
    ):
        steep.t2_at(1.7)


def test_scanners_of_46_mt_are_within_reach():
    message = r"relaxation times below 0\.05 T are extrapolated"
    kspace, timing = np.zeros((1, 8, 8), np.complex64), SpinEcho(0.6, 0.015)
    with pytest.warns(UserWarning, match=message):
        low = low_field(kspace, np.eye(1), 0.046, 3.0, 0, sequence=timing, noise_law="mixed")
    assert low.record["tissue"]["extrapolated"] is True
    inside = low_field(kspace, np.eye(1), 0.05, 3.0, 0, sequence=timing, noise_law="mixed")
    assert inside.record["tissue"]["extrapolated"] is False
    near = inside.record["relaxation_factor"]
    assert near < low.record["relaxation_factor"] < 1.02 * near
    with pytest.warns(UserWarning, match=message) as caught:
        head = phantom((24, 24), field=0.046, seed=0, oversampling=2)
    assert {str(entry.message) for entry in caught} == {str(caught[0].message)}
    assert {entry.filename for entry in caught} == {__file__}
    np.testing.assert_allclose(
        head.image, phantom((24, 24), field=0.05, seed=0, oversampling=2).image, atol=0.02
    )


def test_asking_for_limits_stays_where_times_are_known():
    highest_field(np.eye(1), 3.0, sequence=SpinEcho(0.6, 0.015))
    with pytest.raises(ValueError, match=r"no field below 3 T .*, down to 0\.05 T"):
        highest_field(np.eye(1), 3.0, sequence=SpinEcho(0.6, 0.015), averages=1e6)
    with pytest.warns(UserWarning, match=r"below 0\.05 T are extrapolated"):
        highest = highest_field(np.eye(1), 0.047, sequence=SpinEcho(5.0, 0.015))
    assert highest == 0.047


def test_a_tissue_nobody_measured_there_is_an_error_that_teaches():
    message = r"T1 of 'cartilage' is known from 1\.5 to 3 T, not at 0\.3 T .*sim\.Tissue\(t1="
    with pytest.raises(ValueError, match=message):
        TISSUES["cartilage"].t1_at(0.3)
    with pytest.raises(ValueError, match=r"unknown tissue 'wite'; there are: white, cortex, .*own"):
        tissue_named("wite")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"t1": {}, "t2": 0.1}, "t1 of 'tissue' is empty, expected {tesla: seconds}"),
        ({"t1": 1.0, "t2": -0.1}, "t2 of 'tissue' is -0.1 s at 1.0 T, expected positive"),
        ({"t1": {0.0: 1.0}, "t2": 0.1}, "t1 of 'tissue' is 1.0 s at 0.0 T"),
        ({"t1": np.nan, "t2": 0.1}, "t1 of 'tissue' is nan s"),
        ({"t1": 1.0, "t2": 0.1, "dephasing": -1.0}, "dephasing is -1.0"),
        ({"t1": 1.0, "t2": 0.1, "proton_density": 0.0}, "proton_density 0.0"),
    ],
)
def test_rejects_tissues_that_cannot_be(given, message):
    with pytest.raises(ValueError, match=message):
        Tissue(**given)
