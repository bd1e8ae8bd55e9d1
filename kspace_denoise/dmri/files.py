"""A denoiser from its file."""

from pathlib import Path

from torch import Tensor

from kspace_denoise.denoiser import Denoiser
from kspace_denoise.denoiser import load as load_denoiser
from kspace_denoise.dmri.denoiser import FORMAT, ShellModel, VolumeDenoiser
from kspace_denoise.dmri.networks import diffusion_network, noise_network
from kspace_denoise.objectives.ddm2 import DDM2
from kspace_denoise.training.checkpoint import read_tensors
from kspace_denoise.training.config import TrainConfig


def load(path: str | Path, device: str = "cpu") -> Denoiser | VolumeDenoiser:
    """Read a trained denoiser, of images or of diffusion scans.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is something else.
    """
    if is_of_volumes(path):
        return load_volumes(path, device)
    return load_denoiser(path, device)


def is_of_volumes(path: str | Path) -> bool:
    """Tell whether a file, as `kspace-denoise train` writes them, is for diffusion scans.

    Raises:
        FileNotFoundError, ValueError: as `load`.
    """
    return "volumes" in read_tensors(path)[1]


def load_volumes(path: str | Path, device: str = "cpu") -> VolumeDenoiser:
    """Read a denoiser that `VolumeDenoiser.save` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is something else.
    """
    tensors, record = read_tensors(path)
    if "volumes" not in record:
        raise ValueError(f"{path} is no denoiser for diffusion scans")
    if record["format"] != FORMAT:
        raise ValueError(
            f"{path} is a denoiser of format {record['format']}, and this version reads {FORMAT}: "
            "train it again"
        )
    method, config = DDM2(**record["settings"]), TrainConfig.from_dict(record["config"])
    models = []
    for number, (bval, count) in enumerate(record["shells"]):
        noise_model = noise_network(config, count, method.slab)
        noise_model.load_state_dict(_under(f"{number}.noise.", tensors))
        diffusion = None
        if method.diffusion != "none":
            diffusion = diffusion_network(config, method)
            diffusion.load_state_dict(_under(f"{number}.diffusion.", tensors))
        models.append(ShellModel(bval, count, noise_model, diffusion))
    return VolumeDenoiser(models, method, config, record["record"], device)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
