"""From scans to examples: targets take the way of their scan, contrasts a way of their own."""

import dataclasses

import numpy as np
import pytest

import kspace_denoise as kd
from kspace_denoise import recon, sim
from kspace_denoise.fourier import ifft2c
from kspace_denoise.stages import in_snr_units, known_noise, reconstruct_slice, stage_images
from kspace_denoise.training.examples import training_examples
from kspace_denoise.training.subjects import Recipe, gather, known_subjects
from tests.training.scans import COILS, PSI, SHAPE, clean_magnitudes, magnitudes, scan, truth

STAGES = ("after-sense", "before-sense")


def made(scans, targets=None, contrasts=None, **recipe):
    settings = Recipe(**{"stage": "after-sense", **recipe})
    subjects = known_subjects(gather(scans, targets, contrasts), settings)
    return list(training_examples(subjects, settings))


def like_scan(source, kspace, **changes):
    return dataclasses.replace(source, kspace=kspace, noise_covariance=None, **changes)


@pytest.mark.parametrize("stage", STAGES)
def test_without_noise_of_its_own_a_repetition_is_the_same_image(stage):
    """A target that is the scan itself, twice as bright, must be its image, twice as bright."""
    source = scan()
    examples = made(source, like_scan(source, 2 * source.kspace), stage=stage)
    assert len(examples) == (2 if stage == "after-sense" else 2 * COILS)
    for image, pair, _ in examples:
        np.testing.assert_allclose(pair, 2 * image, atol=1e-4 * np.abs(image).max())


def test_a_clean_target_is_seen_through_the_maps_and_noise_of_its_scan():
    source, clean = scan(), truth()
    examples = made(source, like_scan(source, clean), clean=True)
    for index, (image, pair, _) in enumerate(examples):
        piece = reconstruct_slice(source.kspace[index], known_noise(source))
        raw = np.linalg.inv(recon.whitening_matrix(PSI))
        maps = np.einsum("ij,jyx->iyx", raw, piece.coil_maps)
        again = recon.sense(clean[index], maps, noise_covariance=PSI)
        np.testing.assert_allclose(pair, in_snr_units(again.image, again.sigma), atol=1e-3)
        inside = piece.sigma > 0
        noise = (image - pair)[inside]
        tolerance = 5 / np.sqrt(4 * inside.sum())
        assert np.sqrt(np.mean(np.abs(noise) ** 2) / 2) == pytest.approx(1, rel=tolerance)


@pytest.mark.parametrize("stage", STAGES)
def test_repetitions_have_independent_noise_of_one_level(stage):
    pairs = made(scan(noise=0), scan(noise=1), stage=stage)
    clean = made(scan(noise=0), like_scan(scan(), truth()), stage=stage, clean=True)
    inside = np.stack([example.image for example in pairs]) != 0
    first, second = (
        np.stack([noisy - c.pair for noisy, c in zip(both, clean, strict=True)])[inside]
        for both in zip(*[(e.image, e.pair) for e in pairs], strict=True)
    )
    error = 5 / np.sqrt(inside.sum())
    for noise in (first, second):
        assert np.mean(np.abs(noise) ** 2) / 2 == pytest.approx(1, abs=error)
    assert abs(np.mean(first * second.conj())) / 2 < error


def test_an_undersampled_scan_may_have_a_full_target():
    mask = sim.mask("equispaced", SHAPE, 2, 12, seed=0)
    source = scan()
    under = dataclasses.replace(source, kspace=source.kspace * mask, mask=mask)
    clean = kd.Scan(kspace=truth())
    for image, pair, _ in made(under, clean, calibration=12, clean=True):
        both = (image != 0) & (pair != 0)
        piece = np.abs(image - pair)[both] ** 2
        level = np.sqrt(np.mean(piece) / 2)
        assert level == pytest.approx(1, abs=0.2)  # and what SENSE cannot unfold


def test_contrasts_go_through_their_own_maps_and_noise():
    source, weaker = scan("T1w"), scan("FLAIR", noise=5)
    other = dataclasses.replace(
        weaker, kspace=1e3 * weaker.kspace, noise_covariance=1e6 * weaker.noise_covariance
    )
    examples = made(source, contrasts=[scan("T2w", noise=3), other])
    for index, (image, pair, condition) in enumerate(examples):
        assert pair is None
        assert condition.shape == (2, *image.shape)
        piece = reconstruct_slice(weaker.kspace[index], known_noise(weaker))
        expected = stage_images(piece, "after-sense")[0]
        np.testing.assert_allclose(condition[1], expected, rtol=1e-3, atol=1e-2)


def test_one_seed_is_one_head_in_all_contrasts():
    t1, t2 = (sim.phantom(SHAPE, contrast, seed=7) for contrast in ("T1w", "T2w"))
    assert np.array_equal(t1.mask, t2.mask)
    assert all(np.array_equal(t1.tissues[name], t2.tissues[name]) for name in t1.tissues)
    assert not np.allclose(np.abs(t1.image), np.abs(t2.image), rtol=0.1)


def test_images_are_taken_as_they_are():
    source = magnitudes()
    target, other = magnitudes(seed=1), magnitudes(seed=2, sigma=0.4)
    pairs = made([source], [target], [[other]], stage="after-sense")
    for index, (image, pair, condition) in enumerate(pairs):
        np.testing.assert_allclose(image, source.data[index] / 0.2, rtol=1e-6)
        np.testing.assert_allclose(pair, target.data[index] / 0.2, rtol=1e-6)
        np.testing.assert_allclose(condition[0], other.data[index] / 0.4, rtol=1e-6)


def test_images_may_have_more_axes():
    source = magnitudes(size=4)
    volumes = kd.Images(data=source.data.reshape(2, 2, *SHAPE), sigma=0.2)
    brighter = [dataclasses.replace(x, data=3 * x.data) for x in (source, volumes)]
    flat, deep = (
        made(x, contrasts=[other]) for x, other in zip((source, volumes), brighter, strict=True)
    )
    assert len(deep) == 4
    for one, other in zip(flat, deep, strict=True):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.condition, other.condition)


def test_stabilised_magnitudes_have_even_noise_and_the_mean_as_clean_target():
    sigma, count = 0.2, 400
    clean = clean_magnitudes(1)
    noisy = magnitudes(sigma=sigma)
    rng = np.random.default_rng(0)
    many = clean + sigma * (
        rng.standard_normal((count, *SHAPE)) + 1j * rng.standard_normal((count, *SHAPE))
    )
    many = np.abs(many).astype(np.float32)
    draws = np.stack([e.image for e in made(kd.Images(data=many, sigma=sigma), vst=True)])
    (example,) = made(
        kd.Images(data=noisy.data[:1], sigma=sigma),
        kd.Images(data=clean),
        vst=True,
        clean=True,
    )
    spread = draws.std(axis=0)
    assert np.sqrt(np.mean(spread**2)) == pytest.approx(1, abs=0.02)  # what recon.vst promises
    error = (draws.mean(axis=0) - example.pair) * np.sqrt(count)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(1, abs=5 / np.sqrt(2 * error.size) + 0.02)


def test_blank_slices_are_left_out_and_nothing_may_be_missing_beside_the_others():
    source = scan(slices=3)
    empty = source.kspace.copy()
    empty[1] = 0
    blank = dataclasses.replace(source, kspace=empty)
    assert len(made(blank, scan(noise=1, slices=3), [scan("T1w", slices=3)])) == 2
    blank_target = like_scan(source, 2 * empty)
    assert len(made(blank, blank_target, clean=True)) == 2
    assert len(made(source, blank_target, clean=True)) == 3
    with pytest.raises(ValueError, match="slice 1 of a repetition is blank"):
        made(source, blank_target)
    with pytest.raises(ValueError, match="slice 1 of contrast 1 of 1 is blank"):
        made(source, contrasts=[dataclasses.replace(blank, kspace=2 * empty)])
    rows = source.kspace.copy()
    rows[..., 7] = 0
    with pytest.raises(ValueError, match="columns of k-space between acquired ones are empty"):
        made(source, like_scan(source, rows))


def test_a_target_that_is_the_image_itself_is_refused():
    for stage in STAGES:
        with pytest.raises(ValueError, match="a target is the noisy image itself"):
            made(scan(), scan(), stage=stage)
    with pytest.raises(ValueError, match="a target is the noisy image itself"):
        made(magnitudes(), magnitudes())


def test_a_contrast_that_is_the_image_itself_is_refused():
    for source in (scan(), magnitudes()):
        with pytest.raises(ValueError, match="contrast 1 of 1 is the noisy image itself"):
            made(source, contrasts=[dataclasses.replace(source)])


def test_inputs_are_not_modified():
    source, target, other = scan(), scan(noise=1), scan("T1w")
    before = [x.kspace.copy() for x in (source, target, other)]
    for example in made(source, target, [other]):
        for part in example:
            part[...] = 0  # nor do examples share memory with them
    for x, kspace in zip((source, target, other), before, strict=True):
        assert np.array_equal(x.kspace, kspace)


def test_coil_images_and_ifft_agree():
    source = scan()
    (image, *_) = made(source, stage="before-sense")
    white = recon.whiten(source.kspace[0], PSI)
    np.testing.assert_allclose(image.image, ifft2c(white)[0], rtol=1e-5, atol=1e-4)
