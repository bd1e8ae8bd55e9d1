import shutil
import subprocess
from functools import partial

import numpy as np
import pytest
import torch

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon import SenseOperator, tv
from kspace_denoise.recon.tv import adjoint_gradient, gradient
from kspace_denoise.sim import add_noise
from tests.helpers import assert_same_kind, check_adjoint, complex_array, random_covariance
from tests.recon.cases import disc, smooth_maps

SIZE = (20, 23)
exact = partial(tv, iterations=300, tolerance=1e-7)


def lengths(image):
    """Return the lengths of the differences, written out."""
    dy, dx = np.diff(image, axis=0), np.diff(image, axis=1)
    return np.sqrt(
        np.pad(np.abs(dy) ** 2, ((0, 1), (0, 0))) + np.pad(np.abs(dx) ** 2, ((0, 0), (0, 1)))
    )


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def scattered(rng):
    mask = rng.random(SIZE) < 0.4
    mask[6:14, 8:16] = True
    return mask.astype(np.float32)


def one_coil(image):
    """Return fully sampled k-space and the map 1."""
    return fft2c(image.astype(complex))[None], np.ones((1, *image.shape), complex)


def test_the_gradient_has_its_adjoint_and_its_bound(rng):
    x, field = (torch.from_numpy(complex_array(rng, shape)) for shape in (SIZE, (2, *SIZE)))
    check_adjoint(gradient, adjoint_gradient, x, field)
    np.testing.assert_allclose(gradient(x).norm(dim=0).numpy(), lengths(x.numpy()), rtol=1e-6)
    for _ in range(100):
        x = adjoint_gradient(gradient(x))
        largest, x = x.norm(), x / x.norm()
    assert 7.5 < largest < 8


@pytest.mark.parametrize("axis", [0, 1])
def test_a_complex_step_loses_lambda_over_its_width_on_either_side(axis):
    """Plateaus a and b of n and m pixels move towards each other by λ / n and λ / m."""
    n, m, lam = 7, SIZE[axis] - 7, 2.0
    a, b = 3 + 1j, -2 + 4j
    towards = (b - a) / abs(b - a)
    line = np.r_[np.full(n, a), np.full(m, b)]
    expected = np.r_[np.full(n, a + lam / n * towards), np.full(m, b - lam / m * towards)]
    shape = [1, 1]
    shape[axis] = -1
    given = np.broadcast_to(line.reshape(shape), SIZE)
    image = tv(*one_coil(given), lam=lam, iterations=300, tolerance=0.0)
    np.testing.assert_allclose(image, np.broadcast_to(expected.reshape(shape), SIZE), atol=1e-4)


def test_a_large_lambda_leaves_the_mean(rng):
    image = complex_array(rng, (7, 8))
    flat = exact(*one_coil(image), lam=10.0)
    np.testing.assert_allclose(flat, np.full((7, 8), image.mean()), atol=1e-4)


def test_denoising_closes_the_duality_gap(rng):
    """Whatever field p with |p| ≤ λ, ½|b|² - ½|b - Dᴴp|² bounds every cost from below."""
    b, lam = 3 * disc(SIZE) + complex_array(rng, SIZE), 1.0
    image = exact(*one_coil(b), lam=lam)
    assert image.dtype == np.complex128
    cost = np.sum(np.abs(image - b) ** 2) / 2 + lam * np.sum(lengths(image))
    b = torch.from_numpy(b)
    field = torch.zeros((2, *SIZE), dtype=torch.complex128)
    for _ in range(3000):
        field = field + gradient(b - adjoint_gradient(field)) / 8
        field = field / (field.norm(dim=0) / lam).clamp(min=1)
    bound = (b.norm() ** 2 - (b - adjoint_gradient(field)).norm() ** 2) / 2
    assert 0 <= cost - bound < 1e-4 * cost


def test_no_change_of_the_image_lowers_the_cost(rng):
    mask = scattered(rng)
    maps = smooth_maps(4, SIZE).astype(np.complex128)
    maps /= np.linalg.norm(maps, axis=0)
    kspace = fft2c(20 * maps * disc(SIZE)) + complex_array(rng, (4, *SIZE))
    lam = 0.7
    image = exact(kspace, maps, mask, lam=lam)
    operator = SenseOperator(maps, mask)

    def cost(x):
        misfit = np.sum(np.abs(mask * kspace - operator.forward(x)) ** 2) / 2
        return misfit + lam * np.sum(lengths(x))

    lowest = cost(image)
    changes = [complex_array(rng, SIZE) for _ in range(20)]
    changes += [image, 1j * image, np.ones(SIZE), ifft2c(complex_array(rng, SIZE) * (1 - mask))]
    for change in changes:
        for step in (0.1, -0.1, 1e-3, -1e-3):
            assert cost(image + step * change) > lowest * (1 - 1e-7)


def test_every_kind_of_array_and_no_input_modified(rng, kind):
    maps, mask, psi = smooth_maps(4, SIZE), scattered(rng), random_covariance(rng, 4)
    kspace = complex_array(rng, (4, *SIZE))
    given = [kind(kspace), kind(maps), kind(mask), kind(psi)]
    out = tv(*given, iterations=4)
    assert_same_kind(out, given[0])
    assert to_numpy(out).dtype == np.complex64
    np.testing.assert_allclose(to_numpy(out), tv(kspace, maps, mask, psi, iterations=4), atol=1e-4)
    for array, original in zip(given, (kspace, maps, mask, psi), strict=True):
        np.testing.assert_array_equal(to_numpy(array), original)


def test_lambda_counts_sigma_whatever_the_unit_of_the_data(rng):
    psi, mask = random_covariance(rng, 4), scattered(rng)
    maps = 3 * smooth_maps(4, SIZE)
    kspace = add_noise(fft2c(50 * maps * disc(SIZE)).astype(np.complex64), psi, seed=1)
    one = tv(kspace, maps, mask, psi, iterations=10)
    small = tv(1e-6 * kspace, maps, mask, 1e-12 * psi.astype(complex), iterations=10)
    np.testing.assert_allclose(1e6 * small, one, rtol=1e-3, atol=1e-3)
    default = tv(kspace, maps, mask, psi, lam=1.0 * np.sqrt(mask.mean()), iterations=10)
    np.testing.assert_allclose(default, one, rtol=1e-4, atol=1e-4)


def test_it_denoises_slice_by_slice(rng):
    maps = np.stack([smooth_maps(3, SIZE, seed) for seed in range(2)])
    image = np.stack([6 * disc(SIZE), 3j * disc(SIZE)])
    kspace = fft2c(maps * image[:, None]).astype(np.complex64)
    kspace = kspace + complex_array(rng, kspace.shape)
    out = tv(kspace, maps)
    for i in range(2):
        alone = tv(kspace[i], maps[i])
        np.testing.assert_allclose(out[i], alone, rtol=1e-4, atol=1e-4)
        plain = np.sum(maps[i].conj() * ifft2c(kspace[i]), axis=0)
        assert relative(alone, image[i]) < 0.7 * relative(plain, image[i])


def test_pixels_without_maps_are_zero(rng):
    maps = smooth_maps(3, SIZE).copy()
    maps[:, :5] = 0
    image = tv(complex_array(rng, (3, *SIZE)), maps, np.arange(SIZE[1]) % 2, iterations=5)
    assert not image[:5].any()
    assert np.isfinite(image).all()
    assert image[5:].any()


def test_it_agrees_with_bart(rng, tmp_path):
    """BART's differences go around the edges, so the object stays away from them."""
    if shutil.which("bart") is None:
        pytest.skip("no BART")
    size = (64, 64)
    maps, image = smooth_maps(4, size), np.zeros(size, np.complex64)
    image[8:56, 8:56] = 20 * disc((48, 48))
    mask = rng.random(size) < 0.4
    mask[24:40, 24:40] = True
    kspace = fft2c(maps * image).astype(np.complex64) + complex_array(rng, (4, *size))
    kspace = (kspace * mask).astype(np.complex64)
    for name, array in (("kspace", kspace), ("maps", maps)):
        coils, y, x = array.shape
        (tmp_path / f"{name}.hdr").write_text(f"# Dimensions\n{x} {y} 1 {coils}\n")
        array.tofile(tmp_path / f"{name}.cfl")
    command = "bart pics -S -w 1 -i 300 -u 0.1 -R T:3:0:1.0 kspace maps out"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    theirs = np.fromfile(tmp_path / "out.cfl", np.complex64).reshape(size)
    assert relative(tv(kspace, maps, mask, lam=1.0), theirs) < 0.02


@pytest.mark.cuda
def test_a_gpu_gives_the_same_image(rng):
    kspace, maps, mask = complex_array(rng, (2, 4, *SIZE)), smooth_maps(4, SIZE), scattered(rng)
    image = tv(torch.from_numpy(kspace).cuda(), torch.from_numpy(maps).cuda(), mask, iterations=5)
    assert image.is_cuda
    assert relative(to_numpy(image), tv(kspace, maps, mask, iterations=5)) < 1e-4


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"kspace": np.ones((3, *SIZE))}, TypeError, "kspace is float64"),
        ({"maps": smooth_maps(4, SIZE)}, ValueError, "do not fit k-space of shape"),
        ({"mask": np.zeros(23)}, ValueError, "nothing was sampled"),
        ({"noise_covariance": np.zeros((3, 3))}, ValueError, "not positive definite"),
        ({"lam": -1.0}, ValueError, "lam is -1.0"),
        ({"iterations": 0}, ValueError, "iterations=0"),
        ({"tolerance": -1e-3}, ValueError, "tolerance=-0.001"),
    ],
)
def test_bad_input_is_refused(rng, change, error, message):
    given = {"kspace": complex_array(rng, (3, *SIZE)), "maps": smooth_maps(3, SIZE)}
    with pytest.raises(error, match=message):
        tv(**{**given, **change})
