import numpy as np
import pytest
import torch

from kspace_denoise.fourier import ifft2c
from kspace_denoise.recon import SenseOperator
from kspace_denoise.recon.conjugate_gradient import conjugate_gradient
from kspace_denoise.recon.preconditioner import density_preconditioner
from tests.helpers import check_adjoint, complex_array
from tests.recon.cases import smooth_maps

SIZE = (9, 8)


def operators(rng):
    maps = smooth_maps(4, SIZE)
    maps[:, :3, :2] = 0
    two = np.stack([maps, smooth_maps(4, SIZE, seed=1)])
    mask = (rng.random(SIZE) < 0.5).astype(np.float32)
    per_slice = (rng.random((2, *SIZE)) < 0.5).astype(np.float32)
    yield SenseOperator(torch.tensor(maps), torch.tensor(mask)), (*SIZE,)
    yield SenseOperator(torch.tensor(maps), torch.tensor(per_slice)), (2, *SIZE)
    yield SenseOperator(torch.tensor(two), torch.tensor(per_slice), soft=True), (2, 2, *SIZE)
    yield SenseOperator(torch.tensor(maps), torch.tensor(mask[0])), (*SIZE,)
    yield SenseOperator(torch.tensor(maps)), (*SIZE,)


@pytest.mark.parametrize("case", range(5))
def test_it_is_hermitian_and_positive_and_stays_inside_the_maps(rng, case):
    operator, shape = list(operators(rng))[case]
    apply = density_preconditioner(operator, 0.01)
    seen = (operator.maps != 0).any(-3).expand(shape)
    x, y = (torch.where(seen, torch.tensor(complex_array(rng, shape)), 0) for _ in range(2))
    check_adjoint(apply, apply, x, y)
    assert not apply(x)[~seen].any()
    assert float(torch.vdot(x.flatten(), apply(x).flatten()).real) > 0


def test_it_divides_by_the_root_of_the_normal_operators_diagonal_in_kspace(rng):
    maps, mask = smooth_maps(4, SIZE), (rng.random(SIZE) < 0.5).astype(np.float32)
    operator = SenseOperator(torch.tensor(maps), torch.tensor(mask))
    waves = ifft2c(np.eye(72).reshape(72, *SIZE).astype(np.complex64))
    diagonal = np.sum(waves.conj() * operator.normal(torch.tensor(waves)).numpy(), axis=(-2, -1))
    apply = density_preconditioner(operator, 0.03)
    weight = np.sum(waves.conj() * apply(torch.tensor(waves)).numpy(), axis=(-2, -1))
    assert diagonal.real.std() > 0.1
    np.testing.assert_allclose(
        weight, (diagonal.real + 0.1 * mask.mean() + 0.03) ** -0.5, rtol=1e-4, atol=1e-5
    )


def test_it_saves_iterations_and_changes_no_solution(rng):
    maps = torch.tensor(smooth_maps(4, (32, 32)))
    radius = np.hypot(*np.meshgrid(*[np.arange(32) - 16] * 2))
    mask = rng.random((32, 32)) < np.clip(1.2 - radius / 14, 0.1, 1)
    operator = SenseOperator(maps, torch.tensor(mask.astype(np.float32)))
    b = operator.adjoint(torch.tensor(complex_array(rng, (4, 32, 32))))
    counts, solutions = [], []
    for precondition in (None, density_preconditioner(operator, 0.01)):
        calls = []

        def normal(x, calls=calls):
            calls.append(1)
            return operator.normal(x) + 0.01 * x

        solutions.append(conjugate_gradient(normal, b, 1e-6, 300, precondition).numpy())
        counts.append(len(calls))
    assert counts[1] < 0.8 * counts[0]
    np.testing.assert_allclose(solutions[1], solutions[0], atol=1e-4 * np.abs(solutions[0]).max())
