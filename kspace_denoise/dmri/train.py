"""Train DDM2 on the very scan that it is to denoise: noise model, state matching, diffusion."""

import dataclasses
from pathlib import Path

from torch import Tensor, nn

import kspace_denoise
from kspace_denoise.dmri import corrupted, shuffled
from kspace_denoise.dmri.denoiser import ShellModel, VolumeDenoiser
from kspace_denoise.dmri.expected import expected
from kspace_denoise.dmri.matched import levels_of, states_of
from kspace_denoise.dmri.networks import diffusion_network, noise_network
from kspace_denoise.dmri.prepare import Prepared, prepare
from kspace_denoise.objectives import make_volume_method
from kspace_denoise.objectives.ddm2 import DDM2
from kspace_denoise.objectives.noise_model import NoiseModel
from kspace_denoise.scan import Images
from kspace_denoise.training.config import TrainConfig
from kspace_denoise.training.succession import Reports, Succession


def train_volumes(
    method: str,
    images: Images,
    config: TrainConfig | None = None,
    seed: int = 0,
    *,
    device: str = "cpu",
    checkpoint: str | Path | None = None,
    resume: bool = False,
    reports: Reports | None = None,
) -> VolumeDenoiser:
    """Train on the very diffusion scan that is to be denoised; the only method is "ddm2".

    `images` are `(volumes, slices, y, x)`, complex or magnitudes, with b-values and directions.
    Their noise is taken from `sigma`, or else from MPPCA. `config.objective` changes settings of
    `DDM2`, and `config.paper` takes the paper's. The minutes, or steps, are shared among the shells
    by their volumes. Each network keeps a checkpoint of its own, named after `checkpoint`; with
    `resume` a run goes on from them. `reports(name)` follows the training of a network.

    Raises:
        ValueError: if there is no such method or setting, or as `prepare`.
    """
    config = config or TrainConfig()
    settings = make_volume_method(method, config.paper, **config.objective)
    if config.vst or config.domain != "image":
        raise ValueError(f"{method} knows neither vst nor domain: leave them out of the config")
    kept = None if checkpoint is None else Path(checkpoint)
    shells = prepare(images, settings)
    if kept is not None and not resume:
        for old in kept.parent.glob(f"{kept.name}.b*"):  # of a run that this one takes the place of
            old.unlink()
    run = Succession(config, seed, device, kept, resume, reports)
    total = sum(len(one.shell.volumes) for one in shells)
    shares = [len(one.shell.volumes) / total for one in shells]
    first = 1.0 if settings.diffusion == "none" else settings.share
    told = [
        _first_stage(one, settings, run, first * x) for one, x in zip(shells, shares, strict=True)
    ]
    if settings.diffusion == "none":
        models = [one.model() for one in told]
    else:
        models = _third_stage(told, settings, [(1 - first) * share for share in shares], run)
    record = {
        "version": kspace_denoise.__version__,
        "learnt_from": "nothing",
        "noise": _noise_from(images, shells, settings),
        "networks": run.records,
        "seconds": sum(one["seconds"] for one in run.records.values()),
        "steps": sum(one["steps"] for one in run.records.values()),
    }
    return VolumeDenoiser(models, settings, config, record, device)


def _noise_from(images: Images, shells: list[Prepared], method: DDM2) -> str:
    """Return in a word where the noise level came from."""
    if method.matching != "noise":
        return method.matching
    if shells[0].level is None:
        return "residual"
    return "mppca" if images.sigma is None else "given"


@dataclasses.dataclass(frozen=True)
class _Told:
    """A shell after its first stage: its noise model, what that tells, and how noisy slices are."""

    prepared: Prepared
    noise_model: nn.Module
    expected: Tensor
    states: Tensor
    levels: Tensor

    def model(self, diffusion: nn.Module | None = None) -> ShellModel:
        """Return what was trained."""
        known = self.prepared
        return ShellModel(known.shell.bval, known.told_from, self.noise_model, diffusion)


def _first_stage(prepared: Prepared, method: DDM2, run: Succession, share: float) -> _Told:
    """Train the noise model of a shell."""
    volumes = prepared.volumes
    network = noise_network(run.config, prepared.told_from, method.slab, run.seed)
    name = f"b{prepared.shell.bval:g} noise model"
    trained = run.trained(name, network, NoiseModel(), volumes, share)
    told = expected(trained, volumes, run.device)
    states = states_of(prepared, told, method)
    return _Told(prepared, trained, told, states, levels_of(prepared, states, method))


def _third_stage(
    told: list[_Told], method: DDM2, shares: list[float], run: Succession
) -> list[ShellModel]:
    """Train the third stage of every shell.

    That of most volumes comes first; by default the others begin with its weights, as few volumes
    of b = 0 have a small share of the training.
    """
    models: dict[int, ShellModel] = {}
    start = None
    for number in sorted(range(len(told)), key=lambda k: -shares[k]):
        one, share = told[number], shares[number]
        network = diffusion_network(run.config, method, run.seed)
        name = f"b{one.prepared.shell.bval:g} diffusion"
        if method.diffusion == "shuffled":
            data = shuffled.training_volumes(one.prepared.volumes, one.expected, one.states)
            models[number] = one.model(run.trained(name, network, method, data, share))
            continue
        if start is not None:
            network.load_state_dict(start)
        images = corrupted.training_images(one.prepared.volumes, one.expected, one.levels)
        trained = run.trained(name, network, corrupted.OBJECTIVE, images, share)
        start = start or trained.state_dict()
        models[number] = one.model(trained)
    return [models[number] for number in range(len(told))]
