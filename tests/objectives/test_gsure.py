"""Known answers of GSURE: unbiased where it should be, biased where the paper's constants are."""

import dataclasses

import pytest
import torch

from kspace_denoise.denoiser import build_network
from kspace_denoise.networks import UNetConfig, differentiate_twice
from kspace_denoise.objectives.diffusion_levels import ddpm_table
from kspace_denoise.objectives.divergence import inner, rademacher_like, with_trace
from kspace_denoise.objectives.gsure import GSURE
from kspace_denoise.objectives.spectral_batch import SpectralBatch
from kspace_denoise.recon.spectral import FourierSampling, PixelSampling

INF = torch.inf


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def scalars(count: int, noise: float, seed: int = 0) -> tuple[torch.Tensor, SpectralBatch]:
    """Return x ~ N(0, 0.49) and what is seen of it, each number an image of one pixel."""
    x = 0.7 * normal(count, 1, 1, seed=seed)
    seen = x + noise * normal(count, 1, 1, seed=seed + 1)
    ones = torch.ones(1, 1, dtype=torch.float64)
    return x, SpectralBatch(seen, torch.full_like(seen, noise), ones, PixelSampling(ones))


def cubic(kept: float):
    """f(u) = 0.5 u + 0.05 u³ of the state u of constant variance, given that of growing one."""

    def f(z, _level):
        u = z * kept**0.5
        return 0.5 * u + 0.05 * u**3

    return f


def of_constant_variance(kept: float) -> float:
    """Return the noise level d that belongs to ᾱ."""
    return ((1 - kept) / kept) ** 0.5


def estimated(objective: GSURE, f, batch: SpectralBatch, d: float) -> torch.Tensor:
    level = torch.full((len(batch),), d, dtype=torch.float64)
    found = objective.squared_error(f, batch, level, generator(9)).detach()
    return found - objective.constant(batch, level)


@pytest.mark.parametrize("kept", [0.98, 0.5, 0.1, 0.01])
def test_the_exact_forms_are_unbiased(kept):
    """methods.md 2.8, check 1; the bound is four standard errors of the draws."""
    x, batch = scalars(400_000, 0.1)
    d, f = of_constant_variance(kept), cubic(kept)
    true = (f(x + d * normal(*x.shape, seed=5), 0) - x) ** 2
    for target in ("measurement", "state"):
        found = estimated(GSURE(target=target), f, batch, d)
        error = (found.var() + true.var()).sqrt() / len(x) ** 0.5
        assert abs(found.mean() - true.mean()) < 4 * error
        if target == "measurement":
            assert found.mean() == pytest.approx(float(true.mean()), rel=0.015)


@pytest.mark.parametrize(("target", "published"), [("state", 0.0975), ("measurement", 0.954)])
def test_the_factors_of_the_paper_are_biased(target, published):
    """The true error at ᾱ = 0.5 is 0.351."""
    _, batch = scalars(400_000, 0.1)
    paper = dataclasses.replace(GSURE.paper(), target=target)
    found = estimated(paper, cubic(0.5), batch, of_constant_variance(0.5))
    assert float(found.mean()) == pytest.approx(published, rel=0.03)


def pairs(count: int, masked: bool) -> tuple[torch.Tensor, SpectralBatch]:
    """Return pairs of correlation 0.9, of which each number is seen with probability 1/2."""
    x = normal(count, 1, 2)
    x[..., 1] = 0.9 * x[..., 0] + (1 - 0.81) ** 0.5 * x[..., 1]
    noise = 0.1
    mask = torch.rand(x.shape, generator=generator(3)) < (0.5 if masked else 2)
    seen = torch.where(mask, x + noise * normal(*x.shape, seed=4), 0.0)
    nsr = torch.where(mask, noise, INF).double()
    density = torch.full((1, 2), 0.5 if masked else 1.0, dtype=torch.float64)
    return x, SpectralBatch(seen, nsr, density, PixelSampling(torch.ones(1, 2)))


def test_weights_do_not_mend_components_that_depend_on_each_other():
    """methods.md 2.8, check 2: the estimate is that of seen components, 0.9335, not 1.5686."""
    matrix = torch.tensor([[0.6, 0.3], [0.2, 0.7]], dtype=torch.float64)
    d = of_constant_variance(0.5)

    def f(z, _level):
        return (z * 0.5**0.5) @ matrix.T

    x, batch = pairs(400_000, masked=True)
    for target in ("measurement", "state"):
        found = estimated(GSURE(target=target), f, batch, d)
        assert 2 * float(found.mean()) == pytest.approx(0.9335, rel=0.015)
    mask = batch.nsr.isfinite()
    state = torch.where(mask, x, 0.0) + d * normal(*x.shape, seed=8)
    assert 2 * float(((f(state, 0) - x) ** 2).mean()) == pytest.approx(1.5686, rel=0.015)


def test_its_minimiser_is_the_wiener_filter():
    """methods.md 2.8, check 7: independent components, seen in any proportion."""
    count, tau = 800_000, torch.tensor([[0.3, 1.0, 2.0]], dtype=torch.float64)
    odds = torch.tensor([[0.9, 0.5, 0.2]], dtype=torch.float64)
    x = tau * normal(count, 1, 3)
    mask = torch.rand(x.shape, generator=generator(3)) < odds
    seen = torch.where(mask, x + 0.1 * normal(*x.shape, seed=4), 0.0)
    nsr = torch.where(mask, 0.1, INF).double()
    batch = SpectralBatch(seen, nsr, odds, PixelSampling(torch.ones(1, 3)))
    d = 0.8
    gains = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([gains], max_iter=40, line_search_fn="strong_wolfe")
    level = torch.full((count,), d, dtype=torch.float64)

    def closure():
        optimiser.zero_grad()
        loss = GSURE().squared_error(lambda z, _: gains * z, batch, level, generator(9)).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    expected = tau**2 / (tau**2 + d**2)
    # A gain of regression on n draws is known to √(1 / n seen) of its noise to signal, 0.5 % here.
    assert torch.allclose(gains.detach(), expected, rtol=0.01)


def test_one_probe_tells_the_trace_of_complex_maps():
    """methods.md 2.8, check 6: a linear map of complex numbers, 2 Re trace in real components."""
    size = 5
    matrix = torch.complex(normal(size, size, seed=1), normal(size, size, seed=2))
    x = torch.complex(normal(4096, size, 1), normal(4096, size, 1, seed=6))
    probe = rademacher_like(x, generator(7))
    assert torch.all(probe.real.abs() == 1)
    assert torch.all(probe.imag.abs() == 1)
    weight = torch.linspace(0.5, 2, size, dtype=torch.float64)[:, None]
    level = torch.ones(len(x), dtype=torch.float64)
    given = (lambda z: matrix @ z, x, weight * probe, probe, level)
    value, found = with_trace(*given, "exact")
    assert torch.allclose(value, matrix @ x)
    sums = found.sum(dim=(-2, -1))
    difference = with_trace(*given, "difference")
    torch.testing.assert_close(difference[0], value)
    torch.testing.assert_close(difference[1].sum(dim=(-2, -1)), sums)
    error = sums.std() / len(x) ** 0.5
    assert abs(sums.mean() - 2 * (weight[:, 0] * matrix.diagonal()).sum().real) < 4 * error
    step = 1e-5
    slope = (matrix @ (x + step * probe) - matrix @ (x - step * probe)) / (2 * step)
    assert torch.allclose(inner(weight * probe, slope).sum(dim=(-2, -1)), sums, rtol=1e-4)


class Convolution(torch.nn.Module):
    """A small non-linear network on complex images."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Conv2d(2, 2, 3, padding=1, dtype=torch.float64)
        self.inner.weight.data = 0.3 * normal(2, 2, 3, 3, seed=21)
        self.inner.bias.data = 0.1 * normal(2, seed=22)

    def forward(self, x, level):
        real = torch.view_as_real(x).movedim(-1, 1)
        y = self.inner(real / (1 + level[:, None, None, None])).tanh()
        return torch.view_as_complex(y.movedim(1, -1).contiguous())


def masked_kspace(count: int, noise: float) -> tuple[torch.Tensor, SpectralBatch]:
    """Return independent complex components of k-space, and those that masks show of them."""
    shape = (4, 5)
    scale = torch.linspace(0.3, 1.5, 5, dtype=torch.float64)
    z = scale * torch.complex(normal(count, *shape), normal(count, *shape, seed=1))
    odds = torch.tensor([0.2, 0.6, 1.0, 0.6, 0.2], dtype=torch.float64)
    mask = (torch.rand((count, 1, 5), generator=generator(2)) < odds).expand_as(z)
    n = torch.complex(normal(count, *shape, seed=3), normal(count, *shape, seed=4))
    seen = torch.where(mask, z + noise * n, 0)
    nsr = torch.where(mask, noise, INF).double()
    operator = FourierSampling(torch.ones(1))
    return z, SpectralBatch(seen, nsr, odds.expand(shape), operator)


@pytest.mark.parametrize("target", ["measurement", "state"])
def test_a_network_on_images_is_judged_by_masked_noisy_kspace(target):
    """Against the mean over masks of the true error, of a network that mixes components."""
    network, d = Convolution(), 0.7
    z, batch = masked_kspace(60_000, 0.2)
    level = torch.full((len(z),), d, dtype=torch.float64)
    found = estimated(GSURE(target=target), network, batch, d)
    with torch.no_grad():
        seen = batch.nsr.isfinite()
        n = torch.complex(normal(*z.shape, seed=11), normal(*z.shape, seed=12))
        clean = network(batch.operator.image(torch.where(seen, z, 0) + d * n), level)
        error = (batch.operator.spectrum(clean) - z).abs() ** 2
        true = (torch.where(seen, error, 0) / batch.density).mean(dim=(-2, -1))
    bound = 4 * ((found.var() + true.var()) / len(z)).sqrt()
    assert abs(found.mean() - true.mean()) < bound
    assert bound < 0.03 * true.mean()


def test_gradients_reach_the_weights():
    network = Convolution()
    _, batch = masked_kspace(4, 0.2)
    objective = GSURE(smallest=0.2)
    loss = objective.loss(network, batch, generator())
    (gradient,) = torch.autograd.grad(loss, [network.inner.weight])
    step = 1e-6 * gradient / gradient.norm()
    with torch.no_grad():
        network.inner.weight += step
        up = objective.loss(network, batch, generator())
        network.inner.weight -= 2 * step
        down = objective.loss(network, batch, generator())
    assert float((up - down) / 2e-6) == pytest.approx(float(gradient.norm()), rel=1e-4)


def network_of_the_project() -> torch.nn.Module:
    """Return a small one in double precision, none of whose layers is zero."""
    config = UNetConfig(base=8, multipliers=(1, 2), attention=(1,), heads=2, phase_width=0.0)
    network = build_network(config, 2, seed=1).double()
    for number, parameter in enumerate(network.parameters()):
        if not parameter.any():
            parameter.data = 0.1 * normal(*parameter.shape, seed=number)
    return network


def rms(x: torch.Tensor) -> torch.Tensor:
    return x.abs().square().mean().sqrt()


def single(batch: SpectralBatch) -> SpectralBatch:
    """Return a batch in single precision."""
    return dataclasses.replace(
        batch,
        seen=batch.seen.to(torch.complex64),
        nsr=batch.nsr.float(),
        density=batch.density.float(),
    )


@pytest.mark.parametrize("level", [0.2, 2.0, 50.0])
def test_the_difference_is_the_derivative_in_single_precision(level):
    network = differentiate_twice(network_of_the_project()).float()
    clean = masked_kspace(64, 0.2)[0].to(torch.complex64)
    noise = torch.complex(normal(*clean.shape), normal(*clean.shape, seed=1))
    x = clean + level * noise.to(torch.complex64)
    levels, probe = torch.full((len(x),), level), rademacher_like(x, generator())
    (value, exact), (middle, difference) = (
        with_trace(lambda z: network(z, levels), x, probe, probe, levels, derivative)
        for derivative in ("exact", "difference")
    )
    exact, difference = (part.sum(dim=(-2, -1)) for part in (exact, difference))
    assert rms(middle - value) < 1e-3 * rms(value)
    assert rms(difference - exact) < 1e-3 * rms(exact)


@pytest.mark.parametrize("derivative", ["exact", "difference"])
def test_the_network_of_the_project_can_be_taught_with_it(derivative):
    """Normalisation, attention and all can be differentiated; against a finite difference."""
    network = network_of_the_project()
    if derivative == "exact":
        differentiate_twice(network)
    batch = dataclasses.replace(masked_kspace(2, 0.2)[1], density=torch.ones(4, 5).double())
    objective = GSURE(smallest=0.2, derivative=derivative)
    loss = objective.loss(network, batch, generator())
    weights = [p for p in network.parameters() if p.requires_grad]
    gradient = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
    norm = torch.cat([g.flatten() for g in gradient]).norm()
    values = []
    for sign in (1, -2):
        with torch.no_grad():
            for parameter, g in zip(weights, gradient, strict=True):
                parameter.add_(g, alpha=sign * 1e-4 / float(norm))
        values.append(objective.loss(network, batch, generator()).item())
    assert (values[0] - values[1]) / 2e-4 == pytest.approx(norm.item(), rel=1e-3)


def test_mixed_precision_changes_nothing():
    network = Convolution().float()
    batch = single(masked_kspace(3, 0.2)[1])
    plain = GSURE(smallest=0.2).loss(network, batch, generator())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = GSURE(smallest=0.2).loss(network, batch, generator())
    assert torch.equal(plain, mixed)


def test_levels_below_the_noise_are_refused():
    """methods.md 2.8, check 4."""
    _, batch = scalars(10, 0.02)
    for level, fits in ((0.01, False), (0.0199, False), (0.02, True), (0.5, True)):
        objective = GSURE()
        if fits:
            assert torch.isfinite(estimated(objective, cubic(0.5), batch, level)).all()
        else:
            with pytest.raises(ValueError, match="no noise can be added to come to it"):
                estimated(objective, cubic(0.5), batch, level)


def test_levels_begin_where_every_schedule_can():
    """methods.md 2.8, check 4: no radicand of a state is negative at the first time."""
    for noise in (0.011, 0.02, 0.05, 0.1):
        fitted = GSURE(smallest=0.01).fit(noise)
        assert float(ddpm_table(fitted.smallest)[0]) >= noise
        assert fitted.smallest == pytest.approx(noise, rel=1e-3)
    assert GSURE(smallest=0.3).fit(0.1).smallest == 0.3


def test_noise_that_is_no_number_and_networks_of_another_kind_are_refused():
    _, batch = pairs(10, masked=True)
    for wrong in (-0.1, torch.nan):
        nsr = batch.nsr.clone()
        nsr[0, 0, 0] = wrong
        with pytest.raises(ValueError, match="negative or NaN"):
            estimated(GSURE(), cubic(0.5), dataclasses.replace(batch, nsr=nsr), 1.0)
    for network in (lambda z, _: z[:, :1, :1], lambda z, _: z + 0j):
        with pytest.raises(ValueError, match="expected the same"):
            estimated(GSURE(), network, batch, 1.0)


def test_components_that_are_never_sampled_are_refused():
    _, batch = pairs(10, masked=True)
    broken = dataclasses.replace(batch, density=torch.tensor([[0.5, 0.0]]))
    with pytest.raises(ValueError, match="never sample some components"):
        estimated(GSURE(), cubic(0.5), broken, 1.0)


@pytest.mark.parametrize("schedule", ["ddpm", "log-normal"])
def test_no_level_is_below_the_smallest(schedule):
    levels = GSURE(schedule=schedule, smallest=0.1).draw_levels(
        20_000, torch.device("cpu"), generator()
    )
    assert levels.min() >= 0.1 * (1 - 1e-6)
    assert levels.min() < 0.11
    assert levels.max() > 10


def test_log_normal_levels_have_their_median():
    objective = GSURE(smallest=1e-6, centre=0.5, spread=1.6)
    levels = objective.draw_levels(20_000, torch.device("cpu"), generator())
    logs = (levels / 0.5).log() / 1.6
    assert abs(float(logs.mean())) < 4 / 20_000**0.5
    assert float(logs.std()) == pytest.approx(1, abs=4 / (2 * 20_000) ** 0.5)


def test_noise_too_loud_for_the_schedule_is_refused():
    with pytest.raises(ValueError, match=r"whose last β is 0\.02 cannot begin there"):
        GSURE(schedule="ddpm", smallest=0.3).draw_levels(1, torch.device("cpu"), generator())


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"target": "truth"}, "target is 'truth'"), ({"spread": 0}, "expected positive numbers")],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        GSURE(**settings)
