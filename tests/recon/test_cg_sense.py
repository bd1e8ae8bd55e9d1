import shutil
import subprocess

import numpy as np
import pytest
import torch

from kspace_denoise import recon, sim
from kspace_denoise.arrays import to_numpy
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon import NufftOperator
from kspace_denoise.recon.nufft_preconditioner import trajectory_preconditioner
from tests.helpers import assert_same_kind, complex_array, random_covariance
from tests.sim.test_trajectory_density import covered

SMALL = (7, 8)


def coil_maps(rng: np.random.Generator, coils: int, shape: tuple[int, int]) -> np.ndarray:
    """Return smooth complex maps (coils, y, x), of unequal strength over the image."""
    y, x = (np.linspace(-1, 1, n) for n in shape)
    coefficients = complex_array(rng, (coils, 4))
    basis = np.stack(np.broadcast_arrays(1 + 0 * y[:, None] * x, y[:, None], x, y[:, None] * x))
    return np.einsum("cb,byx->cyx", coefficients, basis).astype(np.complex64)


def head(shape: tuple[int, int]) -> np.ndarray:
    """Return a complex image of an ellipse with a hole."""
    y, x = (2 * (np.arange(n) - n // 2) / n for n in shape)
    distance = np.hypot(y[:, None] / 0.7, x / 0.8)
    blob = 1 / (1 + np.exp((distance - 0.9) * 20)) - 0.6 * (distance < 0.3)
    return (30 * blob * np.exp(1j * x)).astype(np.complex64)


def relative(a, b) -> float:
    return float(np.linalg.norm(to_numpy(a) - to_numpy(b)) / np.linalg.norm(to_numpy(b)))


class Dense:
    """A small problem with its matrices: correlated coils, and a zero pixel in the maps."""

    def __init__(self, rng: np.random.Generator, lam: float) -> None:
        self.psi = random_covariance(rng, 3)
        self.maps = coil_maps(rng, 3, SMALL).astype(complex)
        self.maps[:, 0, 0] = 0
        self.trajectory = sim.trajectory("golden-angle", SMALL, 12, 12, seed=0)
        operator = NufftOperator(self.maps, self.trajectory)
        count = SMALL[0] * SMALL[1]
        columns = operator.forward(np.eye(count, dtype=complex).reshape(count, *SMALL))
        whitening = to_numpy(recon.whitening_matrix(self.psi))
        self.encoding = np.einsum("ij,pjrs->irsp", whitening, columns).reshape(-1, count)
        self.strength2 = np.sum(abs(np.tensordot(whitening, self.maps, 1)) ** 2, axis=0).ravel()
        self.seen = self.strength2 > 0
        normal = self.encoding.conj().T @ self.encoding + lam * np.diag(self.strength2)
        self.inverse = np.zeros_like(normal)
        where = np.ix_(self.seen, self.seen)
        self.inverse[where] = np.linalg.inv(normal[where])
        self.whitening = whitening
        self.seen2d = self.seen.reshape(SMALL)

    def solve(self, samples: np.ndarray) -> np.ndarray:
        white = np.einsum("ij,jrs->irs", self.whitening, samples).ravel()
        return (self.inverse @ (self.encoding.conj().T @ white)).reshape(SMALL)

    @property
    def sigma(self) -> np.ndarray:
        """The exact sigma: whitened samples have the covariance 2 I."""
        spread = self.inverse @ self.encoding.conj().T
        return np.sqrt(np.sum(abs(spread) ** 2, axis=1)).reshape(SMALL)


def test_it_is_the_regularised_least_squares_image(rng):
    dense = Dense(rng, lam=0.05)
    samples = complex_array(rng, (3, 12, 12)).astype(complex)
    found = recon.cg_sense(
        samples,
        dense.maps,
        dense.trajectory,
        noise_covariance=dense.psi,
        regularisation=0.05,
        tolerance=1e-12,
    )
    assert found.sigma is None
    assert found.image.dtype == np.complex128
    assert relative(found.image, dense.solve(samples)) < 1e-8
    assert found.image[0, 0] == 0


def test_noise_and_mean_are_those_of_theory(rng):
    dense, count = Dense(rng, lam=0.1), 500
    image = complex_array(rng, SMALL)
    clean = NufftOperator(dense.maps, dense.trajectory).forward(image).astype(np.complex64)
    noisy = sim.add_noise(np.stack([clean] * count), dense.psi, seed=3)
    options = {"noise_covariance": dense.psi, "regularisation": 0.1, "tolerance": 1e-6}
    images = recon.cg_sense(noisy, dense.maps, dense.trajectory, **options).image[:, dense.seen2d]
    sigma, expected = dense.sigma[dense.seen2d], dense.solve(clean)[dense.seen2d]
    error = (images.mean(axis=0) - expected) / sigma * np.sqrt(count)
    assert np.max(abs(error)) < 5
    assert abs(np.mean(abs(error) ** 2) / 2 - 1) < 0.5
    measured = np.sqrt(np.mean(abs(images - expected) ** 2, axis=0) / 2)
    assert np.max(abs(measured / sigma - 1)) < 5 / np.sqrt(4 * count)


def test_replicas_measure_sigma(rng):
    dense, count = Dense(rng, lam=0.1), 100
    samples = sim.add_noise(np.ones((3, 12, 12), np.complex64), dense.psi, seed=5)
    found = recon.cg_sense(
        samples,
        dense.maps,
        dense.trajectory,
        noise_covariance=dense.psi,
        regularisation=0.1,
        replicas=count,
        seed=0,
    )
    assert found.sigma.dtype == np.float32
    assert found.sigma[0, 0] == 0
    ratio = (found.sigma / np.where(dense.seen2d, dense.sigma, 1))[dense.seen2d]
    assert np.max(abs(ratio - 1)) < 5 / np.sqrt(4 * count)
    assert abs(ratio.mean() - 1) < 0.03


def test_on_a_cartesian_trajectory_it_is_sense(rng, kind):
    shape = (15, 12)
    grid = np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij")
    positions = np.stack(grid, -1).astype(np.float32)
    maps, psi = kind(coil_maps(rng, 4, shape)), kind(random_covariance(rng, 4))
    kspace = kind(complex_array(rng, (2, 4, *shape)))
    found = recon.cg_sense(
        kspace,
        maps,
        positions,
        noise_covariance=psi,
        regularisation=0.3,
        tolerance=1e-6,
        replicas=2,
    )
    expected = recon.sense(kspace, maps, noise_covariance=psi, regularisation=0.3)
    assert_same_kind(found.image, kspace)
    assert_same_kind(found.sigma, kspace)
    assert found.sigma.shape == found.image.shape
    assert relative(found.image, expected.image) < 3e-4


@pytest.mark.parametrize("coils", [1, 4])
def test_it_recovers_what_the_trajectory_covers(rng, coils):
    shape = (48, 40)
    maps = coil_maps(rng, coils, shape) if coils > 1 else np.ones((1, *shape), np.complex64)
    positions = sim.trajectory("radial", shape)
    samples = NufftOperator(maps, positions).forward(head(shape))
    image = recon.cg_sense(samples, maps, positions, regularisation=1e-3, tolerance=1e-5).image
    assert relative(covered(image), covered(head(shape))) < 0.005


def test_scales_and_slices(rng):
    shape = (16, 16)
    positions = sim.trajectory("spiral", shape)
    maps = np.stack([coil_maps(rng, 3, shape) for _ in range(2)])
    samples = NufftOperator(maps, positions).forward(np.stack([head(shape)] * 2))
    options = {"regularisation": 0.1, "replicas": 3}
    both = recon.cg_sense(samples, maps, positions, **options)
    one = recon.cg_sense(samples[1], maps[1], positions, **options)
    assert relative(both.image[1], one.image) < 1e-3
    psi = 2 * 1e-8 * np.eye(3)
    scaled = recon.cg_sense(1e-4 * samples, maps, positions, noise_covariance=psi, **options)
    assert relative(1e4 * scaled.image, both.image) < 1e-3
    assert relative(1e4 * scaled.sigma, both.sigma) < 1e-3


def test_it_agrees_with_sigpy(rng):
    app = pytest.importorskip("sigpy.mri.app")
    shape = (48, 48)
    maps = coil_maps(rng, 4, shape)
    maps = maps / np.linalg.norm(maps, axis=0)
    positions = sim.trajectory("radial", shape, 30, seed=0)
    samples = sim.add_noise(NufftOperator(maps, positions).forward(head(shape)), 2 * np.eye(4), 0)
    ours = recon.cg_sense(samples, maps, positions, regularisation=0.3, tolerance=1e-6).image
    theirs = app.SenseRecon(
        samples, maps, lamda=0.3, coord=positions, max_iter=100, show_pbar=False
    ).run()
    # sigpy's own transforms, oversampled 1.25 times, are off by 2e-3.
    assert relative(ours, theirs) < 2e-3


@pytest.mark.skipif(shutil.which("bart") is None, reason="no BART")
def test_it_agrees_with_bart(rng, tmp_path):
    shape = (40, 48)
    maps = coil_maps(rng, 4, shape)
    maps = (maps / np.linalg.norm(maps, axis=0)).astype(np.complex64)
    positions = sim.trajectory("golden-angle", shape, 32)
    samples = sim.add_noise(NufftOperator(maps, positions).forward(head(shape)), 2 * np.eye(4), 0)
    # BART: the axes are x, y, z; trajectories are (3, samples, readouts), in the same cycles.
    along = np.stack([positions[..., 1], positions[..., 0], 0 * positions[..., 0]], -1)
    for name, array, dimensions in (
        ("trajectory", along, [3, *along.shape[1::-1]]),
        ("samples", samples, [1, *samples.shape[:0:-1], 4]),
        ("maps", maps, [*shape[::-1], 1, 4]),
    ):
        text = " ".join(map(str, dimensions))
        (tmp_path / f"{name}.hdr").write_text(f"# Dimensions\n{text}\n")
        array.astype(np.complex64).tofile(tmp_path / f"{name}.cfl")
    command = "bart pics -S -w 1 -i 200 -l2 -r 0.3 -t trajectory samples maps image"
    subprocess.run(command.split(), check=True, cwd=tmp_path, stdout=subprocess.DEVNULL)
    theirs = np.fromfile(tmp_path / "image.cfl", np.complex64).reshape(shape)
    below, right, above = (
        relative(
            recon.cg_sense(samples, maps, positions, regularisation=lam, tolerance=1e-6).image,
            theirs,
        )
        for lam in (0.25, 0.3, 0.35)
    )
    # BART's transforms leave 4e-3 whatever the iterations; 0.25 and 0.35 leave 6e-3 and more.
    assert right < 5e-3
    assert right < 0.75 * min(below, above)


def test_the_preconditioner_inverts_the_diagonal(rng):
    shape, lam = (9, 10), 0.1
    operator = NufftOperator(
        coil_maps(rng, 3, shape).astype(complex), sim.trajectory("radial", shape)
    )
    spectra = np.eye(90, dtype=complex).reshape(90, *shape)
    waves = ifft2c(spectra, centred=False)
    responses = fft2c(operator.normal(waves), centred=False).reshape(90, 90)
    diagonal = np.diag(responses).real
    expected = spectra / (diagonal + 0.1 * diagonal.mean() + lam)[:, None, None]
    found = fft2c(trajectory_preconditioner(operator, lam)(waves), centred=False)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_it_warns_of_images_that_have_not_converged(rng):
    shape = (32, 30)
    positions = sim.trajectory("radial", shape)
    samples = complex_array(rng, (2, 3, *positions.shape[:2]))
    maps = coil_maps(rng, 3, shape)
    options = {"regularisation": 0.1, "tolerance": 1e-5}
    with pytest.warns(RuntimeWarning, match="2 of 2 images have not converged after 4 iterations"):
        recon.cg_sense(samples, maps, positions, max_iterations=4, **options)
    recon.cg_sense(samples, maps, positions, max_iterations=40, **options)  # warns of nothing


def test_arguments_stay_as_they_were(rng):
    shape = (16, 16)
    positions, maps = sim.trajectory("radial", shape, 20), coil_maps(rng, 3, shape)
    samples, psi = complex_array(rng, (3, 20, 32)), random_covariance(rng, 3)
    given = (samples, maps, positions, psi)
    before = [array.copy() for array in given]
    recon.gridding(samples, positions, shape)
    recon.cg_sense(samples, maps, positions, noise_covariance=psi, regularisation=0.1, replicas=2)
    for old, new in zip(before, given, strict=True):
        np.testing.assert_array_equal(old, new)
    for array in given:
        array.flags.writeable = False
    recon.cg_sense(samples, maps, positions, noise_covariance=psi, regularisation=0.1)


@pytest.mark.parametrize("name", ["kspace", "maps", "trajectory", "noise_covariance"])
def test_gradients_are_refused(rng, name):
    shape = (16, 16)
    arrays = {
        "kspace": complex_array(rng, (3, 8, 32)),
        "maps": coil_maps(rng, 3, shape),
        "trajectory": sim.trajectory("radial", shape, 8),
        "noise_covariance": random_covariance(rng, 3),
    }
    expected = recon.cg_sense(**arrays, regularisation=0.1).image
    given = {key: torch.from_numpy(array) for key, array in arrays.items()}
    given[name].requires_grad_()
    with pytest.raises(ValueError, match=rf"{name} requires gradients.* give {name}\.detach\(\)"):
        recon.cg_sense(**given, regularisation=0.1)
    with torch.no_grad():
        assert relative(recon.cg_sense(**given, regularisation=0.1).image, expected) < 1e-5


def test_bad_input_is_refused(rng):
    shape = (16, 16)
    positions = sim.trajectory("radial", shape, 8)
    maps = coil_maps(rng, 3, shape)
    samples = complex_array(rng, (3, 8, 32))
    with pytest.raises(TypeError, match="trajectory is list, expected an array"):
        recon.cg_sense(samples, maps, positions.tolist())
    with pytest.raises(TypeError, match="kspace is list, expected an array"):
        recon.cg_sense(samples.tolist(), maps, positions)
    with pytest.raises(TypeError, match="maps is list, expected an array"):
        recon.cg_sense(samples, maps.tolist(), positions)
    with pytest.raises(TypeError, match="kspace is float32"):
        recon.cg_sense(samples.real, maps, positions)
    with pytest.raises(ValueError, match=r"\(3, 32, 8\) does not fit the trajectory"):
        recon.cg_sense(np.swapaxes(samples, 1, 2), maps, positions)
    with pytest.raises(ValueError, match=r"maps of shape \(2, 16, 16\) do not fit k-space"):
        recon.cg_sense(samples, maps[:2], positions)
    with pytest.raises(ValueError, match=r"maps of shape \(2, 3, 16, 16\) do not fit"):
        recon.cg_sense(samples, np.stack([maps, maps]), positions)
    with pytest.raises(ValueError, match="kspace holds 1 values that are NaN"):
        recon.cg_sense(np.where(np.arange(32) + np.arange(8)[:, None] == 0, np.nan, samples)[:1],
                       maps[:1], positions)  # fmt: skip


def test_bad_options_are_refused(rng):
    shape = (16, 16)
    positions = sim.trajectory("radial", shape, 8)
    maps, samples = coil_maps(rng, 3, shape), complex_array(rng, (3, 8, 32))
    with pytest.raises(ValueError, match="replicas=1"):
        recon.cg_sense(samples, maps, positions, replicas=1)
    with pytest.raises(ValueError, match="regularisation=-1"):
        recon.cg_sense(samples, maps, positions, regularisation=-1)
    for count in (0, -1):
        with pytest.raises(ValueError, match=f"max_iterations is {count}, expected at least 1"):
            recon.cg_sense(samples, maps, positions, max_iterations=count)
    with pytest.raises(ValueError, match="tolerance=0"):
        recon.cg_sense(samples, maps, positions, tolerance=0)
    with pytest.raises(ValueError, match="not positive definite"):
        recon.cg_sense(samples, maps, positions, noise_covariance=np.diag([1.0, 1.0, 0.0]))
