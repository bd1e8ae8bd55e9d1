import numpy as np
import pytest

from kspace_denoise.classical import NonLocalMeans
from kspace_denoise.denoiser import Denoiser, build_network, load
from kspace_denoise.networks import UNetConfig
from kspace_denoise.objectives.c2s import C2S
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.trainer import Trainer
from tests.helpers import assert_same_kind, complex_array
from tests.training.test_trainer import TINY, trainer

CONFIG = TrainConfig(network=UNetConfig(base=8, multipliers=(1,), attention=(), heads=2))


def denoiser(channels: int = 2, stage=None) -> Denoiser:
    return Denoiser(build_network(CONFIG.network, channels), C2S(), "c2s", stage, CONFIG, {"a": 1})


def test_the_kind_shape_and_precision_come_back(kind, rng):
    image = complex_array(rng, (2, 3, 9, 12))
    before = image.copy()
    clean = denoiser()(kind(image), 0.5)
    assert_same_kind(clean, kind(image))
    assert tuple(clean.shape) == image.shape
    assert str(clean.dtype).endswith("complex64")
    assert np.array_equal(image, before)


def test_scaling_image_and_sigma_scales_the_result(rng):
    image = 5 + complex_array(rng, (16, 15))
    f = trained()
    np.testing.assert_allclose(f(1e-5 * image, 1e-5), 1e-5 * f(image, 1.0), rtol=2e-3)


def trained() -> Denoiser:
    """Return a denoiser whose network does something, after a few steps."""
    run: Trainer = trainer(TINY.replace(learning_rate=3e-3))
    run.network.load_state_dict(run.run())
    return Denoiser(run.network, C2S(), "c2s", "after-sense", TINY, {})


def test_a_sigma_map_is_divided_out_and_put_back(rng):
    f, image = trained(), 5 + complex_array(rng, (16, 15))
    sigma = np.linspace(0.5, 2, 15, dtype=np.float32) * np.ones((16, 1), np.float32)
    np.testing.assert_allclose(f(image * sigma, sigma), f(image, 1.0) * sigma, rtol=1e-4)
    sigma[3:5] = 0
    assert not f(image * sigma, sigma)[3:5].any()


def test_images_are_denoised_one_by_one(rng):
    f = trained()
    stack = 5 + complex_array(rng, (11, 16, 15))
    np.testing.assert_allclose(f(stack, 1.0)[7], f(stack[7], 1.0), rtol=1e-4, atol=1e-4)


def test_magnitude_images_have_a_network_of_their_own(rng):
    magnitude = np.abs(5 + complex_array(rng, (16, 15)))
    assert denoiser(channels=1)(magnitude, 1.0).dtype == np.float32
    with pytest.raises(ValueError, match=r"got magnitude images.*complex images"):
        denoiser()(magnitude, 1.0)


def test_save_and_load_round_trip(tmp_path, rng):
    f = trained()
    f.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    image = 5 + complex_array(rng, (16, 15))
    assert np.array_equal(f(image, 1.0), again(image, 1.0))
    assert (again.method, again.stage, again.config) == ("c2s", "after-sense", TINY)


@pytest.mark.parametrize("sigma", [0, -1.0, np.nan, np.inf])
def test_sigma_must_be_positive(sigma):
    with pytest.raises(ValueError, match="sigma must be positive and finite"):
        denoiser()(np.ones((8, 8), np.complex64), sigma)


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match=r"shape \(3,\), which does not fit"):
        denoiser()(np.ones((8, 8), np.complex64), np.ones(3))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load(tmp_path / "none")
    run = trainer(checkpoint=tmp_path / "run")
    run.save()
    with pytest.raises(ValueError, match="unfinished training run"):
        load(tmp_path / "run")


def test_nlm_is_called_like_a_trained_denoiser(kind, rng):
    clean = np.zeros((40, 40), np.complex64)
    clean[10:30, 10:30] = 10j
    noisy = clean + 2 * complex_array(rng, clean.shape)
    result = NonLocalMeans()(kind(noisy), 2.0)
    assert_same_kind(result, kind(noisy))
    error = np.mean(np.abs(np.asarray(result) - clean) ** 2)
    assert error < 0.3 * np.mean(np.abs(noisy - clean) ** 2)
    magnitude = NonLocalMeans()(np.abs(noisy), 2.0)
    assert magnitude.dtype == np.float32
