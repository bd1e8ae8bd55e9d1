"""All methods by name: each takes a case and returns the scan without noise."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from dipy.denoise.localpca import mppca as dipy_mppca

import kspace_denoise as kd
from benchmarks.diffusion_mri.case import Case, config
from kspace_denoise.classical import DeepImagePrior, mppca
from kspace_denoise.classical.patch2self import patch2self
from kspace_denoise.dmri import shuffled
from kspace_denoise.dmri.classical import with_mppca
from kspace_denoise.dmri.expected import expected
from kspace_denoise.dmri.matched import states_of
from kspace_denoise.scan import Images

Denoise: TypeAlias = Callable[[Case], Images]
_MODEL = "ddm2.safetensors"


def trained(given: Case, paper: bool = False, **settings: Any) -> kd.VolumeDenoiser:
    """Return DDM2 with some settings; its noise model is that of others with the same."""
    folder = given.kept / ("paper" if paper else "ours")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*diffusion"):
        old.unlink()
    chosen = config(paper=paper, objective={"neighbours": given.count, **settings})
    kept = {"checkpoint": folder / "ddm2", "resume": True}
    return kd.train_volumes("ddm2", given.noisy, chosen, **kept)


def _applied(denoiser: kd.VolumeDenoiser, given: Case, of_both: bool = True) -> Images:
    started = time.perf_counter()
    clean = denoiser(given.noisy, diffusion=of_both)
    given.seconds = denoiser.record["seconds"] + time.perf_counter() - started
    return clean


def ddm2(of_both: bool = True, **settings: Any) -> Denoise:
    """Return DDM2 with some settings, or what its noise model says."""
    return lambda given: _applied(trained(given, **settings), given, of_both)


def default_ddm2(given: Case) -> Images:
    """Return DDM2 as it is, and keep it."""
    denoiser = trained(given)
    denoiser.save(given.kept / _MODEL)
    return _applied(denoiser, given)


def nothing_put_back(given: Case) -> Images:
    """Return the same DDM2, of which all but the shared noise map sees n other volumes alone."""
    denoiser = kd.load(given.kept / _MODEL)
    assert isinstance(denoiser, kd.VolumeDenoiser)
    denoiser.method = dataclasses.replace(denoiser.method, put_back=False)
    return _applied(denoiser, given)


def unmatched(given: Case) -> Images:
    """Return what the paper's third stage makes of images that it takes for its noisiest."""
    denoiser = trained(given, diffusion="shuffled", chain_steps=8)
    prepared, model = denoiser.matched(given.noisy)[-1]
    told = expected(model.noise_model, prepared.volumes)
    states = states_of(prepared, told, denoiser.method)
    levels = (states[..., 1] > 0) * denoiser.method.largest
    assert model.diffusion is not None
    settings = (denoiser.method, denoiser.config)
    started = time.perf_counter()
    clean = shuffled.denoised(model.diffusion, prepared.volumes, states, levels, *settings)
    given.seconds = denoiser.record["seconds"] + time.perf_counter() - started
    return given.with_shell(clean.numpy())


def noisy_without_phase(given: Case) -> Images:
    """Return the scan without the imaginary part, which is noise: where DDM2 begins."""
    return given.with_shell(given.shell.volumes.images.numpy())


def without_phase(given: Case) -> Images:
    """Return MPPCA of the volumes of b > 0 without their smooth phase."""
    return given.with_shell(mppca(given.shell.volumes.images.numpy()).image)


def with_dipy(given: Case) -> Images:
    """Return dipy's MPPCA of the same real volumes; it calls slices the last axis."""
    images = np.moveaxis(given.shell.volumes.images.numpy(), 0, -1)
    return given.with_shell(np.moveaxis(dipy_mppca(images, patch_radius=2), -1, 0))


def limited_patch2self(given: Case) -> Images:
    """Return Patch2Self that sees the same other volumes as the noise model."""
    volumes = given.shell.volumes
    return given.with_shell(patch2self(volumes.images.numpy(), "ols", volumes.neighbours.numpy()))


def full_patch2self(regression: str) -> Denoise:
    """Return Patch2Self on all volumes of b > 0."""
    return lambda given: given.with_shell(
        patch2self(given.shell.volumes.images.numpy(), regression)
    )


def deep_image_prior(given: Case) -> Images:
    """Return every image fitted by a network of its own."""
    shell = given.shell
    assert shell.level is not None
    images = shell.volumes.images.numpy()
    return given.with_shell(np.asarray(DeepImagePrior()(images, shell.level)))


def of_images(method: str) -> Denoise:
    """Return a method that sees single images, or pairs of them across volumes."""

    def run(given: Case) -> Images:
        shell = given.shell
        assert shell.level is not None
        images = shell.volumes.images.numpy()
        flat = Images(data=images.reshape(-1, *images.shape[-2:]), sigma=shell.level)
        chosen: dict[str, Any] = {}
        sources = [flat]
        if method == "noise2noise":
            pairs = [images[shell.volumes.neighbours[:, k]] for k in range(given.count)]
            chosen["targets"] = [
                dataclasses.replace(flat, data=p.reshape(flat.data.shape)) for p in pairs
            ]
            sources = [flat] * given.count
        denoiser = kd.train(method, sources, config=config(), **chosen)
        return given.with_shell(kd.denoise(flat, denoiser).image.reshape(images.shape))

    return run


ALONE: dict[str, Denoise] = {
    "noisy": lambda given: given.noisy,
    "noisy-real": noisy_without_phase,
    "mppca": lambda given: with_mppca(given.noisy),
    "mppca-real": without_phase,
    "mppca-dipy": with_dipy,
    "patch2self-ols": full_patch2self("ols"),
    "patch2self-ridge": full_patch2self("ridge"),
    "patch2self-mlp": full_patch2self("mlp"),
    "noise2score": of_images("noise2score"),
    "c2s": of_images("c2s"),
}
"""Methods that see all volumes, or none but their own."""
LIMITED: dict[str, Denoise] = {
    "patch2self": limited_patch2self,
    "noise2noise": of_images("noise2noise"),
    "stage-1": ddm2(of_both=False),
    "ddm2": default_ddm2,
    "ddm2-nothing-back": nothing_put_back,
    "ddm2-shuffled": ddm2(diffusion="shuffled", put_back=False),
}
"""Methods that see some other volumes of each."""
DDM2_ALONE = {name: LIMITED[name] for name in ("stage-1", "ddm2", "ddm2-nothing-back")}
ABLATIONS: dict[str, Denoise] = {
    "matching-residual": ddm2(diffusion="shuffled", put_back=False, matching="residual"),
    "no-matching": unmatched,
    "no-shuffle": ddm2(diffusion="shuffled", put_back=False, noise="still"),
    "gaussian-noise": ddm2(diffusion="shuffled", put_back=False, noise="gaussian"),
    "no-j-invariance": ddm2(diffusion="shuffled", put_back=False, blind=False),
    "paper": ddm2(paper=True),
}
"""At the lowest SNR; the first five of the paper's third stage with the default's data."""
SLOW: dict[str, Denoise] = {"dip": deep_image_prior}
"""Likewise at the lowest SNR alone."""
TRAINED = {*LIMITED, *ABLATIONS, "noise2score", "c2s"} - {"patch2self"}
"""Methods of as many steps, all networks of a method together."""
