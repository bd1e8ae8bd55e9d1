"""The examples run as they stand, and do what they promise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import kspace_denoise

EXAMPLES = Path(__file__).parents[1] / "examples"
PNG = b"\x89PNG\r\n\x1a\n"


def run(name: str, *options: str, folder: Path) -> str:
    """Run an example as a user would, in a folder of its own; return what it printed."""
    command = [sys.executable, str(EXAMPLES / name), *options]
    # One thread: arrays this small gain nothing from two, and other tests may be running.
    extra = {"PYTHONPATH": str(Path(kspace_denoise.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=os.environ | extra, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_denoise_raw_kspace(tmp_path: Path) -> None:
    printed = run("denoise_raw_kspace.py", "--steps", "60", "--out", "chain.png", folder=tmp_path)
    assert (tmp_path / "chain.png").read_bytes().startswith(PNG)
    scores = {name: float(db) for name, db in re.findall(r"(?m)^  (\S.*?) +(\S+) dB$", printed)}
    assert set(scores) == {"noisy", "non-local means", "Corruption2Self"}
    assert scores["Corruption2Self"] >= scores["noisy"] + 0.3


def test_diffusion_phantom(tmp_path: Path) -> None:
    printed = run("diffusion_phantom.py", folder=tmp_path)
    assert (tmp_path / "diffusion_phantom.png").read_bytes().startswith(PNG)
    scan = kspace_denoise.read(tmp_path / "diffusion_phantom.nii.gz")
    assert scan.bval is not None
    assert scan.bvec is not None
    assert len(scan.data) == len(scan.bval) == len(scan.bvec) == 34
    errors = dict(re.findall(r"(?m)^(\S+): error (\S+) sigma", printed))
    assert float(errors["MPPCA"]) < 0.5 * float(errors["noisy"])


def test_denoise_diffusion(tmp_path: Path) -> None:
    printed = run("denoise_diffusion.py", "--minutes", "0.1", folder=tmp_path)
    assert (tmp_path / "denoise_diffusion.png").read_bytes().startswith(PNG)
    assert isinstance(
        kspace_denoise.load(tmp_path / "denoise_diffusion.safetensors"),
        kspace_denoise.VolumeDenoiser,
    )
    errors = dict(re.findall(r"(?m)^(\S+): error (\S+) sigma", printed))
    assert float(errors["truth"]) == 0
    assert float(errors["DDM2"]) < 0.8 * float(errors["noisy"])


def test_in_a_sigpy_script(tmp_path: Path) -> None:
    printed = run("in_a_sigpy_script.py", folder=tmp_path)
    assert (tmp_path / "in_a_sigpy_script.png").read_bytes().startswith(PNG)
    scores = {name: float(db) for name, db in re.findall(r"(?m)^(\w+): (\S+) dB$", printed)}
    assert scores["denoised"] > scores["sigpy"] + 0.8


def test_in_a_torch_script(tmp_path: Path) -> None:
    printed = run("in_a_torch_script.py", "--steps", "40", folder=tmp_path)
    assert (tmp_path / "in_a_torch_script.png").read_bytes().startswith(PNG)
    errors = {name: float(e) for name, e in re.findall(r"(?m)^(\w+): (\S+) of the noise", printed)}
    # of 18432 components the mean of n² has a spread of 0.01, and that of n (D - x) is no larger
    assert abs(errors["estimated"] - errors["true"]) < 0.05
    assert errors["true"] < 0.95


def test_every_example_is_tested() -> None:
    tested = Path(__file__).read_text()
    assert all(f'"{path.name}"' in tested for path in EXAMPLES.glob("*.py"))
