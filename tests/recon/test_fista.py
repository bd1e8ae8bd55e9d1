import numpy as np
import torch

from kspace_denoise.recon.fista import fista, settled
from kspace_denoise.recon.regularised import Misfit
from tests.helpers import complex_array


def diagonal(rng):
    """Return the misfit of a diagonal EᴴE between 0.1 and 1, and its solution without a prior."""
    weight = torch.from_numpy(rng.uniform(0.1, 1, (6, 7)).astype(np.float32))
    combined = torch.from_numpy(complex_array(rng, (6, 7)))
    return Misfit(lambda image: weight * image, combined, 1.0), combined / weight


def test_without_a_prior_it_solves_the_normal_equations_and_leaves_the_margin(rng):
    misfit, solution = diagonal(rng)
    image = settled(fista(misfit, (8, 8), lambda x, _: x, 1000), 1e-7)
    torch.testing.assert_close(image[:6, :7], solution, rtol=1e-3, atol=1e-4)
    assert not image[6:].any()
    assert not image[:, 7:].any()


def test_momentum_beats_plain_gradients(rng):
    """The cost falls as 2 |x|² / (k + 1)², where plain steps promise |x|² / (2 k) only."""
    misfit, solution = diagonal(rng)
    least = -torch.sum(misfit.combined.conj() * solution).real / 2
    for k, image in enumerate(fista(misfit, (6, 7), lambda x, _: x, 40), start=1):
        quadratic = torch.sum(image.conj() * misfit.normal(image)).real / 2
        cost = quadratic - torch.sum(misfit.combined.conj() * image).real
        assert cost - least <= 2 * solution.norm() ** 2 / (k + 1) ** 2


def test_iterations_are_numbered_and_end(rng):
    misfit, _ = diagonal(rng)
    seen = []
    list(fista(misfit, (6, 7), lambda x, i: seen.append(i) or x, 4))
    assert seen == [0, 1, 2, 3]


def test_settled_stops_at_the_first_small_change():
    images = iter([torch.tensor(value) for value in (0.0, 1.0, 1.5, 1.501, 1.6)])
    assert settled(images, 1e-2) == torch.tensor(1.501)
    assert next(images) == torch.tensor(1.6)
    assert settled([torch.tensor(0.0), torch.tensor(0.0)], 0.0) == 0
    assert settled([torch.tensor(2.0), torch.tensor(1.0)], 0.1) == 1
