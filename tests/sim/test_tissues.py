"""Relaxation times against measurements that the tables were not made of."""

import numpy as np
import pytest

from kspace_denoise.sim import TISSUES, Tissue
from kspace_denoise.sim.tissues import tissue_named


def bottomley(coefficient, exponent, field):
    """Return T1 = A·(γB)^B, Bottomley et al., Med Phys 11:425 (1984)."""
    return coefficient * (42.577e6 * field) ** exponent


def test_brain_follows_its_dispersion_above_half_a_tesla():
    """Rooney et al. 2007: T1 = 0.583 B0^0.382 in white and 0.857 B0^0.376 in grey matter."""
    for field in (0.6, 1.5, 3.0, 7.0):
        assert np.isclose(TISSUES["white"].t1_at(field), 0.583 * field**0.382, rtol=0.002)
        assert np.isclose(TISSUES["cortex"].t1_at(field), 0.857 * field**0.376, rtol=0.002)


def test_brain_at_50_mt_is_what_was_measured_there_which_the_power_law_misses_by_a_third():
    measured = {"white": (0.275, 0.101), "cortex": (0.327, 0.101)}  # O'Reilly, Webb 2022
    for name, (t1, t2) in measured.items():
        assert np.isclose(TISSUES[name].t1_at(0.05), t1, rtol=0.001)
        assert np.isclose(TISSUES[name].t2_at(0.05), t2, rtol=0.1)
    assert 0.583 * 0.05**0.382 < 0.7 * 0.275


@pytest.mark.parametrize("field", [0.1, 0.2, 0.3, 0.5, 1.0, 1.5])
def test_brain_agrees_with_an_independent_compilation_within_its_scatter(field):
    """Laboratories differ by 20 %; Bottomley et al. compiled excised and living tissue."""
    white, grey = TISSUES["white"].t1_at(field), TISSUES["cortex"].t1_at(field)
    assert np.isclose(white, bottomley(0.00152, 0.3477, field), rtol=0.2)
    assert np.isclose(grey, bottomley(0.00362, 0.3082, field), rtol=0.1)


def test_brain_at_3_t_agrees_with_wansapura():
    for name, t1, t2 in (("white", 0.832, 0.0796), ("cortex", 1.331, 0.110)):
        assert np.isclose(TISSUES[name].t1_at(3.0), t1, rtol=0.07)
        assert np.isclose(TISSUES[name].t2_at(3.0), t2, rtol=0.01)


@pytest.mark.parametrize(
    ("name", "measured"),
    [
        ("white", {1.5: 0.0662, 3.0: 0.0532, 7.0: 0.0268}),
        ("cortex", {1.5: 0.0840, 3.0: 0.0660, 7.0: 0.0332}),
    ],
)
def test_t2_star_is_that_of_peters_at_three_fields(name, measured):
    for field, value in measured.items():
        assert np.isclose(TISSUES[name].t2_star_at(field), value, rtol=0.08)


def test_body_follows_bottomley_at_low_field_and_campbell_washburn_at_055_t():
    for field in (0.05, 0.2, 0.5):
        assert np.isclose(TISSUES["muscle"].t1_at(field), bottomley(0.000455, 0.4203, field))
        assert np.isclose(TISSUES["liver"].t1_at(field), bottomley(0.000534, 0.3799, field))
    assert np.isclose(TISSUES["fat"].t1_at(0.55), 0.187, rtol=0.2)
    assert np.isclose(TISSUES["blood"].t1_at(0.55), 1.122)


@pytest.mark.parametrize("name", TISSUES)
def test_t1_never_falls_and_t2_is_shorter_everywhere(name):
    tissue = TISSUES[name]
    assert tissue.name == name
    assert tissue.source
    fields = np.geomspace(*tissue.fields, 40)
    t1 = [tissue.t1_at(field) for field in fields]
    t2 = [tissue.t2_at(field) for field in fields]
    t2_star = [tissue.t2_star_at(field) for field in fields]
    assert np.all(np.diff(t1) > -1e-9)
    assert np.all(np.array(t2) < t1)
    assert np.all(np.array(t2_star) <= t2)


def test_a_tissue_of_ones_own_is_interpolated_and_never_extrapolated():
    own = Tissue(t1={3.0: 0.9, 0.3: 0.45}, t2={0.3: 0.1, 3.0: 0.05}, name="graft")
    assert own.t1_at(0.3) == pytest.approx(0.45)
    assert own.t1_at(np.sqrt(0.9)) == pytest.approx(np.sqrt(0.9 * 0.45))  # a power law
    assert own.t2_at(1.65) == pytest.approx(1 / 15)  # a straight line of the rate
    assert own.fields == (0.3, 3.0)
    constant = Tissue(t1=1.2, t2=0.06, dephasing=2.0)
    assert (constant.t1_at(0.01), constant.t2_at(11.7)) == (1.2, 0.06)
    assert constant.t2_star_at(3.0) == pytest.approx(1 / (1 / 0.06 + 6))
    single = Tissue(t1={3.0: 1.0}, t2={3.0: 0.1})
    assert (single.t1_at(3.0), single.t2_at(np.float32(3.0))) == (1.0, 0.1)
    with pytest.raises(ValueError, match=r"T1 of 'graft' is known from 0\.3 to 3 T, not at 7 T "):
        own.t1_at(7.0)
    with pytest.raises(ValueError, match=r"T2 of 'graft' is known from 0\.3 to 3 T, not at 0\.1 T"):
        own.t2_at(0.1)


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
