"""C2S in the singular value decomposition: corruption with the covariance of the data."""

import dataclasses

import numpy as np
import pytest
import torch

import kspace_denoise as kd
from kspace_denoise.objectives.c2s import C2S
from kspace_denoise.recon.sense_operator import SenseOperator
from kspace_denoise.recon.spectral import noise_of_components
from kspace_denoise.recon.spectral_sense import decompose
from kspace_denoise.spectral_stage import spectral_image, spectral_slice
from kspace_denoise.stages import known_noise, reconstruct_slice
from kspace_denoise.symmetry import turn, turn_back
from kspace_denoise.training.measurements import training_measurements
from kspace_denoise.training.spectral_images import SpectralImages
from kspace_denoise.training.subjects import Subject
from tests.training.scans import TINY
from tests.training.test_measurements import COILS, SHAPE, scan

SEEDS = (3, 0)  # the first draws an image upright, the second one that is flipped


def images() -> SpectralImages:
    return SpectralImages.collect(training_measurements([Subject(scan())]))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_image_has_the_noise_that_is_said():
    """By Monte Carlo, in every pixel; components above the limit are left out."""
    one = images().measurements.slices[0]
    operator = decompose(SenseOperator(one.maps, one.mask))
    limit = float(noise_of_components(operator, 1.0).quantile(0.7))
    count = 800
    drawn = torch.view_as_complex(torch.randn(count, COILS, *SHAPE, 2, generator=generator()))
    found = [spectral_image(operator, n * one.mask, limit) for n in drawn]
    noise = found[0].noise
    assert float(noise.isfinite().float().mean()) == pytest.approx(0.7, abs=0.01)
    assert float(noise[noise.isfinite()].max()) <= limit
    spread = torch.view_as_real(torch.stack([f.image for f in found])).square().mean((0, -1))
    sigma = found[0].sigma
    # 1600 draws of each pixel: its variance is known to 3.5 %, the worst of 768 to 14 %.
    inside = sigma > 0.05 * sigma.max()
    assert float((spread / sigma**2 - 1)[inside].abs().max()) < 0.17
    assert float((spread / sigma**2)[inside].mean()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_batch_draws_noise_of_the_covariance_of_its_images(seed):
    """Also of images that are turned: the noise of a scan has a direction."""
    batch = images().draw(1, 8, generator(seed))
    (colour,) = batch.colours
    assert (colour.number == 0) == (seed == 3)
    count = 800
    drawn = torch.stack([batch.noise(generator(i))[0] for i in range(count)])
    power = torch.view_as_real(drawn).square().mean((0, -1))
    assert float(power[turn(colour.sigma, colour.number) > 0].mean()) == pytest.approx(1, abs=0.01)
    components = colour.operator.spectrum(turn_back(drawn, colour.number) * colour.sigma)
    whitened = torch.where(colour.noise.isfinite(), components / colour.noise, 0)
    variance = torch.view_as_real(whitened).square().mean((0, -1))[colour.noise.isfinite()]
    assert float((variance - 1).abs().max()) < 0.17
    assert float(variance.mean()) == pytest.approx(1, abs=0.01)
    mean = torch.stack([batch.mean_square(n[None])[0] for n in drawn]).mean()
    assert float(mean) == pytest.approx(2, rel=0.01)  # two real components


def test_components_that_are_not_observed_do_not_count():
    batch = images().draw(1, 8, generator(0))
    (colour,) = batch.colours
    hidden = torch.zeros_like(colour.noise, dtype=torch.bool)
    hidden[::2] = True
    some = colour._replace(noise=torch.where(hidden, torch.inf, colour.noise))
    fewer = dataclasses.replace(batch, colours=(some,))
    error = torch.stack([fewer.noise(generator(i))[0] for i in range(200)])
    mean = torch.stack([fewer.mean_square(e[None])[0] for e in error]).mean()
    assert float(mean) == pytest.approx(2, rel=0.02)


def test_its_minimiser_shrinks_each_component_by_its_own_noise():
    """Of white Gaussian images the best linear estimate of a component is known; C2S finds it."""
    source = images()
    one = source.measurements.slices[0]
    operator = source.measurements.shown(0)
    noise = noise_of_components(operator, 1.0)
    tau = float(noise.quantile(0.5))  # the strength of the image, in the unit of the noise
    limit = float(noise.quantile(0.9))
    truth = tau * torch.view_as_complex(torch.randn(400, *SHAPE, 2, generator=generator(1)))
    n = torch.view_as_complex(torch.randn(400, COILS, *SHAPE, 2, generator=generator(2)))
    kspace = operator.operator.forward(truth) + n * one.mask
    measurements = dataclasses.replace(
        source.measurements,
        slices=tuple(one._replace(kspace=k, rms=limit * 2**0.5) for k in kspace),
    )
    measurements._kept.update(dict.fromkeys(range(400), operator))
    many = dataclasses.replace(source, measurements=measurements)
    batch = many.draw(400, 8, generator(3))
    back = tuple(turn_back(x, c.number) for x, c in zip(batch.image, batch.colours, strict=True))
    upright = tuple(c._replace(number=0) for c in batch.colours)
    batch = dataclasses.replace(batch, image=torch.stack(back), colours=upright)
    scale = 1 / batch.sigma
    gain = torch.zeros(SHAPE, requires_grad=True)

    def shrink(x, _level, _condition):
        """Multiply each component by its gain, in the unit of the truth."""
        back = x * scale[:, None, None] * batch.colours[0].sigma
        clean = operator.image(gain * operator.spectrum(back))
        sigma = batch.colours[0].sigma
        return clean / sigma.clamp(min=1e-6) / scale[:, None, None]

    objective = C2S(spread=0.01, level_jitter=0.0)
    optimiser = torch.optim.LBFGS([gain], max_iter=30, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = objective.loss(shrink, batch, generator(4))
        loss.backward()
        return loss

    optimiser.step(closure)
    # At the level τ = σ_d the state has twice the variance of the noise.
    expected = tau**2 / (tau**2 + 2 * noise**2)
    observed = noise <= limit
    error = (gain.detach() - expected)[observed]
    assert float(error.abs().mean()) < 0.05
    assert abs(float(error.mean())) < 0.01


def test_where_all_is_observed_it_is_the_sense_image():
    source = scan()
    noise = known_noise(source)
    piece = reconstruct_slice(source.kspace[0] * 1e3, noise, source.slice_mask(0))
    found = spectral_slice(piece, noise)
    np.testing.assert_allclose(found.image, piece.image, atol=2e-3 * np.abs(piece.image).max())
    np.testing.assert_allclose(found.sigma, piece.sigma, rtol=2e-3, atol=1e-6)


def test_c2s_trains_in_it_and_denoises_scans(tmp_path):
    config = TINY.replace(domain="svd", steps=3)
    denoiser = kd.train("c2s", scan(), config=config)
    denoiser.save(tmp_path / "model")
    again = kd.load(tmp_path / "model")
    assert again.domain == "svd"
    found = kd.denoise(scan(), again)
    assert found.image.shape == (3, *SHAPE)
    assert np.isfinite(found.image).all()
    source = scan()
    noise = known_noise(source)
    piece = reconstruct_slice(source.kspace[0], noise, source.slice_mask(0))
    expected = spectral_slice(piece, noise).image
    np.testing.assert_allclose(found.noisy[0], expected, rtol=1e-5, atol=1e-6)
    assert np.abs(found.image - found.noisy).max() > 0


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("supervised", {}, "domain = 'svd' is for c2s"),
        ("c2s", {"objective": {"levels": "uniform"}}, "'log-normal'"),
        ("c2s", {"vst": True}, "leave stage at 'after-sense', and vst"),
    ],
)
def test_what_cannot_be_learnt_so_is_refused(method, options, message):
    config = TINY.replace(domain="svd", **options)
    targets = scan() if method == "supervised" else None
    with pytest.raises(ValueError, match=message):
        kd.train(method, scan(), config=config, targets=targets)


def test_a_domain_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="domain is 'wavelet'"):
        kd.TrainConfig(domain="wavelet")


def test_the_decomposition_of_a_scan_is_kept():
    measurements = images().measurements
    assert measurements.shown(1) is measurements.shown(1)


def faint() -> kd.Scan:
    """Return scans of which one slice is fainter than its noise."""
    kspace = scan().kspace.copy()
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, *kspace.shape[1:])) @ np.eye(SHAPE[1])
    kspace[1] = (noise[0] + 1j * noise[1]) * (kspace[1] != 0) * 0.03
    return dataclasses.replace(scan(), kspace=kspace.astype(np.complex64))


def test_something_is_observed_of_a_slice_that_is_mere_noise():
    with pytest.warns(UserWarning, match="times the usual noise"):
        denoiser = kd.train("c2s", faint(), config=TINY.replace(domain="svd", steps=20))
    assert np.isfinite([loss for _, loss in denoiser.record["losses"]]).all()
    found = kd.denoise(faint(), denoiser)
    assert (np.abs(found.noisy).max(axis=(1, 2)) > 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise_profile": np.linspace(0.5, 1.5, SHAPE[1])}, "takes it for white in both"),
        ({"noise_spectrum": np.linspace(0.5, 1.5, SHAPE[1])}, "takes it for white in both"),
    ],
)
def test_noise_that_is_not_white_is_refused_where_it_is_denoised(change, message):
    denoiser = kd.train("c2s", scan(), config=TINY.replace(domain="svd", steps=1))
    with pytest.raises(ValueError, match=message):
        kd.denoise(dataclasses.replace(scan(), **change), denoiser)
    with pytest.raises(ValueError, match="these are images"):
        kd.denoise(kd.Images(data=np.ones((1, *SHAPE), np.complex64), sigma=1.0), denoiser)
    with pytest.raises(ValueError, match="leave both out"):
        kd.denoise(scan(), denoiser, regularisation=0.1)


def test_lines_that_are_filled_with_zeros_were_not_sampled():
    """The noise that is said is that of the lines that hold noise; by Monte Carlo."""
    source = scan()
    kspace, noise, mask = source.kspace[0].copy(), known_noise(source), source.slice_mask(0)
    kspace[..., :4] = 0
    piece = reconstruct_slice(kspace, noise, mask)
    acquired = (kspace != 0).any(axis=0)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(60):
        n = rng.standard_normal((2, *kspace.shape)).astype(np.float32)
        noisy = piece.kspace + (n[0] + 1j * n[1]) * acquired
        drawn.append(spectral_slice(piece._replace(kspace=noisy), noise).image)
    said = spectral_slice(piece, noise).sigma
    spread = np.sqrt(np.mean(np.abs(np.array(drawn) - np.mean(drawn, axis=0)) ** 2, axis=0) / 2)
    inside = said > 0.1 * said.max()
    # 120 real draws a pixel; twice the noise, of which the limit takes a little off.
    assert float(np.mean((spread / said)[inside])) == pytest.approx(1, abs=0.04)
