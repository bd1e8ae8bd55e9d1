"""Running commands in this process, and what every failure must look like."""

from pathlib import Path

from click.testing import CliRunner, Result

from kspace_denoise.cli import main


def run(*words: object) -> Result:
    """Run `kspace-denoise words...`; the words may be paths and numbers."""
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="kspace-denoise")


def succeed(*words: object) -> Result:
    """Run a command that must succeed."""
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


def fail(*words: object) -> str:
    """Run a command that must fail as DESIGN.md says; return its error line."""
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    last = result.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    return last


def files_in(folder: Path) -> list[str]:
    """Return the names of all files, hidden ones included."""
    return sorted(path.name for path in folder.iterdir())
