"""Generation by the perfect denoiser of a Gaussian prior, against its closed recursion."""

import itertools
import math

import numpy as np
import pytest

from kspace_denoise import recon
from kspace_denoise.recon.diffusion_levels import ddpm_levels


def wiener(x, sigma, tau=1.0):
    return x * (tau**2 / (tau**2 + sigma**2))


def spread(steps: int, eta: float, tau: float) -> float:
    """Return the standard deviation of what comes out, for a prior N(0, tau²)."""
    levels = ddpm_levels(steps, to_last=True)
    variance = levels[0] ** 2
    for level, following in itertools.pairwise(levels):
        g = tau**2 / (tau**2 + level**2)
        added = eta * following * math.sqrt(1 - (following / level) ** 2)
        kept = math.sqrt(following**2 - added**2) / level
        variance = (g + kept * (1 - g)) ** 2 * variance + added**2
    return math.sqrt(variance) * tau**2 / (tau**2 + levels[-1] ** 2)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("tau", [1.0, 0.3])
def test_it_follows_its_recursion(eta, tau):
    """262144 real draws: their standard deviation is known to 0.14 %."""
    drawn = recon.generate(
        lambda x, sigma: wiener(x, sigma, tau), (64, 64), steps=20, eta=eta, samples=32
    )
    assert drawn.dtype == np.complex64
    measured = drawn.view(np.float32).std()
    assert float(measured) == pytest.approx(spread(20, eta, tau), rel=0.006)


def test_both_come_to_the_prior_with_many_steps():
    for eta in (0.0, 1.0):
        assert spread(1000, eta, 1.0) == pytest.approx(1, abs=0.01)
    assert spread(10, 0.0, 1.0) < 0.95  # ten steps of DDIM fall short


def test_levels_are_in_the_unit_of_the_image():
    one = recon.generate(wiener, (8, 9), samples=2, steps=10, seed=3)
    many = recon.generate(
        lambda x, s: 1000 * wiener(x / 1000, s / 1000), (8, 9), rms=1000.0, samples=2, steps=10,
        seed=3,
    )  # fmt: skip
    np.testing.assert_allclose(many, 1000 * one, rtol=1e-4)
    again = recon.generate(wiener, (8, 9), samples=2, levels=ddpm_levels(10, to_last=True), seed=3)
    np.testing.assert_array_equal(again, one)


class Known:
    """A perfect denoiser that says which levels it knows."""

    smallest = 0.2

    def __init__(self) -> None:
        self.asked: list[float] = []

    def __call__(self, x, sigma):
        self.asked.append(sigma)
        return wiener(x, sigma)


def test_no_level_is_asked_for_below_the_smallest_that_is_known():
    known = Known()
    recon.generate(known, (8, 8), samples=1, steps=50)
    assert known.asked[-1] == 0.2
    assert min(known.asked) == 0.2
    assert known.asked[0] > 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": 2}, "eta is 2"),
        ({"samples": 0}, "samples is 0"),
        ({"rms": 0}, "rms 0"),
        ({"steps": 0}, "steps is 0"),
        ({"levels": [1.0, 2.0]}, "fall"),
        ({"denoise": lambda x, _s: x[0]}, "expected the same"),
        ({"rms": math.inf}, "rms inf"),
        ({"denoise": lambda x, _s: x * math.nan}, "hold NaN or infinity"),
    ],
)
def test_what_cannot_be_used_is_refused(options, message):
    given = {"denoise": wiener, "shape": (8, 8)} | options
    with pytest.raises(ValueError, match=message):
        recon.generate(**given)


@pytest.mark.parametrize("denoise", [None, lambda x, _: x.real, lambda _x, _: None])
def test_a_denoiser_of_another_kind_is_refused(denoise):
    with pytest.raises(TypeError, match="denoise"):
        recon.generate(denoise, (8, 8))


def test_the_strongest_level_is_asked_for_first_whatever_the_number_of_steps():
    for steps in (1, 7, 20, 333, 1000):
        known = Known()
        recon.generate(known, (2, 2), samples=1, steps=steps)
        assert known.asked[0] == pytest.approx(ddpm_levels(1000)[0])


def test_the_global_generators_are_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, again, other = (recon.generate(wiener, (4, 4), samples=1, seed=s) for s in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
