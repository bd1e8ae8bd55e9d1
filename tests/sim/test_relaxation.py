"""f = S(low) / S(high), of one tissue and voxel by voxel."""

import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.sim import SpinEcho, Tissue, relaxation_factor, relaxation_map
from tests.helpers import assert_same_kind

SE = SpinEcho(0.6, 0.015)
IR = SpinEcho(2.5, 0.015, 0.45)


def test_the_factor_is_the_ratio_of_the_signals():
    own = Tissue(t1={0.3: 0.4, 3.0: 0.9}, t2={0.3: 0.1, 3.0: 0.08})
    expected = (1 - np.exp(-0.6 / 0.4)) / (1 - np.exp(-0.6 / 0.9)) * np.exp(-0.015 * (10 - 12.5))
    assert relaxation_factor(SE, own, 0.3, 3.0) == pytest.approx(expected)
    assert relaxation_factor(SE, own, 3.0, 3.0) == pytest.approx(1)
    target = SpinEcho(0.3, 0.03)
    ratio = (1 - np.exp(-0.3 / 0.4)) / (1 - np.exp(-0.6 / 0.9)) * np.exp(-0.03 * 10 + 0.015 * 12.5)
    assert relaxation_factor(SE, own, 0.3, 3.0, target) == pytest.approx(ratio)


def test_a_gradient_echo_decays_with_t2_star():
    sequence = sim.sequence("gradient-echo", repetition_time=100, echo_time=0.03, flip_angle=90)
    own = Tissue(t1=1.0, t2=0.1, dephasing=5.0)
    expected = np.exp(0.03 * 5.0 * (3.0 - 0.5))
    assert relaxation_factor(sequence, own, 0.5, 3.0) == pytest.approx(expected)
    assert relaxation_factor(SpinEcho(100, 0.03), own, 0.5, 3.0) == pytest.approx(1)


def test_the_factor_is_negative_where_the_inverted_tissue_changes_sign():
    assert IR.signal(1.0, sim.TISSUES["cortex"].t1_at(3.0), 0.1) < 0
    assert relaxation_factor(IR, "cortex", 0.05, 3.0) < -0.5
    assert relaxation_factor(IR, "cortex", 2.5, 3.0) > 0


def test_a_tissue_near_its_null_is_refused():
    null = 0.887 * np.log(2 / (1 + np.exp(-9 / 0.887)))
    message = r"tissue 'white' keeps 0\.\d+% of its signal through inversion and decay at the .*2%"
    for time in (null - 0.008, null, null + 0.008):
        with pytest.raises(ValueError, match=message):
            relaxation_factor(SpinEcho(9, 0.01, time), "white", 0.3, 3.0)
    assert relaxation_factor(SpinEcho(9, 0.01, null + 0.05), "white", 0.3, 3.0) > 5
    with pytest.raises(ValueError, match="'bone' keeps 0"):
        relaxation_factor(SpinEcho(5, 0.09), "bone", 0.3, 3.0)


@pytest.mark.parametrize(
    "sequence",
    [
        sim.GradientEcho(0.005, 0.002, 20),
        sim.GradientEcho(0.0025, 0.001, 60),
        SpinEcho(0.05, 0.01),
        SpinEcho(0.05, 0.01, 0.035),
    ],
    ids=str,
)
def test_saturation_is_no_null(sequence):
    """CSF keeps 1 % of its signal in each, and f hardly depends on the T1 that is assumed."""
    own = Tissue(t1=4.3, t2={0.3: 2.2, 3.0: 2.0})
    assert abs(sequence.signal(1.0, 4.3, 2.0)) < 0.02
    factor = relaxation_factor(sequence, own, 0.3, 3.0)
    assert factor == pytest.approx(np.exp(sequence.echo_time * (1 / 2.0 - 1 / 2.2)), rel=1e-6)
    assert relaxation_map(np.array([["csf"]]), sequence, 0.3, 3.0) == pytest.approx(1)


def test_an_inversion_that_all_but_cancels_is_a_null_at_any_repetition_time():
    for repetition in (0.1, 1.0, 10.0):
        e = np.exp(-repetition / 4.3)
        null = 4.3 * np.log(2 / (1 + e))
        with pytest.raises(ValueError, match="'csf' keeps"):
            relaxation_factor(SpinEcho(repetition, 0.002, null * 1.005), "csf", 0.3, 3.0)
        relaxation_factor(SpinEcho(repetition, 0.002, null * 1.1), "csf", 0.3, 3.0)


def test_what_two_tissues_leave_of_each_other_is_a_null_too():
    share = np.linspace(0, 1, 2001)
    t1w = SpinEcho(2.3, 0.008, 0.7)
    with pytest.raises(ValueError, match=r"\d+ of 2001 voxels keep less than 2%"):
        relaxation_map({"csf": share, "white": 1 - share}, t1w, 0.3, 3.0)
    found = relaxation_map({"csf": share, "white": 1 - share}, t1w, 0.3, 3.0, undefined=0.0)
    assert np.abs(found).max() < 2 / 0.02


def test_what_cannot_be_compared_is_refused():
    bssfp = sim.BalancedSSFP(0.005, 0.0025, 40)
    with pytest.raises(ValueError, match="target_sequence is a BalancedSSFP and sequence a SpinE"):
        relaxation_factor(SE, "white", 0.3, 3.0, bssfp)
    with pytest.raises(ValueError, match=r"'cartilage' is known from 1\.5 to 3 T, not at 0\.3 T"):
        relaxation_factor(SE, "cartilage", 0.3, 3.0)


def test_a_map_of_names_or_labels_holds_the_factor_of_each_voxel(kind):
    names = np.array([["white", "csf", ""], ["cortex", "white", ""]])
    labels = np.array([[1, 3, 0], [2, 1, 9]])
    meaning = {1: "white", 2: "cortex", 3: sim.TISSUES["csf"]}
    white, cortex, csf = (relaxation_factor(SE, t, 0.3, 3.0) for t in ("white", "cortex", "csf"))
    expected = np.float32([[white, csf, 1], [cortex, white, 1]])
    np.testing.assert_allclose(relaxation_map(names, SE, 0.3, 3.0), expected, rtol=1e-6)
    found = relaxation_map(kind(labels), SE, 0.3, 3.0, names=meaning)
    assert_same_kind(found, kind(labels))
    np.testing.assert_allclose(to_numpy(found), expected, rtol=1e-6)
    assert to_numpy(found).dtype == np.float32
    np.testing.assert_array_equal(relaxation_map(np.full((2, 2), ""), SE, 0.3, 3.0), 1)


def test_a_voxel_of_fractions_has_the_factor_of_its_summed_signals(kind):
    share, white = np.array([[1.0, 0.25, 0.0, 0.0]]), sim.TISSUES["white"]
    parts = {"white": kind(share), "csf": kind(np.array([[0, 0.75, 0.5, 0]]))}
    found = relaxation_map(parts, SE, 0.3, 3.0)
    assert_same_kind(found, parts["white"])
    csf = 0.75 * SE.signal(1.0, 4.3, 2.0)
    low, high = (0.25 * SE.signal(0.70, white.t1_at(b), white.t2_at(b)) + csf for b in (0.3, 3.0))
    expected = [relaxation_factor(SE, "white", 0.3, 3.0), low / high, 1, 1]
    np.testing.assert_allclose(to_numpy(found)[0], expected, rtol=1e-6)
    own = sim.TISSUES["white"].scaled(2.0, 1.0, 1.0)
    found = to_numpy(relaxation_map(parts, SE, 0.3, 3.0, names={"white": own}))
    assert found[0, 0] == pytest.approx(relaxation_factor(SE, own, 0.3, 3.0))


def test_silent_voxels_are_refused_or_given_a_factor():
    tissues = np.array([["bone", "white", ""]])
    t2w = SpinEcho(5, 0.09)
    with pytest.raises(ValueError, match=r"1 of 3 voxels keep less than 2%.*pass undefined=1\.0"):
        relaxation_map(tissues, t2w, 0.3, 3.0)
    found = relaxation_map(tissues, t2w, 0.3, 3.0, undefined=0.5)
    np.testing.assert_allclose(
        found[0], [0.5, relaxation_factor(t2w, "white", 0.3, 3.0), 1], rtol=1e-6
    )


def test_rejects_maps_that_mean_nothing():
    with pytest.raises(ValueError, match="dtype int64: labels that are numbers need names="):
        relaxation_map(np.ones((2, 2), np.int64), SE, 0.3, 3.0)
    with pytest.raises(ValueError, match="unknown tissue 'grey'"):
        relaxation_map(np.array([["grey"]]), SE, 0.3, 3.0)
    with pytest.raises(ValueError, match="'white' hold negative, NaN"):
        relaxation_map({"white": np.array([[-0.1]])}, SE, 0.3, 3.0)
    with pytest.raises(ValueError, match=r"have the shapes .*expected one shape for all"):
        relaxation_map({"white": np.ones((2, 2)), "csf": np.ones((2, 3))}, SE, 0.3, 3.0)
    with pytest.raises(ValueError, match=r"fractions of a voxel add up to 1\.2, expected 1 or le"):
        relaxation_map({"white": np.full((2, 2), 0.6), "csf": np.full((2, 2), 0.6)}, SE, 0.3, 3.0)
    with pytest.raises(ValueError, match=r"add up to 100"):
        relaxation_map({"white": np.array([[100.0]])}, SE, 0.3, 3.0)
    thirds = np.full((2, 2), np.float32(1 / 3))
    relaxation_map(dict.fromkeys(("white", "csf", "cortex"), thirds), SE, 0.3, 3.0)
    with pytest.raises(TypeError, match="source_field is '3', expected a number of tesla"):
        relaxation_map(np.array([["white"]]), SE, 0.3, "3")
    with pytest.raises(ValueError, match="field is 0, expected a positive number"):
        relaxation_factor(SE, "white", 0, 3.0)
    with pytest.raises(ValueError, match="tissues is empty, expected fractions"):
        relaxation_map({}, SE, 0.3, 3.0)
