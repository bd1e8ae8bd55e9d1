"""The chain around a denoiser, with denoisers whose answer is known."""

import dataclasses

import numpy as np
import pytest

import kspace_denoise as kd
from kspace_denoise import recon, sim
from kspace_denoise.fourier import ifft2c
from kspace_denoise.scan import LazySlices
from kspace_denoise.stages import (
    KnownNoise,
    in_snr_units,
    known_noise,
    reconstruct_slice,
    sense_slice,
    spread_slices,
    stage_images,
    with_noise,
)
from kspace_denoise.training.examples import training_examples
from kspace_denoise.training.subjects import Recipe, gather, known_subjects

SHAPE = (48, 45)


@pytest.fixture(scope="module")
def scan() -> kd.Scan:
    psi = 0.02 * sim.array_covariance(4, seed=1)
    clean = np.stack([sim.phantom(SHAPE, seed=s, coils=4).kspace for s in (1, 2)])
    return kd.Scan(kspace=sim.add_noise(clean, psi, seed=0), noise_covariance=psi)


def identity(image, _sigma):
    return image


def noisy_images(sources, stage):
    """Return what a denoiser of this stage is trained on."""
    recipe = Recipe(stage)
    return [one.image for one in training_examples(known_subjects(gather(sources), recipe), recipe)]


@pytest.mark.parametrize("stage", ["before-sense", "after-sense"])
def test_a_denoiser_that_does_nothing_leaves_the_sense_image(scan, stage):
    result = kd.denoise(scan, identity, stage=stage)
    np.testing.assert_allclose(result.image, result.noisy, rtol=1e-4, atol=1e-5)
    assert result.sigma.shape == result.image.shape == (2, *SHAPE)


def test_the_image_has_the_unit_of_the_raw_data_and_sigma_is_its_noise(scan):
    clean = sim.phantom(SHAPE, seed=1, coils=4).kspace
    image = reconstruct_slice(clean, KnownNoise(1e-6 * scan.noise_covariance)).image
    rss = recon.rss(ifft2c(clean))
    bright = rss > np.percentile(rss, 80)
    assert np.median(np.abs(image)[bright] / rss[bright]) == pytest.approx(1, abs=0.02)
    piece = reconstruct_slice(scan.kspace[0], known_noise(scan))
    noise = sim.add_noise(np.zeros((300, 4, *SHAPE), np.complex64), scan.noise_covariance, seed=1)
    white = recon.whiten(noise, scan.noise_covariance)
    images = recon.sense(white, np.broadcast_to(piece.coil_maps, white.shape)).image
    measured = np.sqrt(np.mean(np.abs(images) ** 2, axis=0) / 2)
    ratio = measured / piece.sigma
    assert np.mean(ratio) == pytest.approx(1, abs=4 / np.sqrt(4 * ratio.size * 300))


@pytest.mark.parametrize("stage", ["before-sense", "after-sense"])
def test_denoisers_see_noise_of_sigma_one(scan, stage):
    seen = []

    def spy(image, sigma):
        seen.append((image, sigma))
        return image

    kd.denoise(scan, spy, stage=stage)
    images, sigma = seen[0]
    assert sigma == 1.0
    assert images.shape == ((1 if stage == "after-sense" else 4), *SHAPE)
    corner = images[:, :6, :6]
    level = np.sqrt(np.mean(np.abs(corner) ** 2) / 2)
    assert level == pytest.approx(1, abs=0.25)  # four standard errors of 36 pixels, plus ringing


def test_training_sees_what_the_denoiser_sees(scan):
    for stage, count in (("after-sense", 2), ("before-sense", 8)):
        images = noisy_images([scan], stage)
        assert len(images) == count
        piece = reconstruct_slice(scan.kspace[1], known_noise(scan))
        np.testing.assert_allclose(images[-1], stage_images(piece, stage)[-1], rtol=1e-5)


def test_undersampled_scans_are_denoised_after_sense_only(scan):
    mask = sim.mask("equispaced", SHAPE, 2, 12, seed=0)
    under = kd.Scan(kspace=scan.kspace * mask, mask=mask, noise_covariance=scan.noise_covariance)
    result = kd.denoise(under, identity, calibration=12)
    assert result.sigma.mean() > kd.denoise(scan, identity).sigma.mean()
    with pytest.raises(ValueError, match="before SENSE needs fully sampled"):
        kd.denoise(under, identity, stage="before-sense", calibration=12)
    with pytest.raises(ValueError, match="before SENSE needs fully sampled"):
        noisy_images([under], "before-sense")
    both = sim.mask("random", SHAPE, 2, 12, seed=0) & sim.mask(
        "random", SHAPE, 1.2, 12, seed=1, axis=-2
    )
    odd = kd.Scan(kspace=scan.kspace * both, mask=both, noise_covariance=scan.noise_covariance)
    with pytest.raises(ValueError, match="varies along both axes"):
        kd.denoise(odd, identity, calibration=12)


def test_images_carry_their_sigma():
    data = np.ones((2, 8, 8), np.complex64)
    with pytest.raises(ValueError, match="come without their noise level"):
        kd.denoise(kd.Images(data=data), identity)
    with pytest.raises(ValueError, match="come without their noise level"):
        noisy_images([kd.Images(data=data)], "after-sense")
    result = kd.denoise(kd.Images(data=data, sigma=0.5), identity)
    assert np.array_equal(result.image, data)
    assert np.all(result.sigma == 0.5)


def test_noise_that_is_unknown_is_measured_or_refused(scan):
    assert known_noise(scan) == (scan.noise_covariance, None, None, "stored in the file")
    smooth = sim.phantom(SHAPE, seed=1, coils=4).kspace[None]
    with pytest.raises(recon.NoiseNotFound):
        kd.denoise(kd.Scan(kspace=smooth), identity)
    profile, spectrum = np.ones((48, 1)), np.ones(45)
    shaped = dataclasses.replace(scan, noise_profile=profile, noise_spectrum=spectrum)
    assert known_noise(shaped)[1:] == (profile, spectrum, "stored in the file")
    given = np.eye(4)
    assert known_noise(shaped, given) == (given, profile, spectrum, "given")
    assert with_noise(scan, known_noise(shaped, given)).noise_covariance is given


def test_noise_measured_in_kspace_brings_its_profile():
    profile = 1 / (1 + 1.5 * np.abs(np.linspace(-1, 1, 128, dtype=np.float32)) ** 6)[:, None]
    profile /= np.sqrt(np.mean(profile**2))
    psi = 0.02 * sim.array_covariance(4, seed=1)
    clean = np.stack([sim.phantom((128, 96), seed=s, coils=4).kspace for s in (1, 2)])
    noisy = sim.add_noise(clean, psi, seed=0, noise_profile=profile)
    found = known_noise(kd.Scan(kspace=noisy, readout_axis=-2))
    assert found.source.startswith("measured in k-space: ")
    assert found.sigma == pytest.approx(KnownNoise(psi).sigma, rel=0.1)
    ratio = np.broadcast_to(found.profile, (128, 1)) / profile
    assert np.sqrt(np.mean((ratio - 1) ** 2)) < 0.1
    stored = kd.Scan(kspace=noisy, readout_axis=-2, noise_profile=profile)
    assert known_noise(stored).profile is stored.noise_profile


def uneven(scan):
    """Return the scan's noise shaped by a filter, a taper and lines that are zero; and itself."""
    profile = np.linspace(0.5, 1.4, 48, dtype=np.float32)[:, None]
    profile /= np.sqrt(np.mean(profile**2))
    spectrum = np.where(np.arange(45) < 6, 0, np.linspace(0.4, 1.6, 45)).astype(np.float32)
    clean = np.stack([sim.phantom(SHAPE, seed=s, coils=4).kspace for s in (1, 2)])
    shape = {"noise_profile": profile, "noise_spectrum": spectrum}
    kspace = sim.add_noise(clean * (spectrum > 0), scan.noise_covariance, seed=5, **shape)
    return kd.Scan(kspace=kspace, noise_covariance=scan.noise_covariance, **shape)


@pytest.mark.parametrize("stage", ["before-sense", "after-sense"])
def test_noise_that_is_not_flat_is_one_for_the_denoiser(scan, stage):
    shaped = uneven(scan)
    noise = known_noise(shaped)
    draws = sim.noise_like(
        np.zeros((200, 4, *SHAPE), np.complex64),
        noise.covariance,
        seed=3,
        noise_profile=noise.profile,
        noise_spectrum=noise.spectrum,
    )
    piece = reconstruct_slice(shaped.kspace[0], noise)
    white = recon.whiten(draws, noise.covariance)
    pieces = [sense_slice(one, piece.coil_maps, noise) for one in white]
    images = np.stack([stage_images(one, stage) for one in pieces])
    level = np.sqrt(np.mean(np.abs(images) ** 2, axis=(0, 1, 3)) / 2)
    count = images.size / 48
    np.testing.assert_allclose(level, 1, atol=6 / np.sqrt(2 * count))
    result = kd.denoise(shaped, identity, stage=stage)
    np.testing.assert_allclose(result.image, result.noisy, rtol=1e-3, atol=1e-4)
    trained_on = noisy_images([shaped], stage)[0]
    np.testing.assert_allclose(trained_on, stage_images(piece, stage)[0], rtol=1e-4, atol=1e-4)


def test_replicas_measure_a_noise_map_without_closed_form(scan):
    both = np.random.default_rng(0).random(SHAPE) < 0.8
    both[16:32, 14:30] = True
    odd = kd.Scan(kspace=scan.kspace * both, mask=both, noise_covariance=scan.noise_covariance)
    result = kd.denoise(odd, identity, calibration=12, replicas=4)
    np.testing.assert_allclose(result.image, result.noisy, rtol=1e-4, atol=1e-5)
    lines = sim.mask("equispaced", SHAPE, 2, 12, seed=0)
    rows = kd.Scan(
        kspace=scan.kspace * lines,
        mask=lines,
        noise_covariance=scan.noise_covariance,
        noise_profile=np.linspace(0.5, 1.4, 45),
    )
    with pytest.raises(ValueError, match="vary along both axes: measure it with replicas"):
        kd.denoise(rows, identity, calibration=12)


def test_a_denoiser_is_used_at_its_stage(scan):
    class Trained:
        stage = "before-sense"

        def __call__(self, image, _sigma):
            return image

    with pytest.raises(ValueError, match="was trained before-sense and is used after-sense"):
        kd.denoise(scan, Trained())
    assert kd.denoise(scan, Trained(), allow_other_stage=True).image.shape == (2, *SHAPE)
    with pytest.raises(ValueError, match="stage is 'sense', expected one of"):
        kd.denoise(scan, identity, stage="sense")


def test_snr_units_are_zero_where_the_noise_map_is():
    image = np.ones((2, 3), np.complex64)
    sigma = np.array([[2.0, 0, 4], [1, 1, 1]])
    assert np.array_equal(in_snr_units(image, sigma)[0], [0.5, 0, 0.25])


def test_blank_slices_are_neither_trained_on_nor_denoised(scan):
    kspace = np.concatenate([scan.kspace, np.zeros_like(scan.kspace[:1])])
    blank = kd.Scan(kspace=kspace, noise_covariance=scan.noise_covariance)
    assert len(noisy_images([blank], "after-sense")) == 2
    result = kd.denoise(blank, identity)
    assert not result.image[2].any()
    assert not result.sigma[2].any()


def test_of_a_long_scan_a_few_slices_are_measured():
    assert spread_slices(1) == [0]
    assert spread_slices(16) == list(range(16))
    assert spread_slices(9, 1) == [4]
    chosen = spread_slices(200)
    assert (chosen[0], chosen[-1], len(chosen)) == (0, 199, 16)
    assert max(np.diff(chosen)) - min(np.diff(chosen)) <= 1


@pytest.mark.parametrize(("limit", "expected"), [(2**27, 20), (5 * 48 * 45 * 32, 5), (1, 1)])
def test_noise_is_measured_in_a_bounded_part_of_a_scan(scan, monkeypatch, limit, expected):
    read = []

    def read_slice(index):
        read.append(index)
        return scan.kspace[index % 2]

    def estimate(kspace, mask, **_):
        assert len(kspace) == len(read) == len(mask) == min(expected, 16)
        raise recon.NoiseNotFound("seen")

    monkeypatch.setattr("kspace_denoise.stages.BYTES_FOR_NOISE", limit)
    monkeypatch.setattr(recon, "estimate_noise", estimate)
    long = kd.Scan(
        kspace=LazySlices((20, 4, *SHAPE), np.complex64, read_slice),
        mask=np.ones((20, *SHAPE), bool),
    )
    with pytest.raises(recon.NoiseNotFound, match="seen"):
        known_noise(long)
