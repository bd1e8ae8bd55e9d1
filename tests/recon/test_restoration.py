"""Sampling with a decomposition of one's own."""

import math

import numpy as np
import pytest
import torch

from kspace_denoise import recon

TAU, SIGMA = 0.7, 0.5


def shrink(x, sigma):
    return x * TAU**2 / (TAU**2 + sigma**2)


def seen() -> tuple[np.ndarray, recon.PixelSampling]:
    """Return a noisy image, of which a half is erased."""
    mask = torch.ones(4, 6)
    mask[:2] = 0
    return np.full((4, 6), 0.6 - 0.4j, np.complex64), recon.PixelSampling(mask)


def test_noise_goes_and_erased_pixels_come_from_the_prior():
    data, operator = seen()
    found = recon.restore(
        data, operator, shrink, sigma=SIGMA, rms=2**0.5 * TAU, samples=3000, sweeps=10
    )
    gain = TAU**2 / (TAU**2 + SIGMA**2)
    assert type(found.mean) is np.ndarray
    np.testing.assert_allclose(found.mean[2:], gain * data[2:], atol=5 * TAU / 3000**0.5)
    np.testing.assert_allclose(found.std[2:], gain**0.5 * SIGMA, rtol=0.06)
    assert np.abs(found.mean[:2]).max() < 5 * TAU / 3000**0.5
    assert np.mean(found.std[:2]) == pytest.approx(TAU, rel=0.05)


def test_ddrm_keeps_what_is_seen_well():
    data, operator = seen()
    found = recon.restore(
        data, operator, shrink, sigma=0.005, rms=1.0, sampler="ddrm", steps=20, samples=4
    )
    np.testing.assert_allclose(found.mean[2:], data[2:], atol=0.02)
    assert np.abs(found.samples[:, :2] - data[:2]).min() > 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": 0.0}, "sigma is 0"),
        ({"rms": math.nan}, "rms nan"),
        ({"sampler": "dds"}, "sampler is 'dds'"),
        ({"samples": 0}, "samples is 0"),
        ({"steps": 1}, "steps 1"),
        ({"denoise": lambda x, _: x[0]}, "denoise returned shape"),
    ],
)
def test_what_cannot_be_used_is_refused(options, message):
    data, operator = seen()
    given = {"denoise": shrink, "sigma": SIGMA, "rms": 1.0} | options
    with pytest.raises(ValueError, match=message):
        recon.restore(data, operator, **given)


def test_masks_are_0_and_1():
    with pytest.raises(ValueError, match="other values than 0 and 1"):
        recon.PixelSampling(torch.full((2, 2), 0.5))
