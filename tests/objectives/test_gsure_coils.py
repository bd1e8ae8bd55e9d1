"""GSURE of several coils is the true error of the whole image, in the mean over noise and masks."""

import pytest
import torch

from kspace_denoise import sim
from kspace_denoise.objectives.coil_batch import CoilBatch, Measured
from kspace_denoise.objectives.gsure import GSURE
from kspace_denoise.objectives.gsure_coils import (
    constant_of_coils,
    squared_error_of_coils,
    state_of,
)
from kspace_denoise.recon.sense_operator import SenseOperator, unit_maps
from kspace_denoise.recon.spectral import noise_of_components
from kspace_denoise.recon.spectral_sense import decompose
from tests.objectives.test_gsure import Convolution, generator, normal

SHAPE, COILS, SIGMA = (6, 8), 5, 0.3


def complex_normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.complex(normal(*shape, seed=seed), normal(*shape, seed=seed + 500))


def maps() -> torch.Tensor:
    found = torch.from_numpy(sim.coil_maps(SHAPE, COILS, seed=1)).to(torch.complex128)
    return unit_maps(found)[0]


def scans(image: torch.Tensor, noise: torch.Tensor, step: int = 2) -> CoilBatch:
    """Measure one image many times, by every R-th line from a random first one and its calibration.

    One scan for each noise `(coils, ky, kx)`: of the calibration in the middle every line is there.
    """
    starts = torch.randint(step, (len(noise),), generator=generator(4))
    masks = torch.zeros(step, 1, SHAPE[1], dtype=torch.float64)
    for first in range(step):
        masks[first, 0, first::step] = 1
    shown = [decompose(SenseOperator(maps(), lattice)) for lattice in masks]
    masks = masks.clone()
    masks[..., 3:5] = 1
    whole = [SenseOperator(maps(), mask) for mask in masks]
    density = torch.full((1, SHAPE[1]), 1 / step, dtype=torch.float64)
    density[0, 3:5] = 1
    made = []
    for first, n in zip(starts.tolist(), noise, strict=True):
        kspace = whole[first].forward(image) + SIGMA * n * masks[first]
        made.append(Measured(kspace, SIGMA, density, whole[first], shown[first]))
    return CoilBatch(tuple(made))


@pytest.mark.parametrize("d", [0.45, 0.95])
def test_it_is_the_error_of_the_whole_image_in_the_mean(d):
    """Also below the noise of some components, where it is the error weighted by what was sampled.

    Pairs of estimate and truth from the same states, so their difference has little noise; without
    the trace it would be far off.
    """
    count = 1500
    network, image = Convolution(), complex_normal(*SHAPE, seed=7)
    batch = scans(image, complex_normal(count, COILS, *SHAPE, seed=20))
    level = torch.full((count,), d, dtype=torch.float64)
    hidden = noise_of_components(batch.scans[0].shown, SIGMA) > d
    assert bool(hidden.any()) == (d < 0.9)
    found = squared_error_of_coils(network, batch, level, generator(9)).detach()
    found = found - constant_of_coils(batch)
    same = generator(9)
    states = torch.stack([state_of(scan, d, same).image for scan in batch.scans])
    with torch.no_grad():
        clean = network(states, level)

    def judged(scan, f, reference):
        return ((scan.operator.forward(f) - reference).abs() ** 2 / scan.density).sum()

    truth, data = (
        torch.stack([judged(s, f, of(s)) for s, f in zip(batch.scans, clean, strict=True)])
        / image.numel()
        for of in (lambda s: s.operator.forward(image), lambda s: s.kspace)
    )
    off = found - truth
    bound = 4 * off.std() / count**0.5
    assert abs(off.mean()) < bound < 0.015 * truth.mean()
    assert abs((data - constant_of_coils(batch) - truth).mean()) > bound
    if not hidden.any():
        whole = (clean - image).abs().square().mean(dim=(-2, -1))
        assert abs((found - whole).mean()) < 4 * (found - whole).std() / count**0.5


class Shrunk(torch.nn.Module):
    """Nearly the identity, whose trace is most of the loss."""

    def forward(self, x, _level):
        return 0.9 * x


def test_its_trace_weighs_what_the_masks_weigh():
    count, d = 1500, 0.95
    image = complex_normal(*SHAPE, seed=7)
    batch = scans(image, complex_normal(count, COILS, *SHAPE, seed=20))
    level = torch.full((count,), d, dtype=torch.float64)
    found = squared_error_of_coils(Shrunk(), batch, level, generator(9)) - constant_of_coils(batch)
    same = generator(9)
    states = torch.stack([state_of(scan, d, same).image for scan in batch.scans])
    off = found - (0.9 * states - image).abs().square().mean(dim=(-2, -1))
    assert abs(off.mean()) < 4 * off.std() / count**0.5 < 0.05 * found.mean()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"density": torch.tensor([[0.5] * 7 + [0.0]])}, "never take some samples"),
        ({"sigma": 0.0}, "sigma of a scan is 0"),
    ],
)
def test_scans_that_cannot_be_judged_are_refused(change, message):
    batch = scans(complex_normal(*SHAPE, seed=7), complex_normal(1, COILS, *SHAPE, seed=2))
    broken = CoilBatch((batch.scans[0]._replace(**change),))
    with pytest.raises(ValueError, match=message):
        GSURE(smallest=0.4).loss(Convolution(), broken, generator())


def test_a_state_is_white_and_shows_the_image():
    """Whatever the scan shows of the components, the noise of a state has the level d in all."""
    count, d = 1500, 0.45
    image = complex_normal(*SHAPE, seed=7)
    noise = complex_normal(count, COILS, *SHAPE, seed=20)
    first = scans(image, noise[:1]).scans[0]
    clean, mask = first.operator.forward(image), first.operator.mask
    shown = noise_of_components(first.shown, SIGMA) <= d
    assert 0.3 < shown.double().mean() < 1
    expected = first.shown.image(torch.where(shown, first.shown.spectrum(image), 0))
    again = (first._replace(kspace=clean + SIGMA * n * mask) for n in noise)
    states = torch.stack([state_of(s, d, generator(i)).image for i, s in enumerate(again)])
    off = states - expected
    assert off.mean(0).abs().max() < 5 * d * (2 / count) ** 0.5
    covariance = torch.cov(off.flatten(1).T).abs() / (2 * d**2)
    assert (covariance - torch.eye(image.numel())).abs().max() < 6 / count**0.5


def test_gradients_reach_the_weights_through_the_coils():
    network, objective = Convolution(), GSURE(smallest=0.2)
    batch = scans(complex_normal(*SHAPE, seed=7), complex_normal(3, COILS, *SHAPE, seed=2))
    loss = objective.loss(network, batch, generator())
    (gradient,) = torch.autograd.grad(loss, [network.inner.weight])
    step = 1e-6 * gradient / gradient.norm()
    with torch.no_grad():
        network.inner.weight += step
        up = objective.loss(network, batch, generator())
        network.inner.weight -= 2 * step
        down = objective.loss(network, batch, generator())
    assert float((up - down) / 2e-6) == pytest.approx(float(gradient.norm()), rel=1e-4)


def test_the_paper_has_no_constants_for_several_coils():
    batch = scans(complex_normal(*SHAPE, seed=7), complex_normal(1, COILS, *SHAPE, seed=2))
    with pytest.raises(ValueError, match="of several coils, which the paper leaves for later"):
        GSURE.paper().loss(Convolution(), batch, generator())


def test_a_batch_is_split_and_moved():
    batch = scans(complex_normal(*SHAPE, seed=7), complex_normal(3, COILS, *SHAPE, seed=2))
    assert [len(part) for part in batch.split(2)] == [2, 1]
    assert batch.to("cpu").device.type == "cpu"
    torch.testing.assert_close(batch.to("cpu").scans[1].kspace, batch.scans[1].kspace)
