"""What MPPCA says before training and after it: noise, phase, signal in the residual."""

import dataclasses

import numpy as np
import pytest
import torch

import kspace_denoise as kd
from kspace_denoise.dmri.noise_map import first_guess, noise_map, volume_phase
from kspace_denoise.dmri.prepare import Prepared, prepare
from kspace_denoise.dmri.put_back import put_back
from kspace_denoise.networks import UNetConfig
from kspace_denoise.objectives.ddm2 import DDM2
from kspace_denoise.scan import Images

SIGMA = 0.1


@pytest.fixture(scope="module")
def phantom() -> kd.sim.DiffusionPhantom:
    return kd.sim.diffusion_phantom((3, 49, 40), kd.sim.gradient_scheme(20, b0=2), seed=4)


@pytest.fixture(scope="module")
def scan(phantom: kd.sim.DiffusionPhantom) -> Images:
    scheme = kd.sim.gradient_scheme(20, b0=2)
    noise = np.random.default_rng(0).standard_normal((2, *phantom.image.shape))
    noisy = (phantom.image + SIGMA * (noise[0] + 1j * noise[1])).astype(np.complex64)
    noisy[:, :, :, :3] = 0
    return Images(data=noisy, bval=scheme.bval, bvec=scheme.bvec, sigma=SIGMA)


def in_unit(prepared: Prepared, images: np.ndarray) -> torch.Tensor:
    """Return complex images of a shell as the networks see them."""
    assert prepared.phase is not None
    real = (images[prepared.shell.volumes] * prepared.phase.numpy().conj()).real
    return torch.from_numpy(real / prepared.unit.numpy()).float()


def test_signal_that_was_taken_for_noise_comes_back(
    phantom: kd.sim.DiffusionPhantom, scan: Images
) -> None:
    """A denoiser that returns the mean over directions, and so no contrast between them."""
    prepared = prepare(scan, DDM2())[-1]
    truth = torch.where(prepared.volumes.images != 0, in_unit(prepared, phantom.image), 0)
    mean = truth.mean(dim=0, keepdim=True).expand_as(truth)
    back = put_back(prepared, mean)
    before, after = (float((x - truth).square().mean()) for x in (mean, back))
    assert after < 0.5 * before
    assert torch.equal(back[..., :3], mean[..., :3])


def test_noise_stays_away(scan: Images) -> None:
    """Of the residual of a perfect denoiser some per mille of the noise's power at most."""
    prepared = prepare(scan, DDM2())[-1]
    assert prepared.level is not None
    noise = torch.randn(prepared.volumes.images.shape, generator=torch.Generator().manual_seed(1))
    clean = prepared.volumes.images - prepared.level * noise
    wrong = (put_back(prepared, clean) - clean) / prepared.level
    assert float(wrong.square().mean()) < 5e-3


def test_a_denoiser_puts_back_unless_it_is_told_not_to(scan: Images) -> None:
    tiny = UNetConfig(base=8, multipliers=(1, 1), attention=())
    config = kd.TrainConfig(network=tiny, steps=4, batch=2, patch=16, parts=1, symmetries=1)
    denoiser = kd.train_volumes("ddm2", scan, config.replace(objective={"neighbours": 4}))
    found = denoiser(scan)
    denoiser.method = dataclasses.replace(denoiser.method, put_back=False)
    bare, prepared = denoiser(scan), prepare(scan, denoiser.method)[-1]
    clean = in_unit(prepared, bare.data)
    left = (put_back(prepared, clean) - clean).abs()
    there = prepared.shell.volumes
    changed = in_unit(prepared, found.data) - clean
    assert float(left.max()) > 0.1 * float(clean.abs().max())  # a poor denoiser takes signal
    torch.testing.assert_close(changed.abs(), left, atol=1e-4, rtol=1e-3)
    others = np.delete(np.arange(len(scan.data)), there)
    np.testing.assert_array_equal(found.data[others], bare.data[others])


def test_the_noise_map_is_the_one_given_or_the_smoothed_guess_of_mppca() -> None:
    level = np.linspace(0.5, 2, 40)[None, None, :]
    noise = np.random.default_rng(3).standard_normal((2, 16, 3, 44, 40)) * level
    images = Images(data=(noise[0] + 1j * noise[1]).astype(np.complex64))
    found = noise_map(images, first_guess(images))
    assert found is not None
    inner = slice(6, -6)  # at the borders the Gaussian has one side only
    assert np.abs(found / level - 1)[..., inner, inner].max() < 0.06
    assert noise_map(images, None) is None
    of_volumes = np.arange(1.0, 17)[:, None, None, None]
    given = noise_map(dataclasses.replace(images, sigma=of_volumes), None)
    assert given is not None
    np.testing.assert_allclose(given, np.sqrt(np.mean(of_volumes**2)))


def test_of_few_volumes_or_unknown_noise_nothing_is_put_back(scan: Images) -> None:
    prepared = prepare(scan, DDM2())[-1]
    clean = torch.zeros_like(prepared.volumes.images)
    few = dataclasses.replace(prepared.volumes, images=prepared.volumes.images[:9])
    assert torch.equal(put_back(prepared._replace(volumes=few), clean[:9]), clean[:9])
    assert torch.equal(put_back(prepared._replace(level=None), clean), clean)
    same = prepared.volumes.images
    assert torch.equal(put_back(prepared, same), same)
    assert not torch.equal(put_back(prepared, clean), clean)


def test_the_phase_follows_the_signal_and_not_the_noise(
    phantom: kd.sim.DiffusionPhantom, scan: Images
) -> None:
    """Without it next to no signal is left in the imaginary part, and noise has the mean 0."""
    blind = dataclasses.replace(scan, sigma=None)
    phase = volume_phase(blind, first_guess(blind))
    assert phase is not None
    turned = phase.numpy().conj()
    lost = (phantom.image * turned).imag[:, phantom.mask]
    assert np.sqrt(np.mean(lost**2)) < 0.5 * SIGMA
    alone = volume_phase(blind, None)
    assert alone is not None
    noise = (scan.data - phantom.image)[..., 3:]
    with_mppca, without = (
        float((noise * x.numpy().conj()[..., 3:]).real.mean()) / SIGMA for x in (phase, alone)
    )
    assert abs(with_mppca) < 0.02 < 0.05 < without
    assert volume_phase(dataclasses.replace(blind, data=np.abs(blind.data)), None) is None
