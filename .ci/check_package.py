"""Check the built wheel: what it holds, and that it works where there is no checkout.

The wheel goes into a fresh environment, which borrows the dependencies of the one that runs this
script; only the `.pth` files of the latter are not read, so its editable install is not seen.
"""

import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

PACKAGE = "kspace_denoise"
EXPECTED = ("__init__.py", "py.typed", "sim/__init__.py", "recon/__init__.py", "cli/__init__.py")
IMPORT = """
import pathlib, kspace_denoise as kd
print("imported from", kd.__file__, "version", kd.__version__)
assert pathlib.Path(kd.__file__).is_relative_to({elsewhere!r})
for name in kd.__all__:
    getattr(kd, name)
"""


def check_contents(dist: Path) -> Path:
    """Check the names in the sdist and in the wheel; return the wheel."""
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    with tarfile.open(sdist) as archive:
        in_sdist = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert {PACKAGE, "tests", "README.md", "LICENSE", "constraints.txt"} <= in_sdist, in_sdist
    assert not {"sim", "recon"} & in_sdist, in_sdist
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    top = {name for name in top if not name.endswith(".dist-info")}
    assert top == {PACKAGE}, f"top-level names {top}"
    missing = {f"{PACKAGE}/{name}" for name in EXPECTED} - set(names)
    assert not missing, f"not in the wheel: {missing}"
    print(f"{wheel.name}: {len(names)} files, one top-level name")
    return wheel


def check_installed(wheel: Path, elsewhere: Path) -> None:
    """Install the wheel in a fresh environment and use it from another folder."""
    venv.create(elsewhere, with_pip=True)
    python = elsewhere / "bin" / "python"

    def run(*command: str | Path) -> None:
        subprocess.run(command, cwd=elsewhere, check=True)

    run(python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel.resolve())
    site = next(elsewhere.glob("lib/python*/site-packages"))
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run(python, "-c", IMPORT.format(elsewhere=str(elsewhere.resolve())))
    run(elsewhere / "bin" / "kspace-denoise", "--help")


if __name__ == "__main__":
    dist, elsewhere = map(Path, sys.argv[1:])
    check_installed(check_contents(dist), elsewhere)
