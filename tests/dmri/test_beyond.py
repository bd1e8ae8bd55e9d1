"""What else a trained DDM2 is good for: outliers, slices out of nothing; and scans from k-space."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import kspace_denoise as kd
from kspace_denoise.dmri.denoiser import ShellModel, VolumeDenoiser
from kspace_denoise.dmri.from_kspace import volumes_from_kspace
from kspace_denoise.dmri.generate import generate
from kspace_denoise.dmri.outliers import error_trajectories, outliers
from kspace_denoise.networks import UNetConfig
from kspace_denoise.objectives.ddm2 import DDM2
from kspace_denoise.scan import Images

SIGMA, SPREAD = 0.05, 0.7


class Wiener(torch.nn.Module):
    """The best there is for white images of a known spread."""

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        return x * SPREAD**2 / (SPREAD**2 + level[:, None, None, None] ** 2)


def drawing(**settings: Any) -> VolumeDenoiser:
    method = DDM2(diffusion="shuffled", **settings)
    model = ShellModel(1000.0, 1, torch.nn.Identity(), Wiener())
    return VolumeDenoiser([model], method, kd.TrainConfig(), {})


@pytest.mark.parametrize("settings", [{"largest": 20.0}, {"levels": "steps", "chain": "steps"}])
def test_slices_out_of_nothing_are_distributed_as_the_signal(settings: dict[str, Any]) -> None:
    denoiser = drawing(**settings)
    drawn = generate(denoiser, 4, (64, 65), seed=1, steps=200)
    assert drawn.shape == (4, 64, 65)
    assert drawn.std() / SPREAD == pytest.approx(1, abs=4 / (2 * drawn.size) ** 0.5 + 0.02)
    neighbours = np.corrcoef(drawn[..., 1:].ravel(), drawn[..., :-1].ravel())[0, 1]
    assert abs(neighbours) < 4 / drawn.size**0.5
    np.testing.assert_array_equal(drawn, generate(denoiser, 4, (64, 65), seed=1, steps=200))
    assert not np.array_equal(drawn, generate(denoiser, 4, (64, 65), seed=2, steps=200))


def test_what_cannot_generate_says_so() -> None:
    with pytest.raises(ValueError, match="largest = 5 or more"):
        generate(drawing(), 1, (8, 8))
    with pytest.raises(ValueError, match="no shell of b = 5, but 1000"):
        generate(drawing(largest=10.0), 1, (8, 8), bval=5)
    other = dataclasses.replace(drawing(), method=DDM2())
    with pytest.raises(ValueError, match='is "corrupted"'):
        generate(other, 1, (8, 8))


@pytest.fixture(scope="module")
def scan() -> Images:
    scheme = kd.sim.gradient_scheme(12, b0=2)
    phantom = kd.sim.diffusion_phantom((3, 33, 32), scheme, seed=5)
    noise = np.random.default_rng(0).standard_normal(phantom.image.shape)
    data = np.abs(phantom.image) + SIGMA * noise
    data[0, 0] = data[-1, 2] = 0
    return Images(data=data, sigma=SIGMA, bval=scheme.bval, bvec=scheme.bvec)


@pytest.mark.parametrize("diffusion", ["corrupted", "shuffled"])
def test_a_slice_whose_signal_was_lost_is_found(scan: Images, diffusion: str) -> None:
    assert scan.bval is not None
    lost, piece = int(np.flatnonzero(scan.bval)[4]), 1
    data = scan.data.copy()
    data[lost, piece] *= 0.5
    images = dataclasses.replace(scan, data=data)
    config = kd.TrainConfig(
        network=UNetConfig(base=8, multipliers=(1, 2), attention=()), steps=60, batch=4, patch=32,
        parts=1, symmetries=1, objective={"diffusion": diffusion},
    )  # fmt: skip
    denoiser = kd.train_volumes("ddm2", images, config)
    found = outliers(denoiser, images)
    assert (found[0].volume, found[0].slice) == (lost, piece)
    assert len(found) <= 2
    trajectories = error_trajectories(denoiser, images)[1000]
    assert trajectories.shape == (12, 3, 3)
    assert np.isnan(trajectories[-1, 2]).all()


@pytest.mark.cuda
@pytest.mark.parametrize("diffusion", ["corrupted", "shuffled"])
def test_all_of_it_on_a_gpu(scan: Images, diffusion: str) -> None:
    config = kd.TrainConfig(
        network=UNetConfig(base=8, multipliers=(1, 2), attention=()), steps=60, batch=4, patch=32,
        objective={"diffusion": diffusion, "largest": 10.0, "eta": 1.0, "chain_steps": 3},
    )  # fmt: skip
    denoiser = kd.train_volumes("ddm2", scan, config, device="cuda")
    clean = denoiser(scan).data
    assert np.isfinite(clean).all()
    assert scan.bval is not None
    error, noise = (np.abs(x - np.abs(scan.data))[scan.bval > 0].mean() for x in (clean, 0))
    assert error < noise
    assert len(error_trajectories(denoiser, scan)[1000]) == 12
    if diffusion == "shuffled":
        assert np.isfinite(generate(denoiser, 2, (16, 16), steps=5)).all()


def test_without_a_third_stage_there_is_no_trajectory(scan: Images) -> None:
    config = kd.TrainConfig(
        network=UNetConfig(base=8, multipliers=(1,), attention=()), steps=2, batch=2, patch=16,
        objective={"diffusion": "none"},
    )  # fmt: skip
    denoiser = kd.train_volumes("ddm2", scan, config)
    with pytest.raises(ValueError, match="no third stage"):
        outliers(denoiser, scan)


def test_volumes_come_from_kspace_with_their_noise() -> None:
    scheme = kd.sim.gradient_scheme(6, b0=1)
    phantom = kd.sim.diffusion_phantom((2, 40, 36), scheme, seed=3, coils=4)
    assert phantom.kspace is not None
    mixing = np.eye(4) + 0.3 * np.eye(4, k=1)
    covariance = 2 * 0.02**2 * (mixing @ mixing.T).astype(complex)
    noise = np.random.default_rng(0).standard_normal((2, *phantom.kspace.shape))
    drawn = np.einsum("cd,vsdyx->vscyx", 0.02 * mixing, noise[0] + 1j * noise[1])
    measured = (phantom.kspace + drawn).astype(np.complex64)
    images = volumes_from_kspace(measured, scheme.bval, scheme.bvec, covariance)
    assert images.data.shape == (7, 2, 40, 36)
    without = volumes_from_kspace(measured - drawn, scheme.bval, scheme.bvec, covariance)
    inside = phantom.mask
    combined = np.sqrt((np.abs(kd.fourier.ifft2c(phantom.kspace)) ** 2).sum(axis=2))
    error = np.abs(without.data)[:, inside] - combined[:, inside]
    assert np.sqrt((error**2).mean()) < 0.02 * np.sqrt((combined[:, inside] ** 2).mean())
    assert isinstance(images.sigma, np.ndarray)
    same_maps = (measured - drawn).astype(np.complex64)
    same_maps[0] = measured[0]
    again = volumes_from_kspace(same_maps, scheme.bval, scheme.bvec, covariance)
    np.testing.assert_array_equal(again.data[0], images.data[0])
    normal = ((images.data - again.data)[1:] / images.sigma)[:, inside]
    samples = 2 * normal.size
    assert abs((np.abs(normal) ** 2).mean() / 2 - 1) < 6 / samples**0.5


def test_kspace_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(volumes, slices, coils, ky, kx\)"):
        volumes_from_kspace(np.zeros((2, 3, 4, 5), np.complex64), np.zeros(2), np.zeros((2, 3)))
