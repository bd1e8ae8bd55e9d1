import importlib

import numpy as np
import pytest
import torch

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c
from kspace_denoise.nufft import Nufft
from kspace_denoise.nufft.plans import Plans
from tests.helpers import assert_same_kind, check_adjoint, complex_array

SHAPES = [(8, 6), (7, 9), (16, 15)]


def trajectory(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return positions (4, 5, 2) all over k-space, its edge included."""
    positions = rng.uniform(-0.5, 0.5, (4, 5, 2))
    positions[0, 0] = -0.5
    return positions * np.array(shape)


def matrix(positions: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the transform as a matrix (readouts, samples, y, x), by its definition."""
    y, x = (np.arange(n) - n // 2 for n in shape)
    phase = positions[..., 0, None, None] * y[:, None] / shape[0]
    phase = phase + positions[..., 1, None, None] * x / shape[1]
    return np.exp(-2j * np.pi * phase) / np.sqrt(shape[0] * shape[1])


def relative(a, b) -> float:
    return float(np.linalg.norm(to_numpy(a) - to_numpy(b)) / np.linalg.norm(to_numpy(b)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("backend", "dtype", "accuracy", "tolerance"),
    [
        ("finufft", np.complex128, 1e-4, 1e-11),
        ("finufft", np.complex64, 1e-4, 3e-4),
        ("finufft", np.complex64, 1e-6, 1e-5),
        ("torchkbnufft", np.complex128, 1e-4, 1e-4),
        ("torchkbnufft", np.complex64, 1e-4, 1e-4),
    ],
)
def test_it_is_the_sum_it_says(rng, shape, backend, dtype, accuracy, tolerance):
    positions = trajectory(rng, shape)
    image = complex_array(rng, (3, *shape)).astype(dtype)
    samples = complex_array(rng, (3, 4, 5)).astype(dtype)
    direct = matrix(positions, shape)
    transform = Nufft(positions, shape, backend, accuracy)
    forward, adjoint = transform.forward(image), transform.adjoint(samples)
    assert (forward.dtype, adjoint.dtype) == (dtype, dtype)
    assert relative(forward, np.einsum("rsyx,cyx->crs", direct, image)) < tolerance
    assert relative(adjoint, np.einsum("rsyx,crs->cyx", direct.conj(), samples)) < tolerance


def test_an_image_may_be_one_line(rng):
    positions = trajectory(rng, (1, 12))
    image = complex_array(rng, (1, 12)).astype(complex)
    expected = np.einsum("rsyx,yx->rs", matrix(positions, (1, 12)), image)
    assert relative(Nufft(positions, (1, 12)).forward(image), expected) < 1e-11


@pytest.mark.parametrize("shape", [(8, 10), (9, 7)])
def test_at_the_integers_it_is_the_cartesian_transform(rng, kind, shape):
    grid = np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij")
    positions = np.stack(grid, -1).astype(np.float32)
    image = kind(complex_array(rng, (2, 3, *shape)))
    samples = Nufft(kind(positions), shape).forward(image)
    assert_same_kind(samples, image)
    assert relative(samples, fft2c(image)) < 1e-4


@pytest.mark.parametrize("backend", ["finufft", "torchkbnufft"])
@pytest.mark.parametrize("shape", [(12, 16), (9, 11)])
def test_the_adjoint_is_exact_whatever_the_accuracy(rng, backend, shape):
    transform = Nufft(trajectory(rng, shape), shape, backend, accuracy=1e-2)
    image, samples = complex_array(rng, (2, *shape)), complex_array(rng, (2, 4, 5))
    check_adjoint(transform.forward, transform.adjoint, image, samples, rtol=1e-6)


def test_accuracy_is_what_was_asked_for(rng):
    shape = (64, 64)
    positions = rng.uniform(-32, 32, (100, 64, 2))
    image = complex_array(rng, shape)
    exact = Nufft(positions, shape).forward(image.astype(np.complex128))
    errors = [
        relative(Nufft(positions, shape, accuracy=accuracy).forward(image), exact)
        for accuracy in (1e-2, 1e-4, 1e-6)
    ]
    assert all(e < bound for e, bound in zip(errors, (1e-2, 1e-4, 1e-5), strict=True))
    assert errors[2] < errors[1] < errors[0]


def test_noise_keeps_its_sigma(rng):
    shape, count = (16, 15), 4000
    samples = Nufft(trajectory(rng, shape), shape).forward(complex_array(rng, (count, *shape)))
    # The samples of one image are correlated, those of different images are not.
    power = np.mean(abs(samples) ** 2, axis=(1, 2)) / 2
    assert abs(power.mean() - 1) < 5 * power.std(ddof=1) / np.sqrt(count)


@pytest.mark.parametrize("backend", ["finufft", "torchkbnufft"])
def test_gradients_are_the_adjoint(rng, backend):
    shape = (8, 7)
    transform = Nufft(trajectory(rng, shape), shape, backend)
    image = torch.from_numpy(complex_array(rng, (2, *shape)).astype(complex)).requires_grad_()
    weights = torch.from_numpy(complex_array(rng, (2, 4, 5)).astype(complex))
    torch.real((weights.conj() * transform.forward(image)).sum()).backward()
    assert relative(image.grad, transform.adjoint(weights)) < 1e-9


def test_gradients_of_any_order(rng):
    shape = (5, 4)
    transform = Nufft(trajectory(rng, shape), shape)
    image = torch.from_numpy(complex_array(rng, shape).astype(complex)).requires_grad_()
    samples = torch.from_numpy(complex_array(rng, (4, 5)).astype(complex)).requires_grad_()
    assert torch.autograd.gradcheck(transform.forward, (image,))
    assert torch.autograd.gradcheck(transform.adjoint, (samples,))
    assert torch.autograd.gradgradcheck(lambda y: transform.adjoint(y) ** 2, (samples,))


def test_views_conjugates_and_read_only_arrays(rng):
    shape = (8, 6)
    transform = Nufft(trajectory(rng, shape), shape)
    image = complex_array(rng, shape)
    image.flags.writeable = False
    expected = transform.forward(image)
    assert relative(transform.forward(np.asfortranarray(image)), expected) < 1e-6
    conjugate = torch.from_numpy(image.conj()).conj()
    assert relative(transform.forward(conjugate), expected) < 1e-6


def test_every_number_of_images_gives_the_same(rng):
    shape = (8, 6)
    transform = Nufft(trajectory(rng, shape), shape)
    images = complex_array(rng, (2, 3, *shape))
    together = transform.forward(images)
    assert together.shape == (2, 3, 4, 5)
    for i in range(2):
        np.testing.assert_allclose(transform.forward(images[i]), together[i], atol=1e-5)
        np.testing.assert_allclose(transform.forward(images[i, 0]), together[i, 0], atol=1e-5)


def test_few_plans_are_kept_and_those_in_use(rng):
    shape = (8, 6)
    positions = trajectory(rng, shape)
    plans = Plans(2 * np.pi * positions.reshape(-1, 2).T / np.array(shape)[:, None], shape, 1e-4)
    images = complex_array(rng, (9, *shape))
    expected = plans.execute(images, adjoint=False)
    kept = []
    for count in (1, 2, 3, 1, 4, 5, 1, 6, 7):
        found = plans.execute(images[:count], adjoint=False)
        np.testing.assert_allclose(found, expected[:count], atol=1e-4)
        kept.append(sorted(count for count, _ in plans.kept))
    assert kept[2] == [1, 2, 3, 9]
    assert kept[-1] == [1, 5, 6, 7]


def test_bad_input_is_refused(rng):
    transform = Nufft(trajectory(rng, (8, 6)), (8, 6))
    with pytest.raises(TypeError, match="expected complex"):
        transform.forward(np.ones((8, 6)))
    with pytest.raises(ValueError, match=r"expected \(\.\.\., y, x\) ending in \(8, 6\)"):
        transform.forward(complex_array(rng, (6, 8)))
    with pytest.raises(ValueError, match=r"expected \(\.\.\., readouts, samples\)"):
        transform.adjoint(complex_array(rng, (20,)))
    with pytest.raises(ValueError, match="unknown backend 'fft'"):
        Nufft(trajectory(rng, (8, 6)), (8, 6), "fft")
    for accuracy in (float("nan"), 0, -1, 1e-8, 1):
        with pytest.raises(ValueError, match=f"accuracy is {accuracy}, expected 1e-06 to below 1"):
            Nufft(trajectory(rng, (8, 6)), (8, 6), accuracy=accuracy)


def test_a_missing_library_tells_what_to_install(rng, monkeypatch):
    load = importlib.import_module

    def without(name: str):
        if name in ("finufft", "torchkbnufft"):
            raise ModuleNotFoundError(name)
        return load(name)

    shape = (8, 6)
    transform = Nufft(trajectory(rng, shape), shape)
    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'kspace-denoise\[noncart"):
        transform.forward(complex_array(rng, shape))
    by_torch = Nufft(trajectory(rng, shape), shape, "torchkbnufft")
    with pytest.raises(ModuleNotFoundError, match="need torchkbnufft"):
        by_torch.forward(complex_array(rng, shape))


@pytest.mark.cuda
def test_a_gpu_gives_what_the_cpu_gives(rng):
    shape = (32, 31)
    positions = trajectory(rng, shape)
    image = torch.from_numpy(complex_array(rng, (2, *shape)))
    samples = Nufft(positions, shape).forward(image)
    on_gpu = Nufft(positions, shape).forward(image.cuda())
    assert on_gpu.is_cuda
    assert relative(on_gpu, samples) < 2e-4
    with pytest.raises(ValueError, match="finufft computes on the CPU"):
        Nufft(positions, shape, "finufft").forward(image.cuda())
