"""C2S in the singular value decomposition: corruption with the covariance of the data."""

import dataclasses

import numpy as np
import pytest
import torch

import kspace_denoise as kd
from kspace_denoise import recon
from kspace_denoise.objectives.c2s import C2S
from kspace_denoise.recon.sense_operator import SenseOperator
from kspace_denoise.recon.spectral import noise_of_components
from kspace_denoise.recon.spectral_sense import decompose
from kspace_denoise.spectral_stage import spectral_image, spectral_slice
from kspace_denoise.stages import known_noise, reconstruct_slice
from kspace_denoise.training.measurements import training_measurements
from kspace_denoise.training.spectral_images import SpectralImages
from kspace_denoise.training.subjects import Subject
from tests.training.scans import TINY
from tests.training.test_measurements import COILS, SHAPE, scan


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


def test_a_batch_draws_noise_of_the_covariance_of_its_images():
    batch = images().draw(1, 8, generator())
    (colour,) = batch.colours
    count = 800
    drawn = torch.stack([batch.noise(generator(i))[0] for i in range(count)])
    power = torch.view_as_real(drawn).square().mean((0, -1))
    assert float(power[colour.sigma > 0].mean()) == pytest.approx(1, abs=0.01)
    components = colour.operator.spectrum(drawn * colour.sigma)
    whitened = torch.where(colour.noise.isfinite(), components / colour.noise, 0)
    variance = torch.view_as_real(whitened).square().mean((0, -1))[colour.noise.isfinite()]
    assert float((variance - 1).abs().max()) < 0.17
    assert float(variance.mean()) == pytest.approx(1, abs=0.01)
    mean = torch.stack([batch.mean_square(n[None])[0] for n in drawn]).mean()
    assert float(mean) == pytest.approx(2, rel=0.01)  # two real components


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
    found = spectral_slice(piece)
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
    piece = reconstruct_slice(source.kspace[0], known_noise(source), source.slice_mask(0))
    np.testing.assert_allclose(found.noisy[0], spectral_slice(piece).image, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("supervised", {}, "domain = 'svd' is for c2s"),
        ("c2s", {"objective": {"levels": "uniform"}}, "'log-normal'"),
        ("c2s", {"vst": True}, "leave stage at 'after-sense' and vst out"),
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
    assert recon.signal_rms(measurements.slices[0].kspace) > 0
