import numpy as np
import pytest
import torch

from kspace_denoise import recon, sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.nufft import Nufft
from kspace_denoise.recon import NufftOperator, SenseOperator
from tests.helpers import assert_same_kind, check_adjoint, complex_array, random_covariance

SHAPE = (13, 16)


def trajectory(rng: np.random.Generator, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return (rng.uniform(-0.5, 0.5, (6, 7, 2)) * np.array(shape)).astype(np.float32)


def cartesian(shape: tuple[int, int]) -> np.ndarray:
    """Return the trajectory whose readouts are the rows of Cartesian k-space."""
    grid = np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij")
    return np.stack(grid, -1).astype(np.float32)


def relative(a, b) -> float:
    return float(np.linalg.norm(to_numpy(a) - to_numpy(b)) / np.linalg.norm(to_numpy(b)))


@pytest.mark.parametrize("backend", ["finufft", "torchkbnufft"])
@pytest.mark.parametrize("coils", [1, 3])
@pytest.mark.parametrize("shape", [(12, 8), (13, 9)])
def test_the_adjoint_is_the_adjoint(rng, backend, coils, shape):
    operator = NufftOperator(complex_array(rng, (coils, *shape)), trajectory(rng, shape), backend)
    image, samples = complex_array(rng, (2, *shape)), complex_array(rng, (2, coils, 6, 7))
    check_adjoint(operator.forward, operator.adjoint, image, samples)


def test_it_is_the_sum_over_the_image_of_each_coil(rng):
    maps, positions = complex_array(rng, (3, *SHAPE)).astype(complex), trajectory(rng)
    image = complex_array(rng, SHAPE).astype(complex)
    y, x = (np.arange(n) - n // 2 for n in SHAPE)
    phase = positions[..., 0, None, None].astype(float) * y[:, None] / SHAPE[0]
    phase = phase + positions[..., 1, None, None] * x / SHAPE[1]
    direct = np.exp(-2j * np.pi * phase) / np.sqrt(np.prod(SHAPE))
    expected = np.einsum("rsyx,cyx,yx->crs", direct, maps, image)
    assert relative(NufftOperator(maps, positions).forward(image), expected) < 1e-11


@pytest.mark.parametrize("shape", [(12, 10), (11, 9)])
def test_on_a_cartesian_trajectory_it_is_the_cartesian_operator(rng, kind, shape):
    maps, image = kind(complex_array(rng, (3, *shape))), kind(complex_array(rng, (2, *shape)))
    operator = NufftOperator(maps, cartesian(shape), accuracy=1e-6)
    reference = SenseOperator(maps)
    samples = operator.forward(image)
    assert_same_kind(samples, image)
    assert relative(samples, reference.forward(image)) < 1e-5
    assert relative(operator.adjoint(samples), reference.adjoint(samples)) < 1e-5
    assert_same_kind(operator.normal(image), image)
    assert relative(operator.normal(image), reference.normal(image)) < 1e-6


@pytest.mark.parametrize("shape", [(12, 8), (13, 9), (7, 10)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.complex128, 1e-8), (np.complex64, 1e-5)])
def test_normal_is_adjoint_of_forward(rng, shape, dtype, tolerance):
    maps = complex_array(rng, (2, 3, *shape)).astype(dtype)
    operator = NufftOperator(maps, trajectory(rng, shape), accuracy=1e-6)
    image = complex_array(rng, (2, *shape)).astype(dtype)
    found = operator.normal(image)
    assert found.dtype == dtype
    assert relative(found, operator.adjoint(operator.forward(image))) < tolerance


def test_normal_takes_coils_in_blocks(rng):
    shape = (256, 260)
    maps = complex_array(rng, (7, *shape)).astype(complex)
    operator = NufftOperator(maps, sim.trajectory("radial", shape, 20))
    image = complex_array(rng, shape).astype(complex)
    assert relative(operator.normal(image), operator.adjoint(operator.forward(image))) < 1e-9


def test_leading_axes_and_maps_of_every_slice(rng):
    maps, positions = complex_array(rng, (2, 3, *SHAPE)), trajectory(rng)
    images = complex_array(rng, (4, 2, *SHAPE))
    operator = NufftOperator(maps, positions)
    samples = operator.forward(images)
    assert samples.shape == (4, 2, 3, 6, 7)
    one = NufftOperator(maps[1], positions)
    np.testing.assert_allclose(one.forward(images[2, 1]), samples[2, 1], atol=1e-4)
    np.testing.assert_allclose(
        one.adjoint(samples[2, 1]), operator.adjoint(samples)[2, 1], atol=1e-3
    )
    np.testing.assert_allclose(one.normal(images[2, 1]), operator.normal(images)[2, 1], atol=1e-4)


@pytest.mark.parametrize("backend", ["finufft", "torchkbnufft"])
def test_gradients(rng, backend):
    maps = torch.from_numpy(complex_array(rng, (3, *SHAPE)).astype(complex))
    operator = NufftOperator(maps, trajectory(rng), backend)
    image = torch.from_numpy(complex_array(rng, SHAPE).astype(complex)).requires_grad_()
    weights = torch.from_numpy(complex_array(rng, (3, 6, 7)).astype(complex))
    torch.real((weights.conj() * operator.forward(image)).sum()).backward()
    assert relative(image.grad, operator.adjoint(weights)) < 1e-9
    image.grad = None
    torch.real((image.detach().conj() * operator.normal(image)).sum()).backward()
    assert relative(image.grad, operator.normal(image.detach())) < 1e-9


def test_gradients_reach_the_maps(rng):
    positions = trajectory(rng)
    image = torch.from_numpy(complex_array(rng, SHAPE).astype(complex))
    maps = torch.from_numpy(complex_array(rng, (2, *SHAPE)).astype(complex)).requires_grad_()
    weights = torch.from_numpy(complex_array(rng, (2, 6, 7)).astype(complex))
    operator, transform = NufftOperator(maps, positions), Nufft(positions, SHAPE)

    def gradient(result, direction):
        maps.grad = None
        torch.real((direction.conj() * result).sum()).backward()
        return maps.grad

    fixed = maps.detach()
    expected = image.conj() * transform.adjoint(weights)
    assert relative(gradient(operator.forward(image), weights), expected) < 1e-9
    assert relative(gradient(operator.adjoint(weights), image), expected) < 1e-9
    # The derivative of <x, Eᴴ E x> by the maps, from E x; and again, from what was kept.
    expected = 2 * image.conj() * transform.adjoint(transform.forward(fixed * image))
    for _ in range(2):
        assert relative(gradient(operator.normal(image), image), expected) < 1e-9


def test_it_agrees_with_sigpy(rng):
    sigpy = pytest.importorskip("sigpy")
    maps, image = complex_array(rng, (3, *SHAPE)), complex_array(rng, SHAPE)
    positions = trajectory(rng)
    theirs = sigpy.nufft(maps * image, positions, oversamp=2, width=6)
    ours = NufftOperator(maps, positions, accuracy=1e-6).forward(image)
    assert relative(ours, theirs) < 2e-5


def test_coil_noise_is_added_to_samples_as_to_cartesian_kspace(rng):
    psi = random_covariance(rng, 3)
    samples = np.zeros((20, 3, 40, 64), np.complex64)
    noise = sim.add_noise(samples, psi, seed=0)
    measured = recon.noise_covariance(np.moveaxis(noise, 1, 0))
    spread = np.sqrt(np.outer(np.diag(psi).real, np.diag(psi).real) / (20 * 40 * 64))
    assert np.all(abs(measured - psi) < 5 * spread)
    # And each sample of an image of white noise has the sigma of the image.
    shape = (16, 16)
    one = NufftOperator(np.ones((1, *shape), np.complex64), sim.trajectory("spiral", shape))
    power = np.mean(abs(one.forward(complex_array(rng, (400, *shape)))) ** 2, axis=(1, 2, 3))
    assert abs(power.mean() / 2 - 1) < 5 * power.std() / 2 / np.sqrt(400)


def test_arguments_stay_as_they_were(rng):
    maps, positions = complex_array(rng, (3, *SHAPE)), trajectory(rng)
    image = complex_array(rng, SHAPE)
    given = [a.copy() for a in (maps, positions, image)]
    operator = NufftOperator(maps, positions)
    operator.normal(operator.adjoint(operator.forward(image)))
    for before, after in zip(given, (maps, positions, image), strict=True):
        np.testing.assert_array_equal(before, after)


def test_bad_input_is_refused(rng):
    maps, positions = complex_array(rng, (3, *SHAPE)), trajectory(rng)
    with pytest.raises(TypeError, match="maps is float32"):
        NufftOperator(maps.real, positions)
    with pytest.raises(ValueError, match="beyond n / 2"):
        NufftOperator(maps[..., :8], positions)
    with pytest.raises(ValueError, match="unknown backend"):
        NufftOperator(maps, positions, "gpu")
    with pytest.raises(ValueError, match="accuracy is nan"):
        NufftOperator(maps, positions, accuracy=float("nan"))
    operator = NufftOperator(maps, positions)
    for method in (operator.forward, operator.normal):
        with pytest.raises(ValueError, match=r"image has shape \(16, 1\), .* as the maps do"):
            method(complex_array(rng, (16, 1)))
    with pytest.raises(ValueError, match="for the 3 coils of the maps"):
        operator.adjoint(complex_array(rng, (2, 6, 7)))
    with pytest.raises(ValueError, match=r"ending in \(6, 7\)"):
        operator.adjoint(complex_array(rng, (3, 7, 6)))
