"""Complex Gaussian noise against its distribution, at several sample sizes and on noise scans."""

import h5py
import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import chi2

from kspace_denoise.fourier import ifft2c
from kspace_denoise.recon import noise_covariance
from kspace_denoise.sim import noise_like
from tests.helpers import random_covariance
from tests.statistics import kolmogorov, within_chance

SIZES = [(1, 9, 11), (3, 33, 40), (40, 64, 65)]  # slices, ky, kx


def empty(size, coils):
    return np.zeros((size[0], coils, *size[1:]), np.complex64)


def coil_samples(noise):
    """Noise (..., coils, ky, kx) as (coils, samples) in double precision."""
    return np.moveaxis(noise, -3, 0).reshape(noise.shape[-3], -1).astype(np.complex128)


def whitened(samples, psi):
    """Samples in units in which their real components have sigma = 1."""
    return np.linalg.solve(np.linalg.cholesky(psi.astype(np.complex128) / 2), samples)


def check_wishart(samples, psi):
    """Compare S = n n^H with N psi by the statistics of a complex Wishart matrix.

    With psi^(-1/2) S psi^(-1/2) = W: tr W is gamma with shape coils N, and |W - N|^2, summed over
    real and imaginary parts, has the mean coils^2 N.
    """
    coils, count = samples.shape
    root = np.linalg.inv(np.linalg.cholesky(psi.astype(np.complex128)))
    w = root @ samples @ samples.conj().T @ root.conj().T
    trace = chi2.ppf([1e-5, 1 - 1e-5], 2 * coils * count) / 2
    assert trace[0] < np.trace(w).real < trace[1]
    deviation = np.sum(np.abs(w - count * np.eye(coils)) ** 2) / count
    assert deviation < chi2.ppf(1 - 1e-5, coils**2) * (1 + 10 / np.sqrt(count))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("coils", [1, 2, 7])
def test_noise_follows_its_distribution(rng, size, coils):
    psi = random_covariance(rng, coils)
    samples = coil_samples(noise_like(empty(size, coils), psi, seed=coils))
    check_wishart(samples, psi)
    white = whitened(samples, psi)
    for part in (white.real, white.imag, (white * np.exp(0.7j)).real):
        assert kolmogorov(part, ndtr) < within_chance(part)
    distance = np.sum(np.abs(white) ** 2, axis=0)  # Mahalanobis
    assert kolmogorov(distance, chi2(2 * coils).cdf) < within_chance(distance)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("coils", [1, 4])
def test_noise_is_circular(rng, size, coils):
    psi = random_covariance(rng, coils)
    samples = coil_samples(noise_like(empty(size, coils), psi, seed=1))
    count = samples.shape[1]
    white = whitened(samples, psi)
    pseudo = white @ white.T / count  # E[n n] of unit components: 0, with a variance of 4 or 8 / N
    # |sum n n|^2 over its mean is exponential: 20 is exceeded with a probability of 2e-9.
    assert np.max(np.abs(pseudo)) ** 2 < 20 * 8 / count
    assert np.max(np.abs(white.mean(axis=1))) ** 2 < 20 * 2 / count


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize(("slices", "samples"), [(3, 33), (40, 64)])
def test_a_profile_correlates_samples_by_its_own_transform(rng, axis, slices, samples):
    psi = random_covariance(rng, 2)
    profile = (
        0.3
        + np.sin(np.pi * (np.arange(samples) + 0.3) / samples) ** 0.5
        + 0.2 * (np.arange(samples) / samples)
    )
    shape = (slices, 2, 50, samples)
    on_axis = profile if axis == -1 else profile[:, None]
    kspace = np.zeros(shape if axis == -1 else (*shape[:2], samples, 50), np.complex64)
    noise = noise_like(kspace, psi, seed=0, noise_profile=on_axis)
    noise = np.moveaxis(noise, axis, -1).astype(np.complex128)
    level, readouts = np.diag(psi).real, slices * 50
    pixels = np.arange(samples) - samples // 2
    for lag in (0, 1, 2, 5):
        # k = sum_x p n exp(-2 pi i k x/n) / sqrt(n), so E[k(m + lag) conj k(m)] follows p^2.
        stated = np.mean(profile**2 * np.exp(-2j * np.pi * lag * pixels / samples))
        products = noise[..., lag:] * noise[..., : samples - lag].conj()
        found = np.mean(products, axis=(0, 2, 3)) / level
        error = np.mean(profile**4) ** 0.5 * np.sqrt(3 / (readouts * (samples - lag)))
        assert np.all(np.abs(found - stated) < 5 * error)
    assert np.abs(stated) < 0.2 * np.mean(profile**2)


@pytest.mark.parametrize("slices", [30, 600])
def test_a_spectrum_gives_every_sample_its_variance(rng, slices):
    psi = random_covariance(rng, 3)
    spectrum = np.exp(-(np.linspace(-1.5, 1.5, 21) ** 2))[:, None] * np.where(
        np.arange(9) < 4, 0, 1
    )
    noise = noise_like(empty((slices, 21, 9), 3), psi, 0, noise_spectrum=spectrum)
    assert np.all(noise[..., :4] == 0)
    power = np.sum(np.abs(noise[..., 4:]) ** 2, axis=0) / np.diag(psi).real[:, None, None]
    power = power / spectrum[:, 4:]
    low, high = chi2.ppf([1e-7, 1 - 1e-7], 2 * slices) / 2
    assert np.all((power > low) & (power < high))
    assert kolmogorov(power, lambda p: chi2(2 * slices).cdf(2 * p)) < within_chance(power) * 1.5


def test_a_noise_scan_cannot_be_told_from_its_simulation(real_data):
    with h5py.File(real_data / "noise_4ch_phantom_a.h5") as file:
        scan = file["noise"][()]
    psi = noise_covariance(scan[:, :4096])
    simulated = coil_samples(noise_like(np.zeros((4, 64, 64), np.complex64), psi, seed=0))
    held_out = scan[:, 4096:].astype(np.complex128)
    check_wishart(simulated, psi)
    for samples in (simulated, held_out):
        white = whitened(samples, psi)
        parts = np.concatenate([white.real, white.imag])
        assert kolmogorov(parts, ndtr) < within_chance(parts)
        distance = np.sum(np.abs(white) ** 2, axis=0)
        assert kolmogorov(distance, chi2(8).cdf) < within_chance(distance)
        # One part in 50 of the power may drift between the halves of a real scan.
        error = 5 / np.sqrt(white.size) + (0.0 if samples is simulated else 0.02)
        assert np.mean(np.abs(white) ** 2) == pytest.approx(2, rel=error)


def test_a_phantom_scan_in_air_has_circular_gaussian_noise(real_data):
    with h5py.File(real_data / "pulseq3T_phantom_16ch_headarray.h5") as file:
        image = ifft2c(file["kspace"][0])
    air = image[:, :12, 44:84]  # central readout columns: there the receiver filter is flat
    psi = noise_covariance(air)
    simulated = noise_like(np.zeros(air.shape, np.complex64), psi, seed=0)
    for noise in (air, simulated):
        white = whitened(coil_samples(noise), psi)
        parts = np.concatenate([white.real, white.imag])
        assert kolmogorov(parts, ndtr) < within_chance(parts)
