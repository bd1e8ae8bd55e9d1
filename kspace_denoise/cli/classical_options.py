"""A denoiser by name or by file: options and settings of those that need no training."""

import dataclasses
import difflib
from pathlib import Path

import click
import numpy as np

from kspace_denoise.arrays import Array, to_numpy
from kspace_denoise.classical import BM3D, CLASSICAL, Stabilised
from kspace_denoise.cli.common import Decorator, note, to_device
from kspace_denoise.cli.options import group, together
from kspace_denoise.denoiser import load
from kspace_denoise.dmri.classical import VOLUME_METHODS
from kspace_denoise.objectives import METHODS, OF_VOLUMES
from kspace_denoise.pipeline import AnyDenoiser
from kspace_denoise.scan import Scan
from kspace_denoise.stages import KnownNoise

ABOUT = {
    "nlm": "non-local means: averages pixels whose surroundings look alike; strength is h / sigma.",
    "wavelet": "wavelet shrinkage (BayesShrink); strength multiplies its thresholds.",
    "bm3d": "BM3D: filters stacks of similar patches together; strength multiplies sigma.",
    "dip": "deep image prior: fits a network to each image until only noise is left, in half a "
    "minute each; strength is what is left, over sigma.",
    "mppca": "MPPCA, of a diffusion scan: keeps what its volumes share beyond noise.",
    "patch2self": "Patch2Self, of a diffusion scan: every volume as the others foretell it.",
    "FILE": "a denoiser that `kspace-denoise train` wrote.",
}
"""What `--model` may be, for the help."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A classical denoiser on a device."""

    inner: AnyDenoiser
    method: str
    device: str
    stage = None

    def __call__(self, image: Array, sigma: Array | float) -> Array:
        """Denoise images `(..., y, x)`, numpy in and out."""
        return to_numpy(self.inner(to_device(image, self.device), sigma))


def told_spectrum(denoiser: AnyDenoiser, scan: Scan, noise: KnownNoise) -> AnyDenoiser:
    """Tell BM3D how the noise of a fully sampled scan is spread over k-space, where that is known.

    Other denoisers, and of other scans, are returned as they are.
    """
    known = noise.spectrum is not None and scan.mask is None
    if not (known and isinstance(denoiser, Prepared) and isinstance(denoiser.inner, BM3D)):
        return denoiser
    power = np.broadcast_to(np.asarray(noise.spectrum), scan.kspace.shape[-2:])
    inner = dataclasses.replace(denoiser.inner, spectrum=power / power.mean())
    note("bm3d is told how the noise is spread over k-space")
    return dataclasses.replace(denoiser, inner=inner)


def classical_options() -> Decorator:
    """`--strength S` and `--vst`, of the methods that need no training."""
    option = group("Methods without training")
    return together(
        option(
            "--strength",
            type=click.FloatRange(min=0, min_open=True),
            metavar="S",
            help="How strongly to denoise; each method has its own default.",
        ),
        option(
            "--vst",
            is_flag=True,
            help="Magnitude images: make their Rician noise even first, undo it after. A trained "
            "model knows by itself.",
        ),
    )


def find_denoiser(
    model: str, device: str = "cpu", strength: float | None = None, vst: bool = False
) -> AnyDenoiser:
    """Return the denoiser of a file, or the classical one of that name.

    Raises:
        FileNotFoundError: if it is neither; the message lists the names.
        click.UsageError: if a trained denoiser is given settings that it has already.
    """
    if model in CLASSICAL:
        make = CLASSICAL[model]
        inner = make() if strength is None else make(strength)
        return Prepared(Stabilised(inner) if vst else inner, model, device)
    if model in (*METHODS, *OF_VOLUMES) and not Path(model).exists():
        raise FileNotFoundError(
            f"{model} has to be trained, and there is no file of that name: first kspace-denoise "
            f"train {model} IN --out {model}.safetensors, then --model {model}.safetensors"
        )
    if not Path(model).exists():
        known = [*CLASSICAL, *VOLUME_METHODS]
        close = difflib.get_close_matches(model, known, n=1)
        meant = f" (did you mean {close[0]}?)" if close else ""
        raise FileNotFoundError(
            f"{model} is neither a file nor a method that needs no training{meant}; of those there "
            f"is: {', '.join(known)}"
        )
    for option, given in (("--strength", strength is not None), ("--vst", vst)):
        if given:
            raise click.UsageError(
                f"{option} belongs to methods without training ({', '.join(CLASSICAL)}); a trained "
                "model has its own"
            )
    return load(model, device)
