import shutil
import subprocess
from functools import partial

import numpy as np
import pytest
import torch

from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon import SenseOperator, l1_wavelet, noise_map
from kspace_denoise.recon.noise import combine_coils, whitening_matrix
from kspace_denoise.recon.wavelet import WaveletTransform
from kspace_denoise.sim import add_noise
from tests.helpers import assert_same_kind, complex_array, random_covariance
from tests.recon.cases import disc, smooth_maps

SIZE = (32, 48)
fixed = partial(l1_wavelet, random_shifts=False, iterations=150, tolerance=1e-6)


def scattered(rng, size=SIZE):
    """Return a mask of a third of the samples and a sampled centre."""
    mask = rng.random(size) < 0.3
    y, x = (n // 2 for n in size)
    mask[y - 4 : y + 4, x - 4 : x + 4] = True
    return mask.astype(np.float32)


def case(rng, size=SIZE, snr=20.0, coils=4):
    """Return the k-space of a disc with white noise of sigma = 1, and the maps."""
    maps = smooth_maps(coils, size)
    return fft2c(snr * maps * disc(size)).astype(np.complex64) + complex_array(
        rng, (coils, *size)
    ), maps


def coefficients(image, wavelet="db2", levels=2):
    tensor = torch.from_numpy(np.ascontiguousarray(image))
    return WaveletTransform(wavelet, levels, image.shape, tensor).forward(tensor).numpy()


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def shortened(values, lam):
    return values * np.maximum(1 - lam / np.abs(values), 0)


@pytest.mark.parametrize("coils", [1, 4])
def test_denoising_shortens_every_coefficient_by_lambda(rng, coils):
    kspace, maps = case(rng, coils=coils)
    combined = np.sum(maps.conj() * ifft2c(kspace), axis=0)
    image = fixed(kspace, maps, lam=1.3, levels=2)
    expected = shortened(coefficients(combined), 1.3)
    np.testing.assert_allclose(coefficients(image), expected, atol=2e-4)


@pytest.mark.parametrize("coils", [1, 4])
def test_the_minimiser_meets_the_optimality_condition(rng, coils):
    """Ψ Eᴴ(y - E x) is λ c / |c| at a coefficient c, and no longer than λ where c is 0."""
    kspace, maps = case(rng, coils=coils)
    mask, lam = scattered(rng), 0.8
    kspace, maps = kspace.astype(np.complex128), maps.astype(np.complex128)
    maps /= np.linalg.norm(maps, axis=0)
    image = fixed(kspace, maps, mask, lam=lam, levels=2, iterations=3000, tolerance=1e-12)
    assert image.dtype == np.complex128
    operator = SenseOperator(maps, mask)
    residual = coefficients(operator.adjoint(kspace - operator.forward(image)))
    sparse = coefficients(image)
    kept = np.abs(sparse) > 1e-6
    assert 0.02 < kept.mean() < 0.6
    direction = sparse[kept] / np.abs(sparse[kept])
    np.testing.assert_allclose(residual[kept], lam * direction, atol=1e-5)
    assert np.abs(residual[~kept]).max() <= lam * (1 + 1e-6)


@pytest.mark.parametrize("random_shifts", [True, False])
def test_every_kind_of_array_and_no_input_modified(rng, kind, random_shifts):
    kspace, maps = case(rng)
    psi, mask = random_covariance(rng, 4), scattered(rng)
    given = [kind(kspace), kind(maps), kind(mask), kind(psi)]
    out = l1_wavelet(*given, iterations=4, random_shifts=random_shifts)
    assert_same_kind(out, given[0])
    assert to_numpy(out).dtype == np.complex64
    assert tuple(out.shape) == SIZE
    expected = l1_wavelet(kspace, maps, mask, psi, iterations=4, random_shifts=random_shifts)
    np.testing.assert_allclose(to_numpy(out), expected, rtol=1e-4, atol=1e-4)
    for array, original in zip(given, (kspace, maps, mask, psi), strict=True):
        np.testing.assert_array_equal(to_numpy(array), original)


def test_lambda_counts_sigma_whatever_the_unit_of_the_data(rng):
    """Correlated noise, maps of any scale: the image scales with the data, with nothing else."""
    psi, mask = random_covariance(rng, 4), scattered(rng)
    maps = 3 * smooth_maps(4, SIZE)
    kspace = add_noise(fft2c(50 * maps * disc(SIZE)).astype(np.complex64), psi, seed=1)
    one = l1_wavelet(kspace, maps, mask, psi, iterations=10)
    small = l1_wavelet(1e-6 * kspace, maps, mask, 1e-12 * psi.astype(complex), iterations=10)
    np.testing.assert_allclose(1e6 * small, one, rtol=1e-3, atol=1e-3)
    matrix = whitening_matrix(psi)
    seen = combine_coils(matrix, maps)
    strength = np.linalg.norm(seen, axis=0)
    white = l1_wavelet(combine_coils(matrix, kspace), seen / strength, mask, iterations=10)
    np.testing.assert_allclose(white / strength, one, rtol=1e-3, atol=1e-3)


def test_the_default_lambda_follows_the_sampled_share(rng):
    kspace, maps = case(rng)
    mask = scattered(rng)
    for sampling, share in ((None, 1.0), (mask, mask.mean())):
        expected = l1_wavelet(kspace, maps, sampling, lam=1.5 * np.sqrt(share), iterations=5)
        found = l1_wavelet(kspace, maps, sampling, iterations=5)
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("size", [(31, 45), (30, 33), (9, 7)])
def test_odd_sizes_are_continued_into_a_margin(rng, size):
    """Without a prior the margin changes nothing; with it the image is still no worse."""
    maps, image = smooth_maps(4, size), disc(size)
    kspace = fft2c(20 * maps * image).astype(np.complex64)
    noisy = kspace + complex_array(rng, kspace.shape)
    free = fixed(kspace, maps, lam=0.0)
    np.testing.assert_allclose(free, 20 * image, atol=1e-3)
    before = relative(np.sum(maps.conj() * ifft2c(noisy), axis=0), 20 * image)
    assert relative(l1_wavelet(noisy, maps), 20 * image) < before


def test_the_margin_is_minimised_too(rng):
    """Odd sizes solve the problem of the padded size with maps of 0 in the margin."""
    size, padded = (30, 31), (32, 32)
    maps, b = np.ones((1, *size), np.complex64), complex_array(rng, size)
    image = fixed(fft2c(b)[None], maps, lam=1.0, levels=3)

    def cost(whole):
        misfit = np.sum(np.abs(whole[: size[0], : size[1]] - b) ** 2) / 2
        return misfit + np.sum(np.abs(coefficients(whole, levels=3)))

    # Proximal gradients for the padded problem, written out.
    whole = np.zeros(padded, np.complex64)
    psi = WaveletTransform("db2", 3, padded, torch.from_numpy(whole))
    for _ in range(500):
        point = whole.copy()
        point[: size[0], : size[1]] = b
        sparse = shortened(psi.forward(torch.from_numpy(point)).numpy() + 1e-30, 1.0)
        whole = psi.inverse(torch.from_numpy(sparse)).numpy()
    assert relative(image, whole[: size[0], : size[1]]) < 1e-3
    assert cost(whole) < cost(np.pad(image, ((0, 2), (0, 1))))


def test_random_shifts_improve_the_image_and_follow_the_seed(rng):
    kspace, maps = case(rng, (64, 64), snr=8.0)
    mask = scattered(rng, (64, 64))
    truth = 8 * disc((64, 64))
    moving = partial(l1_wavelet, kspace, maps, mask, iterations=100)
    moved = moving(seed=0)
    assert relative(moved, truth) < 0.95 * relative(fixed(kspace, maps, mask), truth)
    np.testing.assert_array_equal(moved, moving(seed=0))
    other = moving(seed=np.random.default_rng(5))
    assert not np.array_equal(moved, other)
    # Different shifts, the same image: what the mean of the iterates is for.
    assert relative(moved, other) < 0.3 * relative(moved, truth)


def test_the_global_generators_are_left_alone(rng):
    kspace, maps = case(rng)
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state()  # noqa: NPY002
    l1_wavelet(kspace, maps, iterations=2)
    assert np.array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), before[1])


@pytest.mark.parametrize("random_shifts", [True, False])
def test_slices_are_solved_each_on_its_own(rng, random_shifts):
    maps = np.stack([smooth_maps(3, SIZE, seed) for seed in range(2)])
    kspace = np.stack([complex_array(rng, (2, 3, *SIZE)), 30 * complex_array(rng, (2, 3, *SIZE))])
    masks = np.stack([scattered(rng), scattered(rng)])[:, None]  # one for each repetition
    options = {"iterations": 6, "random_shifts": random_shifts, "tolerance": 0.2}
    out = l1_wavelet(kspace, maps, masks, **options)
    assert out.shape == (2, 2, *SIZE)
    for i in range(2):
        for j in range(2):
            alone = l1_wavelet(kspace[i, j], maps[j], masks[i, 0], **options)
            np.testing.assert_allclose(out[i, j], alone, rtol=1e-4, atol=1e-4)


def test_pixels_without_maps_are_zero_and_lines_masks_work(rng):
    kspace, maps = case(rng)
    maps = maps.copy()
    maps[:, :5] = 0
    image = l1_wavelet(kspace, maps, np.arange(SIZE[1]) % 2)
    assert not image[:5].any()
    assert np.isfinite(image).all()
    assert image[5:].any()


def test_noise_map_measures_what_it_leaves(rng):
    """At R = 1 and small λ the noise is the one of SENSE, sigma = 1; a larger λ takes it away."""
    kspace, maps = case(rng)
    for lam, low, high in ((1e-3, 0.9, 1.1), (3.0, 0.0, 0.5)):
        reconstruct = partial(l1_wavelet, maps=maps, lam=lam, iterations=5)
        sigma = noise_map(reconstruct, kspace, 2 * np.eye(4), 8)
        assert low < np.median(sigma) < high


def write_cfl(path, array):
    coils, y, x = (1, *array.shape)[-3:]
    path.with_suffix(".hdr").write_text(f"# Dimensions\n{x} {y} 1 {coils}\n")
    array.astype(np.complex64).tofile(path.with_suffix(".cfl"))


def peer_case(rng):
    """Return what sigpy and BART can solve too: away from the edges, where they extend by 0."""
    size = (64, 64)
    maps, image = smooth_maps(4, size), np.zeros(size, np.complex64)
    image[8:56, 8:56] = disc((48, 48))
    mask = scattered(rng, size)
    kspace = fft2c(20 * maps * image).astype(np.complex64) + complex_array(rng, (4, *size))
    return (kspace * mask).astype(np.complex64), maps, mask


@pytest.mark.filterwarnings("ignore")
def test_without_shifts_it_agrees_with_sigpy(rng):
    app = pytest.importorskip("sigpy.mri.app")
    kspace, maps, mask = peer_case(rng)
    for wavelet, levels, bound in (("haar", 6, 1e-3), ("db2", 4, 0.02)):
        options = {"wave_name": wavelet, "max_iter": 60, "show_pbar": False}
        theirs = app.L1WaveletRecon(kspace, maps, 1.0, **options).run()
        ours = fixed(kspace, maps, mask, lam=1.0, wavelet=wavelet, levels=levels)
        assert relative(ours, theirs) < bound


def test_without_shifts_it_agrees_with_bart(rng, tmp_path):
    """BART returns its image one gradient step of 0.95 after the last threshold."""
    if shutil.which("bart") is None:
        pytest.skip("no BART")
    kspace, maps, mask = peer_case(rng)
    write_cfl(tmp_path / "kspace", kspace)
    write_cfl(tmp_path / "maps", maps)
    operator = SenseOperator(maps, mask)
    for wavelet, name, bound in (("haar", "haar", 1e-3), ("db2", "dau2", 0.02)):
        command = f"bart pics -S -w 1 -n -i 100 --wavelet {name} -R W:3:0:1 kspace maps out"
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
        theirs = np.fromfile(tmp_path / "out.cfl", np.complex64).reshape(64, 64)
        ours = fixed(kspace, maps, mask, lam=1.0, wavelet=wavelet, levels=3)
        ours = ours + 0.95 * operator.adjoint(kspace - operator.forward(ours))
        assert relative(ours, theirs) < bound


@pytest.mark.cuda
def test_a_gpu_gives_the_same_image(rng):
    kspace, maps, mask = complex_array(rng, (2, 4, *SIZE)), smooth_maps(4, SIZE), scattered(rng)
    given = torch.from_numpy(kspace).cuda(), torch.from_numpy(maps).cuda()
    image = l1_wavelet(*given, mask, iterations=5)
    assert image.is_cuda
    assert relative(to_numpy(image), l1_wavelet(kspace, maps, mask, iterations=5)) < 1e-4


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"kspace": np.ones((3, *SIZE))}, TypeError, "kspace is float64"),
        ({"kspace": np.ones(SIZE, np.complex64)}, ValueError, "a single coil needs its own axis"),
        ({"kspace": np.ones(48, np.complex64)}, ValueError, r"shape \(48,\), expected"),
        ({"kspace": np.full((3, *SIZE), np.nan + 0j)}, ValueError, "kspace holds .* NaN"),
        ({"maps": np.full((3, *SIZE), np.nan + 0j)}, ValueError, "maps holds .* NaN"),
        ({"maps": smooth_maps(4, SIZE)}, ValueError, "do not fit k-space of shape"),
        ({"mask": np.zeros(48)}, ValueError, "nothing was sampled"),
        ({"noise_covariance": np.eye(2)}, ValueError, "3 coils on axis -3"),
        ({"noise_covariance": np.zeros((3, 3))}, ValueError, "not positive definite"),
        ({"lam": -1.0}, ValueError, "lam is -1.0"),
        ({"lam": float("nan")}, ValueError, "lam is nan"),
        ({"iterations": 0}, ValueError, "iterations=0"),
        ({"tolerance": 1.0}, ValueError, "tolerance=1.0"),
        ({"levels": 0}, ValueError, "levels is 0"),
        ({"levels": 7}, ValueError, "levels is 7"),
        ({"wavelet": "bior2.2"}, ValueError, "not an orthogonal wavelet"),
        ({"seed": None}, TypeError, "seed is None"),
    ],
)
def test_bad_input_is_refused(rng, change, error, message):
    given = {"kspace": complex_array(rng, (3, *SIZE)), "maps": smooth_maps(3, SIZE)}
    with pytest.raises(error, match=message):
        l1_wavelet(**{**given, **change})
