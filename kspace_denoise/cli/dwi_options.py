"""What the commands ask of a diffusion scan: its file, b-values, directions and phase."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from kspace_denoise import formats
from kspace_denoise.cli.common import PATH, Decorator
from kspace_denoise.cli.image_noise import Sigma, with_sigma
from kspace_denoise.cli.options import group, together
from kspace_denoise.formats.gradients import read_bval, read_bvec
from kspace_denoise.formats.nifti import beside
from kspace_denoise.scan import Images

_option = group("Diffusion MRI")


class DwiFiles(NamedTuple):
    """What lies beside the images of a diffusion scan."""

    bval: Path | None
    bvec: Path | None
    phase: Path | None

    def given(self) -> list[Path]:
        """Return the files that were named."""
        return [path for path in self if path is not None]

    def read(self, source: Path) -> list[Path]:
        """Return the files that are read beside a source: those named, or those of its name."""
        found = self._asdict()
        if formats.is_nifti(source):
            for name in ("bval", "bvec"):
                found[name] = found[name] or beside(source, name)
        return [path for path in found.values() if path is not None]


def dwi_options() -> Decorator:
    """`--bval`, `--bvec`, `--phase`."""
    return together(
        _option(
            "--bval",
            type=PATH,
            metavar="FILE",
            help="b-values in s/mm², as FSL has them.  [default: beside IN, of its name]",
        ),
        _option("--bvec", type=PATH, metavar="FILE", help="Directions, likewise."),
        _option(
            "--phase",
            type=PATH,
            metavar="FILE",
            help="The phase of magnitudes IN, in radians: then IN is complex, and its noise has "
            "next to no floor.",
        ),
    )


def dwi_training_options() -> Decorator:
    """`--neighbours`, `--mix-shells`."""
    return together(
        _option(
            "--neighbours",
            type=click.IntRange(min=1),
            metavar="N",
            help="From how many other volumes the noise model tells each: the nearest directions.  "
            "[default: all of its shell]",
        ),
        _option(
            "--mix-shells",
            is_flag=True,
            help="Take volumes of all b > 0 together: for shells of too few volumes.",
        ),
    )


def read_dwi(source: Path, files: DwiFiles, sigma: Sigma = None) -> Images:
    """Read a diffusion scan.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if it holds k-space, or the files do not fit it.
    """
    if formats.is_nifti(source):
        images = formats.read_nifti(source, files.bval, files.bvec)
    else:
        content = formats.read(source)
        if not isinstance(content, Images):
            raise ValueError(
                f"{source} holds k-space, expected the images of a diffusion scan: reconstruct its "
                "volumes first"
            )
        images = _with_gradients(content, files)
    if files.phase is not None:
        images = _with_phase(images, source, files.phase)
    return images if sigma is None else with_sigma(images, source, sigma)[0]


def _with_gradients(images: Images, files: DwiFiles) -> Images:
    if files.bval is not None:
        images = dataclasses.replace(images, bval=read_bval(files.bval))
    if files.bvec is not None:
        images = dataclasses.replace(images, bvec=read_bvec(files.bvec, len(images.data)))
    return images


def _with_phase(images: Images, source: Path, path: Path) -> Images:
    """Return complex images from magnitudes and their phase."""
    phase = formats.read(path)
    if not isinstance(phase, Images) or phase.data.shape != images.data.shape:
        raise ValueError(f"--phase {path} does not have the shape of {source}")
    if np.iscomplexobj(images.data) or np.iscomplexobj(phase.data):
        raise ValueError(f"--phase belongs to magnitudes, and {source} or {path} is complex")
    largest = float(np.abs(phase.data).max())
    if largest > 2 * np.pi + 0.01:
        raise ValueError(
            f"--phase {path} goes up to {largest:g}, expected radians: scanners store other units, "
            "such as -4096 to 4096 for half a turn either way; scale it first"
        )
    return dataclasses.replace(images, data=(images.data * np.exp(1j * phase.data)).astype("c8"))
