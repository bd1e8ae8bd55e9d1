"""GSURE from single-coil k-space that is noisy and undersampled."""

import dataclasses

import numpy as np
import pytest
import torch

import kspace_denoise as kd
from kspace_denoise import sim
from kspace_denoise.fourier import fft2c
from kspace_denoise.recon.spectral import PixelSampling
from kspace_denoise.training.spectra import Spectra, Spectrum, training_pixels, training_spectra
from kspace_denoise.training.subjects import Subject
from tests.training.scans import TINY, magnitudes

SHAPE, SIGMA, COUNT = (24, 20), 0.02, 12


def lines(count: int = COUNT) -> np.ndarray:
    """Return a mask for each slice, of other lines each."""
    masks = [sim.mask("random", SHAPE, 2, 6, seed=seed) for seed in range(count)]
    return np.stack(masks).astype(bool)


def single_coil(noise: int = 0, masks: np.ndarray | None = None) -> kd.Scan:
    """Return slices of one coil with noise, as far as the masks show them."""
    masks = lines() if masks is None else masks
    y, x = (np.linspace(-1, 1, n) for n in SHAPE)
    discs = [np.hypot(y[:, None] - a, x) < 0.7 for a in np.linspace(-0.2, 0.2, COUNT)]
    clean = fft2c(np.stack(discs).astype(complex))[:, None]
    psi = np.array([[2 * SIGMA**2]])
    noisy = sim.add_noise(clean.astype(np.complex64), psi, seed=noise)
    return kd.Scan(kspace=noisy * masks[:, None], mask=masks, noise_covariance=psi)


def spectra() -> Spectra:
    return Spectra.collect(training_spectra([Subject(single_coil())]))


def test_spectra_are_in_the_unit_of_their_images():
    found = spectra()
    inside = np.mean(np.hypot(*np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE))) < 0.7)
    assert torch.allclose(found.sigmas, torch.tensor(SIGMA / np.sqrt(inside)).float(), rtol=0.1)
    assert found.density.min() == pytest.approx(lines().mean(axis=0).min())
    assert np.array_equal(found.masks, np.broadcast_to(lines(), found.masks.shape))
    assert not found.seen[~found.masks].any()


def test_a_batch_shows_whole_spectra_with_their_noise():
    found = spectra()
    batch = found.draw(50, 8, torch.Generator().manual_seed(0))
    assert batch.seen.shape == (50, *SHAPE)
    assert torch.equal(batch.nsr.isfinite(), batch.seen != 0)
    assert torch.all(batch.nsr[batch.nsr.isfinite()] <= found.largest_noise)
    sizes = {round(float(x), 3) for x in found.seen.abs().sum(dim=(-2, -1))}
    assert {round(float(x), 3) for x in batch.seen.abs().sum(dim=(-2, -1))} <= sizes
    assert [len(part) for part in batch.split(2)] == [25, 25]


def test_gsure_trains_and_becomes_a_prior(tmp_path):
    config = TINY.replace(steps=3)
    denoiser = kd.train("gsure", single_coil(), config=config)
    denoiser.save(tmp_path / "model")
    again = kd.load(tmp_path / "model")
    assert again.objective.smallest == pytest.approx(spectra().largest_noise, rel=1e-3)
    assert again.config.network.phase_width == 0
    image = np.ones((2, *SHAPE), np.complex64)
    first, second = (f.prior(1.0)(image, 0.3) for f in (denoiser, again))
    np.testing.assert_allclose(first, second, atol=1e-5)  # training does without fused attention


def test_a_longer_training_lowers_its_loss():
    config = TINY.replace(steps=120, learning_rate=3e-3)
    losses = [loss for _, loss in kd.train("gsure", single_coil(), config=config).record["losses"]]
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:2])


def test_a_network_that_is_shown_the_mask_is_shown_all_as_a_prior(tmp_path):
    config = TINY.replace(steps=3, objective={"mask_aware": True})
    denoiser = kd.train("gsure", single_coil(), config=config)
    assert denoiser.network.network.config.contrasts == 1
    assert denoiser.contrasts == 0
    denoiser.save(tmp_path / "model")
    again = kd.load(tmp_path / "model")
    image = np.ones((2, *SHAPE), np.complex64)
    assert np.isfinite(again.prior(1.0)(image, 0.3)).all()
    weights = denoiser.network.network.others[0].enter.weight
    assert weights.std() > 0


def test_what_is_seen_may_be_pixels():
    seen, masks = np.ones((3, 8, 8), np.complex64), np.ones((3, 8, 8), bool)
    masks[0, :4] = False
    given = [Spectrum(x * m, m, 0.1, 1.0) for x, m in zip(seen, masks, strict=True)]
    found = Spectra.collect(given, PixelSampling(torch.ones(1)))
    batch = found.draw(2, 8, torch.Generator().manual_seed(0))
    assert torch.equal(batch.operator.image(batch.seen), batch.seen)


def test_blank_slices_are_left_out():
    source = single_coil()
    kspace = source.kspace.copy()
    kspace[3] = 0
    blank = dataclasses.replace(source, kspace=kspace)
    assert len(list(training_spectra([Subject(blank)]))) == COUNT - 1


@pytest.mark.filterwarnings("ignore:this k-space has less power")
def test_a_slice_that_is_mostly_noise_is_told():
    source = single_coil()
    kspace = source.kspace.copy()
    kspace[5] *= 0.01
    faint = dataclasses.replace(source, kspace=kspace)
    with pytest.warns(UserWarning, match="1 of 12 slices have up to .* times the usual noise"):
        Spectra.collect(training_spectra([Subject(faint)]))


def pixels() -> kd.Images:
    """Return fully sampled complex images, the noise of whose lower half is twice the other's."""
    y, x = (np.linspace(-1, 1, n) for n in SHAPE)
    discs = [np.hypot(y[:, None] - a, x) < 0.7 for a in np.linspace(-0.2, 0.2, COUNT)]
    sigma = np.where(np.arange(SHAPE[0]) < SHAPE[0] // 2, SIGMA, 2 * SIGMA)[:, None]
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, COUNT, *SHAPE))
    data = (np.stack(discs) + sigma * (noise[0] + 1j * noise[1])).astype(np.complex64)
    return kd.Images(data=data, sigma=sigma)


def test_images_are_seen_in_every_pixel_with_its_noise():
    found = Spectra.collect(training_pixels([Subject(pixels())]))
    batch = found.draw(3, 8, torch.Generator().manual_seed(0))
    ratio = batch.nsr[:, -1] / batch.nsr[:, 0]
    torch.testing.assert_close(ratio, torch.full_like(ratio, 2.0))
    assert float(found.seen.abs().square().mean()) == pytest.approx(1, rel=0.02)
    denoiser = kd.train("gsure", pixels(), config=TINY.replace(steps=3))
    assert denoiser.objective.smallest == pytest.approx(found.largest_noise, rel=1e-3)
    assert denoiser.objective.smallest >= found.largest_noise


def test_lines_that_are_filled_with_zeros_are_not_sampled():
    """Of half of the scans 4 columns are padding: without a mask, and beside a recorded one."""
    full = dataclasses.replace(single_coil(masks=np.ones((COUNT, 1, SHAPE[1]), bool)), mask=None)
    padded = full.kspace.copy()
    padded[: COUNT // 2, ..., :4] = 0
    found = Spectra.collect(
        training_spectra([Subject(dataclasses.replace(full, kspace=padded))])
    ).density
    assert found[:, :4].eq(0.5).all()
    assert found[:, 4:].eq(1).all()


def same_lines() -> kd.Scan:
    return single_coil(masks=np.repeat(lines(1), COUNT, axis=0))


WRONG = {
    "sampled in none of the 12 slices": same_lines,
    "give no magnitudes": magnitudes,
    "sigma of the images is 0": lambda: kd.Images(data=pixels().data, sigma=0.0),
    "give no images beside scans": lambda: [single_coil(), pixels()],
    "takes it for white": lambda: dataclasses.replace(
        single_coil(), noise_spectrum=np.linspace(0.5, 1.5, SHAPE[1])
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_learnt_from_is_refused(message):
    with pytest.raises(ValueError, match=message):
        kd.train("gsure", WRONG[message](), config=TINY)


def test_sizes_that_differ_are_refused():
    one = next(training_spectra([Subject(single_coil())]))
    other = one._replace(seen=one.seen[:20], mask=one.mask[:20])
    with pytest.raises(ValueError, match="of different sizes"):
        Spectra.collect([one, other])
    with pytest.raises(ValueError, match="nothing to train on"):
        Spectra.collect([])


@pytest.mark.parametrize("stage", ["before-sense"])
def test_it_has_one_stage(stage):
    with pytest.raises(ValueError, match="leave stage at 'after-sense'"):
        kd.train("gsure", single_coil(), stage=stage, config=TINY)
