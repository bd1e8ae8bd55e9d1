"""What is said of noise that is not white, and what is learnt in the domain that knows it."""

import dataclasses
import warnings

import numpy as np
import pytest

import kspace_denoise as kd
from kspace_denoise import sim
from kspace_denoise.networks import network_config
from kspace_denoise.scan import Images
from tests.training.scans import COILS, PSI, TINY, scan

SIGMA = 0.2


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    heads = [np.abs(sim.phantom((96, 90), seed=s).image) for s in range(6)]
    return np.stack(heads).astype(np.float32)


def correlated(clean: np.ndarray, seed: int = 0) -> Images:
    return Images(data=sim.BlurredNoise(SIGMA, 1.2).sample(clean, seed), sigma=SIGMA)


@pytest.mark.parametrize("method", ["c2s", "noise2self", "r2r"])
def test_correlated_noise_is_told_with_what_was_measured(clean, method):
    said = r"is correlated by 0\.4\d down and 0\.4\d across, over 3 pixels.*for independent"
    with pytest.warns(UserWarning, match=said):
        kd.train(method, correlated(clean), config=TINY)


def test_a_blind_network_is_told_which_hole_it_needs(clean):
    def config(hole):
        network = network_config({"architecture": "puca", "width": 8, "hole": hole})
        return TINY.replace(network=network)

    with pytest.warns(UserWarning, match="better a network with hole = 7, or c2s"):
        kd.train("blind-spot", correlated(clean), config=config(3))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        kd.train("blind-spot", correlated(clean), config=config(7))
    assert not [one for one in said if "is correlated by" in str(one.message)]


def test_who_does_not_take_noise_for_white_says_nothing(clean):
    noise = np.random.default_rng(0).standard_normal(clean.shape)
    white = Images(data=clean + SIGMA * noise.astype(np.float32), sigma=SIGMA)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        kd.train("c2s", white, config=TINY)
        kd.train("c2s", correlated(clean), config=TINY.replace(domain="stationary"))
        kd.train("noise2noise", correlated(clean), config=TINY, targets=correlated(clean, 1))
        kd.train("c2s", dataclasses.replace(white, data=white.data[:, :20, :20]), config=TINY)
    assert not [one for one in said if "is correlated by" in str(one.message)]


def test_c2s_learns_what_the_noise_is_like_and_comes_back_from_its_file(clean, tmp_path):
    config = TINY.replace(domain="stationary", steps=20)
    denoiser = kd.train("c2s", correlated(clean), config=config)
    denoiser.save(tmp_path / "model")
    again = kd.load(tmp_path / "model")
    assert again.domain == "stationary"
    first, second = (kd.denoise(correlated(clean), f).image for f in (denoiser, again))
    assert np.array_equal(first, second)


def tapered(kspace: np.ndarray, power: np.ndarray, told: bool) -> kd.Scan:
    """Return a scan whose noise has a spectrum, which its file tells, or does not."""
    noise = sim.add_noise(np.zeros_like(kspace), PSI, 7) * power**0.5
    return kd.Scan(
        kspace=(kspace + noise).astype(np.complex64),
        noise_covariance=PSI,
        noise_spectrum=power if told else None,
    )


def test_where_k_space_tells_the_spectrum_of_the_noise_that_is_taken():
    """As partial Fourier: more noise on one side; its transform is the correlation, and complex."""
    power = np.where(np.arange(96) < 56, 96 / 56, 0)[:, None]
    heads = [sim.phantom((96, 90), seed=s, coils=COILS).kspace for s in range(3)]
    config = TINY.replace(domain="stationary")
    records = []
    for told in (True, False):
        denoiser = kd.train("c2s", tapered(np.stack(heads), power, told), config=config)
        records.append(denoiser.record)
    turns = abs(np.exp(2j * np.pi * np.arange(56)[:, None] * np.arange(5) / 96).mean(0))
    assert records[0]["correlation_told_by"] == "noise in k-space"
    np.testing.assert_allclose(records[0]["correlation"], [turns, [1, 0, 0, 0, 0]], atol=1e-3)
    assert records[1]["correlation_told_by"] == "flat areas of the images"
    near = [np.array(record["correlation"])[:, :4] for record in records]  # not cut off yet
    np.testing.assert_allclose(near[1], near[0], atol=0.06)


def test_only_c2s_has_the_domain_and_it_needs_images_that_tell(clean):
    with pytest.raises(ValueError, match="domain = 'stationary' is for c2s"):
        kd.train("noise2self", correlated(clean), config=TINY.replace(domain="stationary"))
    with pytest.raises(ValueError, match="to tell how noise is correlated"):
        kd.train("c2s", scan(), config=TINY.replace(domain="stationary"))


def test_a_killed_run_resumes_exactly(clean, tmp_path):
    path, config = tmp_path / "run", TINY.replace(domain="stationary", steps=20)

    class StoppedError(Exception):
        pass

    def stop(progress):
        if progress.step == 20:
            raise StoppedError

    whole = kd.train("c2s", correlated(clean), config=config)
    with pytest.raises(StoppedError):
        kd.train("c2s", correlated(clean), config=config, checkpoint=path, report=stop)
    resumed = kd.train("c2s", correlated(clean), config=config, checkpoint=path, resume=True)
    for key, weight in whole.network.state_dict().items():
        assert (weight == resumed.network.state_dict()[key]).all()
