"""Importing costs nothing, and imports point one way."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kspace_denoise

PACKAGE = Path(kspace_denoise.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))
HEAVY = ("torch", "numpy", "scipy", "h5py", "matplotlib", "skimage", "sigpy")

BASE = {"arrays", "fourier", "nufft", "optional", "phase", "random"}
FILES = {"crop", "formats", "geometry", "metrics", "provenance", "scan"}
LEARNING = {"objectives", "training"}
MAY_IMPORT = {
    **dict.fromkeys(BASE, BASE),
    "sim": BASE | {"sim"},
    "recon": BASE | {"sim", "recon"},
    **dict.fromkeys(FILES, BASE | FILES),
    "formats": BASE | FILES | {"recon", "sim"},
    "networks": {"arrays", "networks", "phase", "settings"},
}
"""What a part of the package may import; parts that are not named here may import more."""
MAY_LEARN = {
    "cli",
    "demo",
    "denoiser",
    "diffdenoise",
    "dmri",
    "pipeline",
    "prior",
    "report",
    *LEARNING,
}


@pytest.mark.parametrize(
    "code",
    [
        "import kspace_denoise",
        "from kspace_denoise import cli; cli.main(['--help'], prog_name='kspace-denoise')",
    ],
    ids=["import", "help"],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    script = f"""
import sys
try:
    {code}
finally:
    print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("name", [*kspace_denoise.__all__, "__version__"])
def test_every_public_name_loads(name: str) -> None:
    assert getattr(kspace_denoise, name) is not None
    assert name in dir(kspace_denoise)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        kspace_denoise.nothing  # noqa: B018


def part_of(path: Path) -> str:
    """Return the part of the package that a file belongs to: its folder or its own name."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of everything that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parts_imported(path: Path) -> set[str]:
    names = (name.split(".") for name in imported(path) if name.startswith("kspace_denoise."))
    return {name[1] for name in names}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    part, needed = part_of(path), parts_imported(path)
    if part == "__init__":
        return  # loads everything, on first use
    assert needed <= MAY_IMPORT.get(part, needed)
    if part not in ("cli", "__main__"):
        assert "cli" not in needed
    if part not in MAY_LEARN:
        assert not needed & LEARNING


def test_sim_and_recon_touch_neither_files_nor_networks() -> None:
    for path in MODULES:
        if part_of(path) in ("sim", "recon"):
            forbidden = ("h5py", "pathlib", "os", "io")
            found = [n for n in imported(path) if n.split(".")[0] in forbidden or "torch.nn" in n]
            calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
            opened = [n for n in calls if isinstance(n.func, ast.Name) and n.func.id == "open"]
            assert (found, opened) == ([], []), path


def test_only_one_module_calls_an_fft() -> None:
    for path in MODULES:
        if path.name == "fourier.py":
            continue
        assert not [name for name in imported(path) if "fft" in name.split(".")], path
        tree = ast.walk(ast.parse(path.read_text()))
        used = [node for node in tree if isinstance(node, ast.Attribute) and node.attr == "fft"]
        assert not used, path
