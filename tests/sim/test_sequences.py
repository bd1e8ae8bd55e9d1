"""The signal equations against the Bloch equations, pulse by pulse."""

import dataclasses

import numpy as np
import pytest

from kspace_denoise import sim
from kspace_denoise.sim import BalancedSSFP, GradientEcho, SpinEcho

T1, T2 = 0.9, 0.08


def turn(degrees: float) -> np.ndarray:
    """Return the rotation about x by a flip angle."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, c, s], [0, -s, c]])


def relax(magnetisation: np.ndarray, time: float) -> np.ndarray:
    """Return the magnetisation after a time without pulses, on resonance."""
    e1, e2 = np.exp(-time / T1), np.exp(-time / T2)
    return magnetisation * [e2, e2, e1] + [0, 0, 1 - e1]


@pytest.mark.parametrize("flip", [5, 30, 90, 150])
def test_spoiled_gradient_echo_is_the_steady_state_of_pulses_and_spoilers(flip):
    echo, m = 0.0, np.array([0.0, 0.0, 1.0])
    for _ in range(3000):
        m = turn(flip) @ m
        echo = abs(relax(m, 0.004)[1])
        m = relax(m, 0.01) * [0, 0, 1]
    assert np.isclose(GradientEcho(0.01, 0.004, flip).signal(1.0, T1, T2), echo, rtol=1e-9)


@pytest.mark.parametrize("flip", [10, 45, 90, 170])
def test_balanced_ssfp_is_the_steady_state_of_alternating_pulses(flip):
    echo, m = 0.0, np.array([0.0, 0.0, 1.0])
    for n in range(6000):
        m = turn(flip * (-1) ** n) @ m
        echo = abs(relax(m, 0.002)[1])
        m = relax(m, 0.005)
    expected = BalancedSSFP(0.005, 0.002, flip).signal(1.0, T1, T2)
    assert np.isclose(expected, echo, rtol=1e-6, atol=1e-12)


def train_of_spin_echoes(repetition, spacing, echoes, inversion=None):
    """Return the first echo in the steady state of 90° and 180° pulses, all of them turned."""
    m = np.array([0.0, 0.0, 1.0])
    for _ in range(60):
        if inversion is not None:
            m = relax(turn(180) @ m, inversion)
        m, first = turn(90) @ (m * [0, 0, 1]), None
        for _ in range(echoes):
            m = relax(turn(180) @ relax(m, spacing / 2), spacing / 2)
            first = abs(m[1]) * np.sign(m[1]) if first is None else first
        m = relax(m, repetition - echoes * spacing - (inversion or 0)) * [0, 0, 1]
    return -first  # the refocusing pulse about x turns the echo round


@pytest.mark.parametrize("inversion", [None, 0.0, 0.3, 1.0])
def test_spin_echo_is_the_limit_of_a_short_echo_time_of_its_pulses(inversion):
    for echo in (1e-6, 0.002, 0.02, 0.1):
        pulses = train_of_spin_echoes(1.5, echo, 1, inversion) * np.exp(echo / T2)
        ours = SpinEcho(1.5, echo, inversion).signal(1.0, T1, T2) * np.exp(echo / T2)
        lost = 2 * np.exp(-1.5 / T1) * np.expm1(echo / 2 / T1)  # before the 180° pulse
        sign = 1 if inversion is None else -1
        assert np.isclose(ours - pulses, sign * lost, rtol=1e-6, atol=1e-12)
        assert lost < 1.06 * np.exp(-1.5 / T1) * echo / T1  # which vanishes with TE


@pytest.mark.parametrize("inversion", [None, 0.3])
@pytest.mark.parametrize(("spacing", "echoes"), [(0.02, 1), (0.01, 2), (0.01, 7), (0.012, 16)])
def test_recovery_starts_at_the_end_of_the_train(inversion, spacing, echoes):
    pulses = train_of_spin_echoes(1.5, spacing, echoes, inversion)
    ours = SpinEcho(1.5 - spacing * echoes, spacing, inversion).signal(1.0, T1, T2)
    assert np.isclose(ours, pulses, rtol=0, atol=1.01 * (spacing / 2 / T1) ** 2)


@pytest.mark.parametrize(
    ("repetition", "echo", "percent"),
    [(0.6, 0.01, -0.4), (0.5, 0.02, -1.0), (1.5, 0.1, -2.0), (0.5, 0.09, -4.5)],
)
def test_the_errors_that_the_page_states(repetition, echo, percent):
    def pulses(field):
        t1, t2 = sim.TISSUES["white"].t1_at(field), sim.TISSUES["white"].t2_at(field)
        half, whole = np.exp(-(repetition - echo / 2) / t1), np.exp(-repetition / t1)
        return (1 - 2 * half + whole) * np.exp(-echo / t2)

    full, after = (
        100
        * sim.relaxation_factor(SpinEcho(tr, echo), "white", 0.3, 3.0)
        / (pulses(0.3) / pulses(3.0))
        - 100
        for tr in (repetition, repetition - echo)
    )
    assert full == pytest.approx(percent, abs=0.06)
    assert abs(after) < 0.22


def test_an_inversion_may_fill_the_repetition_time():
    assert SpinEcho(1.0, 0.1, 0.9).inversion_time == 0.9
    assert SpinEcho(1.1, 0.2, 0.9).echo_time == 0.2


def test_sequences_are_built_by_name_and_frozen():
    times = {"repetition_time": 5.0, "echo_time": 0.09}
    assert sim.sequence("spin-echo", **times) == SpinEcho(5.0, 0.09)
    assert sim.sequence("gradient-echo", **times, flip_angle=20) == GradientEcho(5.0, 0.09, 20)
    assert sim.sequence("bssfp", **times, flip_angle=60) == BalancedSSFP(5.0, 0.09, 60)
    for name in ("inversion-recovery", "flair"):
        assert sim.sequence(name, **times, inversion_time=2) == SpinEcho(5.0, 0.09, 2.0)
    assert GradientEcho(5.0, 0.09, 20) != BalancedSSFP(5.0, 0.09, 20)
    with pytest.raises(dataclasses.FrozenInstanceError):
        sim.sequence("spin-echo", **times).echo_time = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        sim.sequence("bssfp", **times, flip_angle=60).echo_time = 1.0


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("epi", {}, "unknown sequence 'epi'; there are: spin-echo, gradient-echo, bssfp, "),
        ("spin-echo", {"echo_time": 0.1}, "needs repetition_time, echo_time; missing: repetition"),
        ("spin-echo", {}, "missing: repetition_time, echo_time"),
        (
            "gradient-echo",
            {"repetition_time": 0.01, "echo_time": 0.005},
            "'gradient-echo' needs repetition_time, echo_time, flip_angle; missing: flip_angle",
        ),
        ("bssfp", {"repetition_time": 0.01, "echo_time": 0.005}, "missing: flip_angle"),
        ("flair", {"repetition_time": 9, "echo_time": 0.1}, "missing: inversion_time"),
        (
            "spin-echo",
            {"repetition_time": 5, "echo_time": 0.1, "flip_angle": 90},
            "'spin-echo' has no flip_angle; it needs repetition_time, echo_time",
        ),
        (
            "gradient-echo",
            {"repetition_time": 5, "echo_time": 0.1, "flip_angle": 9, "inversion_time": 1},
            "'gradient-echo' has no inversion_time",
        ),
    ],
)
def test_a_sequence_says_what_it_needs(name, given, message):
    with pytest.raises(ValueError, match=message):
        sim.sequence(name, **given)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpinEcho(0, 0), "repetition_time is 0 s, expected a positive number"),
        (lambda: SpinEcho(np.nan, 0), "repetition_time is nan s"),
        (lambda: SpinEcho(1, -0.1), "echo_time is -0.1 s, expected at least 0 and no more than"),
        (lambda: SpinEcho(0.1, 0.2), "no more than the repetition_time of 0.1 s"),
        (lambda: SpinEcho(1, np.nan), "echo_time is nan s"),
        (lambda: SpinEcho(1, 0.1, 1.0), "inversion_time is 1.0 s, expected at least 0 and less"),
        (lambda: SpinEcho(1, 0.1, -1.0), "inversion_time is -1.0 s"),
        (lambda: SpinEcho(1.0, 0.5, 0.9), r"is 0\.9 s.*to hold it and the echo_time of 0\.5 s"),
        (lambda: GradientEcho(1, 0.1, 0), "flip_angle is 0 degrees, expected more than 0"),
        (lambda: GradientEcho(1, 0.1, 180), "180 degrees, expected more than 0 and less than 180"),
        (lambda: BalancedSSFP(1, 0.1, 180), "flip_angle is 180 degrees"),
        (lambda: BalancedSSFP(1, 0.1, np.nan), "flip_angle is nan degrees"),
        (lambda: GradientEcho(1, 2, 10), "echo_time is 2 s"),
        (lambda: BalancedSSFP(1, 0.1, 181), "flip_angle is 181 degrees"),
        (lambda: BalancedSSFP(-1, 0.1, 30), "repetition_time is -1 s"),
    ],
)
def test_rejects_times_and_angles_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()
