"""What is said of noise that is not white, and what is learnt in the domain that knows it."""

import dataclasses
import warnings

import numpy as np
import pytest

import kspace_denoise as kd
from kspace_denoise import sim
from kspace_denoise.networks import network_config
from kspace_denoise.scan import Images
from tests.training.scans import TINY, scan

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
