"""All methods by name: each takes a case and a seed, and returns the test images without noise."""

from collections.abc import Callable
from typing import Any, TypeAlias

import kspace_denoise as kd
from benchmarks.diffdenoise.case import Case, Numpy
from kspace_denoise.classical import BM3D
from kspace_denoise.networks import NAFNetConfig, network_config
from kspace_denoise.recon import correlation_spectrum
from kspace_denoise.training.images import NoisyImages
from kspace_denoise.training.stationary import measured_correlation

STEPS = 1000
Run: TypeAlias = Callable[[Case, int], Numpy]


def config(**changes: Any) -> kd.TrainConfig:
    """Return the training that all methods have."""
    return kd.TrainConfig(steps=STEPS, batch=4, patch=64, parts=1).replace(**changes)


def trained(method: str, network: dict[str, Any] | None = None, **changes: Any) -> Run:
    """Return a method with some settings; blind networks get the hole of the noise."""

    def run(given: Case, seed: int) -> Numpy:
        chosen = dict(network or {})
        if chosen.pop("blind", False):
            chosen["hole"] = given.hole
        used = config(**changes)
        if chosen:
            used = used.replace(network=network_config(chosen))
        targets = given.train_truth if method == "supervised" else None
        denoiser = kd.train(method, given.train, config=used, targets=targets, seed=seed)
        return kd.denoise(given.test, denoiser).image

    return run


def bm3d(given: Case, _seed: int) -> Numpy:
    """Return BM3D of noise that is taken for white."""
    return kd.denoise(given.test, BM3D()).image


def bm3d_coloured(given: Case, _seed: int) -> Numpy:
    """Return BM3D of noise of the spectrum that the training images tell."""
    correlation = measured_correlation(NoisyImages.from_arrays(list(given.train.data)))
    spectrum = correlation_spectrum(correlation, given.test.data.shape[-2:])
    return kd.denoise(given.test, BM3D(spectrum=spectrum.numpy())).image


METHODS: dict[str, Run] = {
    "noisy": lambda given, _seed: given.test.data,
    "bm3d": bm3d,
    "bm3d-coloured": bm3d_coloured,
    "supervised": trained("supervised"),
    "supervised-nafnet": trained("supervised", {"architecture": NAFNetConfig.architecture}),
    "noise2self": trained("noise2self"),
    "neighbor2neighbor": trained("neighbor2neighbor"),
    "half-plane": trained("blind-spot", {"architecture": "half-plane", "width": 16, "blind": True}),
    "puca": trained("blind-spot", {"architecture": "puca", "blind": True}),
    "lg-bpn": trained("blind-spot", {"architecture": "lg-bpn", "blind": True}),
    "c2s": trained("c2s"),
    "c2s-stationary": trained("c2s", domain="stationary"),
}
COLOURED = ("bm3d-coloured", "c2s-stationary")
"""Who has to be told how the noise is correlated."""
UNTRAINED = ("noisy", "bm3d", "bm3d-coloured")
