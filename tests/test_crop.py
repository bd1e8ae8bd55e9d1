"""Cropping: pixels stay what they are, and so does what is known of their noise."""

import numpy as np
import pytest

from kspace_denoise import recon, sim
from kspace_denoise.crop import (
    centre_crop,
    crop_field_of_view,
    recon_matrix,
    remove_oversampling,
)
from kspace_denoise.fourier import fft2c, ifft2c
from kspace_denoise.recon.noise import combine_coils
from kspace_denoise.scan import Scan
from kspace_denoise.stages import known_noise, reconstruct_slice, sense_slice
from tests.helpers import assert_same_kind, complex_array, random_covariance

HEADER = {"ismrmrd": {"recon_matrix": [24, 20, 1]}}
SHAPE = (2, 3, 48, 20)


def oversampled(rng: np.random.Generator, **more: object) -> Scan:
    return Scan(kspace=complex_array(rng, SHAPE), readout_axis=-2, header=HEADER, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "cut"), [(8, 4), (8, 5), (7, 4), (7, 3), (5, 5)])
def test_the_pixel_of_dc_stays_the_centre(kind, size: int, cut: int) -> None:
    image = np.zeros((2, size, size))
    image[:, size // 2, size // 2] = 1
    result = centre_crop(kind(image), (cut, cut))
    assert_same_kind(result, kind(image))
    expected = np.zeros((2, cut, cut))
    expected[:, cut // 2, cut // 2] = 1
    np.testing.assert_array_equal(np.asarray(result), expected)


@pytest.mark.parametrize("shape", [(9, 4), (4, 9), (0, 4)])
def test_a_crop_adds_nothing(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"cannot crop 8 x 8 to .*nothing is added"):
        centre_crop(np.zeros((8, 8)), shape)


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize("sizes", [(16, 8), (17, 8), (15, 7)])
def test_k_space_of_a_smaller_field_of_view_gives_the_same_pixels(
    kind, rng: np.random.Generator, axis: int, sizes: tuple[int, int]
) -> None:
    shape, cut = [3, 10, 10], [10, 10]
    shape[axis], cut[axis] = sizes
    kspace = complex_array(rng, tuple(shape))
    before = kspace.copy()
    small = crop_field_of_view(kind(kspace), sizes[1], axis)
    assert_same_kind(small, kind(kspace))
    np.testing.assert_allclose(
        ifft2c(np.asarray(small)), centre_crop(ifft2c(kspace), (cut[0], cut[1])), atol=1e-5
    )
    np.testing.assert_array_equal(kspace, before)
    with pytest.raises(ValueError, match="axis is 0, expected -1 or -2"):
        crop_field_of_view(kspace, 4, 0)


def test_noise_keeps_its_covariance_in_a_smaller_field_of_view(rng: np.random.Generator) -> None:
    psi = random_covariance(rng, 3)
    noise = sim.noise_like(np.zeros((40, 3, 32, 16), np.complex64), psi, seed=1)
    small = crop_field_of_view(noise, 16, -2)
    count = 40 * 16 * 16
    measured = recon.noise_covariance(np.moveaxis(small, 1, 0).reshape(3, -1))
    error = np.sqrt(np.outer(np.diag(psi), np.diag(psi)).real / count)
    assert (np.abs(measured - psi) < 5 * error).all()


def test_the_size_that_a_file_asks_for(rng: np.random.Generator) -> None:
    assert recon_matrix(oversampled(rng)) == (24, 20)
    data = complex_array(rng, (1, 1, 20, 48))
    assert recon_matrix(Scan(kspace=data, readout_axis=-1, header=HEADER)) == (20, 24)
    said = {"reconstruction_shape": [10, 12]}
    assert recon_matrix(Scan(kspace=data, header={**HEADER, **said})) == (10, 12)
    with pytest.raises(ValueError, match="says nothing of the size of its images"):
        recon_matrix(Scan(kspace=data, header=HEADER))


@pytest.mark.parametrize("undersampled", [False, True])
def test_sense_without_oversampling_is_sense_cropped(undersampled: bool) -> None:
    """Image and sigma, through the same coil maps, the receiver's profile included."""
    profile = np.linspace(0.5, 1.4, 96, dtype=np.float32)[:, None]
    profile /= np.sqrt(np.mean(profile**2))
    psi = 0.01 * sim.array_covariance(4, seed=1)
    wide = np.zeros((4, 96, 45), np.complex64)  # twice the head's field of view
    wide[:, 24:72] = ifft2c(sim.phantom((48, 45), seed=3, coils=4).kspace)
    kspace = sim.add_noise(fft2c(wide), psi, seed=0, noise_profile=profile)
    mask = sim.mask("equispaced", (96, 45), 2, 16, seed=0)[0] if undersampled else None
    scan = Scan(
        kspace=(kspace if mask is None else kspace * mask)[None],
        mask=mask,
        noise_covariance=psi,
        noise_profile=profile,
        readout_axis=-2,
        header={"reconstruction_shape": [48, 45]},
    )
    small = remove_oversampling(scan)
    assert small.kspace.shape == (1, 4, 48, 45)
    assert np.mean(small.noise_profile**2) == pytest.approx(1)  # type: ignore[operator]
    piece = reconstruct_slice(scan.kspace[0], known_noise(scan), scan.slice_mask(0), 16)
    noise = known_noise(small)
    matrix = recon.whitening_matrix(noise.covariance)
    maps = combine_coils(
        matrix @ np.linalg.inv(recon.whitening_matrix(psi)), centre_crop(piece.coil_maps, (48, 45))
    )
    result = sense_slice(combine_coils(matrix, small.kspace[0]), maps, noise, small.slice_mask(0))
    np.testing.assert_allclose(result.image, centre_crop(piece.image, (48, 45)), atol=1e-4)
    np.testing.assert_allclose(result.sigma, centre_crop(piece.sigma, (48, 45)), rtol=1e-3)


def test_slices_are_cropped_when_they_are_read(rng: np.random.Generator) -> None:
    scan = oversampled(
        rng,
        mask=np.arange(20) % 2 == 0,
        noise_covariance=np.eye(3),
        noise_spectrum=np.linspace(0.5, 1.5, 20),
    )
    small = remove_oversampling(scan)
    expected = centre_crop(ifft2c(scan.kspace[1]), (24, 20))
    np.testing.assert_allclose(ifft2c(small.kspace[1]), expected, atol=1e-5)
    np.testing.assert_array_equal(small.noise_covariance, np.eye(3))  # type: ignore[arg-type]
    np.testing.assert_array_equal(small.mask, scan.mask)  # type: ignore[arg-type]
    np.testing.assert_array_equal(small.noise_spectrum, scan.noise_spectrum)  # type: ignore[arg-type]
    assert small.kspace.dtype == np.complex64
    assert remove_oversampling(small).kspace is small.kspace


def test_two_dimensional_masks_and_profiles_along_the_other_axis(rng: np.random.Generator) -> None:
    mask = np.broadcast_to(np.arange(20) % 2 == 0, (48, 20))
    small = remove_oversampling(oversampled(rng, mask=mask, noise_profile=np.ones((1, 20))))
    assert small.mask is not None
    assert small.mask.shape == (1, 20)
    np.testing.assert_array_equal(small.noise_profile, np.ones((1, 20)))  # type: ignore[arg-type]


def test_what_cannot_lose_its_oversampling(rng: np.random.Generator) -> None:
    rows = np.arange(48)[:, None] % 2
    for name in ("mask", "noise_spectrum"):
        with pytest.raises(ValueError, match=r"(mask|spectrum) varies along the readout"):
            remove_oversampling(oversampled(rng, **{name: rows}))
    data = complex_array(rng, SHAPE)
    with pytest.raises(ValueError, match="the readout axis is unknown"):
        remove_oversampling(Scan(kspace=data, header={"reconstruction_shape": [24, 20]}))
    with pytest.raises(ValueError, match="asks for 24 pixels along the readout, which has 20"):
        remove_oversampling(Scan(kspace=data, readout_axis=-1, header=HEADER))
    data[1, :, :9] = 0
    partial = Scan(kspace=data, readout_axis=-2, header=HEADER)
    small = remove_oversampling(partial)
    assert small.kspace[0].any()
    with pytest.raises(ValueError, match="slice 1 has lines of which only a part was acquired"):
        small.kspace[1]
