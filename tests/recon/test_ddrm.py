"""DDRM with the perfect denoiser of a Gaussian prior, against its closed recursion."""

import itertools
import math
import warnings
from functools import partial

import numpy as np
import pytest
import torch

from kspace_denoise import recon
from kspace_denoise.recon.ddrm import draw_ddrm, trusted, with_better_data
from kspace_denoise.recon.diffusion_levels import check_levels, ddpm_levels, relative_levels
from kspace_denoise.recon.sense_operator import SenseOperator
from kspace_denoise.recon.signal_rms import component_rms
from kspace_denoise.recon.spectral import PixelSampling, noise_of_components
from kspace_denoise.recon.spectral_sense import decompose
from tests.recon.cases import disc, smooth_maps


def recursion(
    nsr: float, eta: float, steps: int, tau: float = 1.0, eta_b: float = 1.0
) -> tuple[float, float]:
    """Return gain on the data and standard deviation of a component, for x ~ N(0, tau²).

    methods: every state is gain · ȳ + noise; the denoiser multiplies by tau² / (tau² + level²).
    """
    levels = [*ddpm_levels(steps), 0.0]
    gain, variance = (1.0, levels[0] ** 2 - nsr**2) if nsr < levels[0] else (0.0, levels[0] ** 2)
    for level, following in itertools.pairwise(levels):
        g = tau**2 / (tau**2 + level**2)
        if following == 0:
            factor, given, added = g, 0.0, 0.0
        elif math.isinf(nsr):
            keep = math.sqrt(1 - eta**2) * following / level
            factor, given, added = g + keep * (1 - g), 0.0, eta * following
        elif following > nsr:
            factor, given = (1 - eta_b) * g, eta_b
            added = math.sqrt(following**2 - eta_b**2 * nsr**2)
        else:
            given = math.sqrt(1 - eta**2) * following / nsr
            factor, added = g * (1 - given), eta * following
        gain, variance = factor * gain + given, factor**2 * variance + added**2
    return gain, math.sqrt(variance)


def perfect(x, sigma):
    """Return the mean of x ~ N(0, 1) given a noisy one."""
    return x / (1 + sigma**2)


PUBLISHED = [  # methods.md 3.2: nsr, eta, steps, gain, standard deviation
    (0.1, 0.85, 20, 0.9714, 0.1333),
    (0.1, 0.85, 100, 0.9883, 0.0646),
    (0.1, 0.85, 1000, 0.9937, 0.0431),
    (0.1, 0.0, 100, 0.9937, 0.0048),
    (0.1, 0.0, 1000, 0.9975, 0.0),
    (0.1, 1.0, 1000, 0.8928, 0.3052),
    (0.5, 0.85, 20, 0.7924, 0.2547),
    (0.5, 0.85, 100, 0.8467, 0.2142),
    (0.5, 0.85, 1000, 0.9394, 0.1298),
    (0.5, 0.0, 100, 0.9329, 0.0),
    (0.5, 0.0, 1000, 0.9750, 0.0),
    (0.5, 1.0, 1000, 0.0, 0.7026),
    (0.01, 0.85, 20, 0.9999, 0.0001),
]
UNSEEN = [
    (0.0, 20, 0.9125),
    (0.0, 100, 0.9818),
    (0.0, 1000, 0.9981),
    (0.85, 20, 0.796),
    (0.85, 100, 0.851),
    (0.85, 1000, 0.869),
    (1.0, 20, 0.644),
    (1.0, 100, 0.686),
    (1.0, 1000, 0.703),
]


@pytest.mark.parametrize(("nsr", "eta", "steps", "gain", "std"), PUBLISHED)
def test_the_recursion_has_the_known_values(nsr, eta, steps, gain, std):
    assert recursion(nsr, eta, steps) == pytest.approx((gain, std), abs=6e-5)


@pytest.mark.parametrize(("eta", "steps", "std"), UNSEEN)
def test_the_recursion_has_the_known_values_where_nothing_is_seen(eta, steps, std):
    assert recursion(math.inf, eta, steps)[1] == pytest.approx(std, abs=6e-4)


SAMPLED = [
    (0.1, 0.85, 100, 1.0),
    (0.5, 0.85, 100, 1.0),
    (0.5, 0.0, 20, 1.0),
    (0.1, 1.0, 20, 0.4),
    (math.inf, 0.85, 20, 1.0),
]


@pytest.mark.parametrize(("nsr", "eta", "steps", "eta_b"), SAMPLED)
def test_the_sampler_follows_the_recursion(nsr, eta, steps, eta_b):
    count = 200_000  # real components: half as many complex numbers
    seen = torch.full((1, 1), 0.7 + 0.7j) * (0 if math.isinf(nsr) else 1)
    drawn = draw_ddrm(
        PixelSampling(torch.ones(1, 1)),
        seen,
        torch.full((1, 1), nsr),
        perfect,
        ddpm_levels(steps),
        eta,
        eta_b,
        count // 2,
        np.random.default_rng(0),
    )
    values = torch.view_as_real(drawn).flatten()
    gain, std = recursion(nsr, eta, steps, eta_b=eta_b)
    mean = 0.0 if math.isinf(nsr) else 0.7 * gain
    assert float(values.mean()) == pytest.approx(mean, abs=3 * std / math.sqrt(count) + 1e-6)
    assert float(values.std()) == pytest.approx(std, rel=0.01)


def test_several_coils_follow_the_recursion_in_every_component():
    """The prior is white: its denoiser does the same to an image and to its spectrum."""
    shape, eta, steps, count = (6, 10), 0.85, 20, 4000
    line = np.zeros(10)
    line[[0, 3, 5, 6, 9]] = 1
    operator = decompose(
        SenseOperator(torch.from_numpy(smooth_maps(3, shape)), torch.from_numpy(line))
    )
    nsr = trusted(noise_of_components(operator, 0.1), 1.0)
    seen = torch.where(torch.isinf(nsr), 0, torch.full(shape, 0.5 - 0.8j))
    drawn = draw_ddrm(
        operator, seen, nsr, perfect, ddpm_levels(steps), eta, 1.0, count, np.random.default_rng(1)
    )
    spectra = operator.spectrum(drawn)
    expected = np.array([recursion(float(r), eta, steps) for r in nsr.flatten()])
    gain, std = (torch.from_numpy(column).reshape(shape) for column in expected.T)
    error = (spectra.mean(0) - gain * seen).abs() / (std * math.sqrt(2 / count))
    # |error|² is a chi-square of two degrees over 2: its largest of 60 is rarely above 9.
    assert float(error.max()) < 3.5
    measured = torch.view_as_real(spectra).std(0).square().mean(-1).sqrt()
    # The variance of 8000 real draws is known to 1.6 %, its root to 0.8 %.
    assert torch.allclose(measured.double(), std, rtol=0.035)
    assert torch.isinf(nsr).any()
    assert not torch.isinf(nsr).all()


def scan(coils: int, sigma: float = 0.02) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return k-space of a disc with correlated noise, maps, mask and covariance."""
    shape = (20, 24)
    rng = np.random.default_rng(5)
    maps = smooth_maps(coils, shape) if coils > 1 else np.ones((1, *shape), np.complex64)
    line = np.zeros(24)
    line[::2] = 1
    line[10:15] = 1
    clean = SenseOperator(maps, line).forward(disc(shape))
    mix = np.eye(coils) + 0.3 * rng.standard_normal((coils, coils))
    noise = rng.standard_normal((2, coils, *clean.shape[1:]))
    noise = np.einsum("ij,jyx->iyx", mix, noise[0] + 1j * noise[1])
    kspace = (clean + sigma * noise * line).astype(np.complex64)
    return kspace, maps, line, 2 * sigma**2 * mix @ mix.T


def shrink(x, sigma):
    """A denoiser for the disc: pixels are about 0.4 per component."""
    return x * (0.16 / (0.16 + sigma**2))


@pytest.mark.parametrize("coils", [1, 3])
def test_the_image_stays_in_its_unit_and_comes_back_in_its_kind(kind, coils):
    kspace, maps, line, psi = (kind(x) for x in scan(coils))
    found = recon.ddrm(kspace, maps, line, shrink, noise_covariance=psi, samples=4, steps=10)
    assert type(found.mean) is type(kspace)
    mean, std, samples = (np.asarray(x) for x in found)
    assert mean.shape == std.shape == (20, 24)
    assert samples.shape == (4, 20, 24)
    assert mean.dtype == np.complex64
    assert std.dtype == np.float32
    error = np.sqrt(np.mean(np.abs(mean - disc((20, 24))) ** 2))
    assert error < (0.12 if coils > 1 else 0.2)  # one coil leaves 9 of 24 lines to the prior
    scaled = recon.ddrm(
        1000 * kspace, maps, line, lambda x, s: 1000 * shrink(x / 1000, s / 1000),
        noise_covariance=1e6 * psi, samples=4, steps=10,
    )  # fmt: skip
    assert np.allclose(np.asarray(scaled.samples), 1000 * samples, rtol=2e-3, atol=1)


def test_slices_are_drawn_one_by_one_and_seeds_repeat():
    kspace, maps, line, psi = scan(3)
    both = np.stack([kspace, 2 * kspace])
    options = {"noise_covariance": psi, "samples": 2, "steps": 5}
    found = recon.ddrm(both, maps, line, shrink, **options)
    assert found.samples.shape == (2, 2, 20, 24)
    again = recon.ddrm(both, maps, line, shrink, **options)
    other = recon.ddrm(both, maps, line, shrink, **options, seed=1)
    assert np.array_equal(found.samples, again.samples)
    assert not np.array_equal(found.samples, other.samples)


def test_one_sample_has_no_spread():
    kspace, maps, line, psi = scan(1)
    found = recon.ddrm(kspace, maps, line, shrink, noise_covariance=psi, samples=1, steps=5)
    assert found.std is None
    assert np.array_equal(found.mean, found.samples[0])


def test_the_image_is_zero_where_no_coil_sees():
    kspace, maps, line, psi = scan(3)
    maps[:, :4] = 0
    found = recon.ddrm(kspace, maps, line, shrink, noise_covariance=psi, samples=2, steps=5)
    assert not found.samples[:, :4].any()
    assert found.samples[:, 4:].all()


def test_components_noisier_than_the_prior_are_left_to_it():
    """By default those above 0.3 of the image's root mean square per real component."""
    kspace, maps, line, psi = scan(3, sigma=0.06)
    whitened = recon.whiten(kspace, psi)
    rms = component_rms(whitened, recon.whiten(maps, psi), line)
    options = {"noise_covariance": psi, "samples": 1, "steps": 5}
    default, same, other = (
        recon.ddrm(kspace, maps, line, shrink, **options, prior_rms=limit).mean
        for limit in (None, 0.3 * rms, 3 * rms)
    )
    assert np.array_equal(default, same)
    assert not np.allclose(default, other, atol=1e-3)


@pytest.mark.parametrize(("eta", "gain", "error"), [(0.0, 0.55, 2.9), (0.85, 0.37, 1.6)])
def test_that_is_because_their_noise_would_stay(eta, gain, error):
    """methods.md 3.4: noise 3 times the prior; the posterior has a gain of 0.1 and an error of 0.9.

    The error is that of the mean of many samples; of a component that is not seen it is 1.
    """
    found = recursion(3.0, eta, 100)[0]
    assert found == pytest.approx(gain, abs=0.006)
    assert (1 - found) ** 2 + (3 * found) ** 2 == pytest.approx(error, abs=0.06)


class Coarse:
    """A perfect denoiser that has learnt no level below 0.2."""

    smallest = 0.2

    def __call__(self, x, sigma):
        assert sigma >= 0.2
        return shrink(x, sigma)


def test_data_that_are_better_than_the_lowest_level_are_kept():
    """Estimates from there have errors of 0.1, the data of 0.02."""
    _, maps, line, psi = scan(1)
    full = np.ones_like(line)
    kspace = SenseOperator(maps, full).forward(disc((20, 24))).astype(np.complex64)
    options = {"noise_covariance": psi, "samples": 4, "prior_rms": 1.0}
    coarse, fine = (
        recon.ddrm(kspace, maps, full, denoise, **options).mean for denoise in (Coarse(), shrink)
    )
    assert np.abs(coarse - disc((20, 24))).mean() < 0.02
    assert np.abs(fine - disc((20, 24))).mean() < 0.02
    seen, images = torch.ones(2, 2), torch.zeros(3, 2, 2)
    nsr = torch.tensor([[0.1, 0.2], [1.0, math.inf]])
    found = with_better_data(PixelSampling(torch.ones(2, 2)), images, seen, nsr, 0.2)
    expected = torch.tensor([[0.8, 0.5], [0.04 / 1.04, 0.0]])
    torch.testing.assert_close(found, expected.expand(3, 2, 2))
    same = with_better_data(PixelSampling(torch.ones(2, 2)), images, seen, nsr, 0.1)
    assert same is images


def test_components_of_a_thousandth_of_the_strongest_are_not_seen():
    class Weak:
        singular_values = torch.tensor([1.0, 1.1e-3, 0.9e-3, 0.0])

    assert noise_of_components(Weak(), 0.5).isfinite().tolist() == [True, True, False, False]


def test_a_slice_of_which_nothing_is_trusted_is_told():
    kspace, maps, line, psi = scan(1, sigma=1.0)
    with pytest.warns(UserWarning, match="the prior alone, whatever the data say"):
        recon.ddrm(kspace, maps, line, shrink, noise_covariance=psi, samples=1, steps=5)


SAMPLERS = {
    "ddrm": partial(recon.ddrm, steps=5),
    "dds": partial(recon.dds, steps=5),
    "split_gibbs": partial(recon.split_gibbs, sweeps=3, steps=3),
    "pigdm": partial(recon.pigdm, steps=5),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_leave_arguments_and_global_generators_alone(name):
    given = scan(3)
    copies = [x.copy() for x in given]
    kspace, maps, line, psi = given
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    one, again, other = (
        SAMPLERS[name](
            kspace, maps, line, shrink, noise_covariance=psi, samples=2, seed=seed
        ).samples
        for seed in (0, 0, 1)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    for x, copy in zip(given, copies, strict=True):
        assert np.array_equal(x, copy)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002


@pytest.mark.parametrize("name", SAMPLERS)
def test_without_coils_or_signal_nothing_is_made_up(name):
    kspace, maps, line, psi = scan(3)
    blind = SAMPLERS[name](kspace, 0 * maps, line, shrink, noise_covariance=psi, samples=2)
    assert not blind.samples.any()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of DDRM
        silent = SAMPLERS[name](0 * kspace, maps, line, shrink, noise_covariance=psi, samples=2)
    assert np.abs(silent.samples).max() < 1


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_refuses_what_is_no_denoiser(name):
    kspace, maps, line, psi = scan(3)
    for wrong in (None, lambda _x, _s: None):
        with pytest.raises(TypeError, match="denoise"):
            SAMPLERS[name](kspace, maps, line, wrong, noise_covariance=psi, samples=2)
    with pytest.raises(ValueError, match="hold NaN or infinity"):
        SAMPLERS[name](
            kspace, maps, line, lambda x, _s: x * math.nan, noise_covariance=psi, samples=2
        )


WRONG = {
    "noise_covariance is None": {"noise_covariance": None},
    "eta is 1.5": {"eta": 1.5},
    "eta_b -1": {"eta_b": -1},
    "samples is 0": {"samples": 0},
    "steps is 1": {"steps": 1},
    "steps is 0": {"steps": 0, "schedule": "ddpm"},
    "schedule is 'linear'": {"schedule": "linear"},
    "prior_rms is 0": {"prior_rms": 0},
    "levels are": {"levels": [1.0, 2.0]},
    "denoise returned shape": {"denoise": lambda x, _: x[0]},
    "not positive definite": {"noise_covariance": np.ones((3, 3))},
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_used_is_refused(message):
    kspace, maps, line, psi = scan(3)
    options = {"denoise": shrink, "noise_covariance": psi, "steps": 5} | WRONG[message]
    with pytest.raises(ValueError, match=message):
        recon.ddrm(kspace, maps, line, **options)


@pytest.mark.parametrize("denoise", [lambda x, _: x.real, lambda x, _: torch.from_numpy(x)])
def test_a_denoiser_of_another_kind_is_refused(denoise):
    kspace, maps, line, psi = scan(3)
    with pytest.raises(TypeError, match="denoise returned"):
        recon.ddrm(kspace, maps, line, denoise, noise_covariance=psi, steps=5)


def test_levels_fall_and_stay_positive():
    assert check_levels(np.array([2.0, 1.0])) == [2.0, 1.0]
    for wrong in ([], [1.0, 1.0], [1.0, 0.0], [math.inf, 1.0]):
        with pytest.raises(ValueError, match="levels are"):
            check_levels(wrong)


def test_the_denoiser_is_asked_at_the_levels_of_the_schedule():
    """Geometric by default; those of the paper on request; both in units of the image."""
    kspace, maps, line, psi = scan(1)
    unit = component_rms(recon.whiten(kspace, psi), recon.whiten(maps, psi), line)
    given = {"geometric": [3, 0.05 * math.sqrt(60), 0.05], "ddpm": ddpm_levels(3)}
    for schedule, expected in given.items():
        asked = []
        recon.ddrm(
            kspace, maps, line, lambda x, s, asked=asked: asked.append(s) or shrink(x, s),
            noise_covariance=psi, samples=1, steps=3, schedule=schedule,
        )  # fmt: skip
        assert asked == pytest.approx([unit * level for level in expected], rel=1e-5)
    assert relative_levels(20, "geometric")[::19] == pytest.approx([3, 0.05])


def test_the_levels_of_ddpm_are_the_known_ones():
    full = ddpm_levels(1000)
    assert full[-1] == pytest.approx(0.0100005, rel=1e-4)  # methods.md 2.2
    assert full[0] == pytest.approx(157.4, rel=1e-3)
    assert len(ddpm_levels(20)) == 20
    assert ddpm_levels(20)[-1] == full[-1]
    assert ddpm_levels(20)[0] == full[49]
    for steps in (300, 334, 499, 501, 700):  # those that do not divide 1000 come as far up
        assert ddpm_levels(steps)[0] >= full[4]
        assert len(set(ddpm_levels(steps))) == steps
    assert ddpm_levels(20, to_last=True)[0] == full[0]
    assert ddpm_levels(20, to_last=True)[-1] == full[-1]
    with pytest.raises(ValueError, match="expected 0 < first"):
        ddpm_levels(10, 0.0)
