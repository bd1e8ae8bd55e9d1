"""Other contrasts of a scan on their way to a denoiser."""

import dataclasses

import numpy as np
import pytest

import kspace_denoise as kd
from kspace_denoise import sim
from kspace_denoise.stages import in_snr_units, known_noise, reconstruct_slice
from tests.training.scans import SHAPE, clean_magnitudes, magnitudes, scan


class Spy:
    """A denoiser that remembers what it was given, and returns its first contrast."""

    def __init__(self, contrasts: int) -> None:
        self.contrasts = contrasts
        self.seen = []

    def __call__(self, image, sigma, condition=None, condition_sigma=None):
        self.seen.append((image, sigma, condition, condition_sigma))
        return image if condition is None else condition[..., 0, :, :]


def test_a_denoiser_sees_the_same_slice_of_every_contrast():
    source, others = scan("T1w"), [scan("T2w", noise=1), scan("FLAIR", noise=2)]
    spy = Spy(2)
    result = kd.denoise(source, spy, contrasts=others)
    assert result.image.shape == (2, *SHAPE)
    for index, (image, sigma, condition, condition_sigma) in enumerate(spy.seen):
        assert (image.shape, sigma) == ((1, *SHAPE), 1.0)
        assert condition.shape == condition_sigma.shape == (1, 2, *SHAPE)
        piece = reconstruct_slice(others[1].kspace[index], known_noise(others[1]))
        np.testing.assert_allclose(
            in_snr_units(condition[0, 1], condition_sigma[0, 1]),
            in_snr_units(piece.image, piece.sigma),
            rtol=1e-3,
            atol=1e-2,
        )


def test_images_are_given_with_theirs():
    source, other = magnitudes(), magnitudes(seed=1, sigma=0.7)
    spy = Spy(1)
    result = kd.denoise(source, spy, contrasts=[other])
    assert np.array_equal(result.image, other.data)
    assert all(np.all(seen[3] == 0.7) for seen in spy.seen)
    volumes = kd.Images(data=clean_magnitudes(4).reshape(2, 2, *SHAPE) + 1, sigma=0.1)
    twice = kd.Images(data=2 * volumes.data, sigma=0.1)
    deep = kd.denoise(volumes, spy, contrasts=[twice])
    assert np.array_equal(deep.image, twice.data)
    assert spy.seen[-1][2].shape == (2, 1, *SHAPE)


def test_a_scan_may_be_seen_beside_images_and_the_other_way_round():
    one = scan()
    images = kd.Images(data=kd.denoise(one, lambda x, _s: x).image, sigma=0.1)
    assert kd.denoise(one, Spy(1), contrasts=[images]).image.shape == (2, *SHAPE)
    assert kd.denoise(images, Spy(1), contrasts=[one]).image.shape == (2, *SHAPE)


def test_blank_slices_need_no_contrast():
    source = scan(slices=3)
    kspace = source.kspace.copy()
    kspace[2] = 0
    blank = dataclasses.replace(source, kspace=kspace)
    spy, other = Spy(1), scan("T1w", slices=3)
    assert not kd.denoise(blank, spy, contrasts=[other]).image[2].any()
    assert len(spy.seen) == 2
    with pytest.raises(ValueError, match="slice 2 of contrast 1 of 1 is blank"):
        kd.denoise(other, spy, contrasts=[blank])
    data = magnitudes().data.copy()
    data[0] = 0
    pictures = kd.Images(data=data, sigma=0.2)
    assert not kd.denoise(pictures, spy, contrasts=[magnitudes(seed=1)]).image[0].any()


def test_contrasts_that_are_not_those_of_the_denoiser_are_refused():
    one, other = scan(), scan("T1w")

    def plain(image, _sigma):
        return image

    with pytest.raises(ValueError, match="this denoiser uses no other contrasts, and 1 were given"):
        kd.denoise(one, plain, contrasts=[other])
    with pytest.raises(ValueError, match="trained with 2 other contrasts of each slice, and 1"):
        kd.denoise(one, Spy(2), contrasts=[other])
    with pytest.raises(ValueError, match="trained with 1 other contrasts of each slice, and 0"):
        kd.denoise(magnitudes(), Spy(1))
    with pytest.raises(ValueError, match="expected the same slices on the same grid"):
        kd.denoise(one, Spy(1), contrasts=[scan("T1w", slices=1)])
    with pytest.raises(ValueError, match="other contrasts are used after SENSE only"):
        kd.denoise(one, Spy(1), "before-sense", contrasts=[other])
    with pytest.raises(ValueError, match="come without their noise level"):
        kd.denoise(magnitudes(), Spy(1), contrasts=[kd.Images(data=magnitudes().data)])


def test_the_noisy_images_are_no_contrast_of_their_own():
    """Not as another object, not under another covariance, and not as one slice among others."""
    one, other = scan(), scan("T1w")
    louder = dataclasses.replace(one, noise_covariance=2 * one.noise_covariance)
    kspace = other.kspace.copy()
    kspace[1] = one.kspace[1]
    for same, found in ((one, 0), (louder, 0), (dataclasses.replace(other, kspace=kspace), 1)):
        with pytest.raises(ValueError, match=rf"contrast 2 of 2 is the noisy .* \(slice {found}\)"):
            kd.denoise(one, Spy(2), contrasts=[other, same])
    with pytest.raises(ValueError, match="contrast 1 of 1 is the noisy image itself"):
        kd.denoise(magnitudes(), Spy(1), contrasts=[magnitudes()])


def test_what_is_no_denoiser_is_told_where_denoisers_come_from():
    for wrong in ("bm3d", kd.classical.BM3D, None):
        with pytest.raises(TypeError, match=r"denoiser is .*, expected kd.load.* or a classical"):
            kd.denoise(scan(), wrong)


def test_the_noise_map_of_a_contrast_may_need_replicas():
    lines = sim.mask("equispaced", SHAPE, 2, 12, seed=0)
    one = scan()
    odd = dataclasses.replace(
        one, kspace=one.kspace * lines, mask=lines, noise_profile=np.linspace(0.5, 1.4, SHAPE[1])
    )
    with pytest.raises(ValueError, match="the noise map of contrast 1 of 1 has no closed form"):
        kd.denoise(one, Spy(1), contrasts=[odd], calibration=12)
    kd.denoise(one, Spy(1), contrasts=[odd], calibration=12, replicas=3)
