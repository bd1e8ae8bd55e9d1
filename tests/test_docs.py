"""What README and documentation print works as printed."""

import ast
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest

import kspace_denoise as kd
from kspace_denoise import recon, sim
from kspace_denoise.cli import main

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


class Line(NamedTuple):
    """A command that a page prints."""

    page: Path
    words: list[str]

    def __str__(self) -> str:
        return f"{self.page.name}: {' '.join(self.words)}"


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


def commands() -> Iterator[Line]:
    """Yield every single command of the shell blocks, without what activates an environment."""
    for page in PAGES:
        for text in blocks(page, "bash"):
            for command in re.split(r"\n|&&", text):
                words = shlex.split(command, comments=True)
                while words and words[0] in ("/usr/bin/time", "time", "-v"):
                    del words[0]
                if words:
                    yield Line(page, [words[0].removeprefix(".venv/bin/"), *words[1:]])


COMMANDS = list(commands())
OURS = [line for line in COMMANDS if line.words[0] == "kspace-denoise"]
SCRIPTS = [line for line in COMMANDS if line.words[0] == "python" and line.words[1][0] != "-"]
TESTS = [line for line in COMMANDS if line.words[:3] == ["python", "-m", "pytest"]]


@pytest.mark.parametrize("page", [README, ROOT / "docs/quickstart.md"], ids=lambda p: p.name)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, shortened = re.subn(r"steps=\d+", "steps=2", "\n".join(blocks(page, "python")))
    assert shortened == 1
    monkeypatch.chdir(tmp_path)
    exec(compile(code, page.name, "exec"), {})
    assert (tmp_path / "c2s.safetensors").is_file()


@pytest.mark.parametrize("name", ["noise_models", "vst", "trajectories", "sampling"])
def test_python_blocks_run_in_order(name: str) -> None:
    """Every name that a page assigns is there in the end, so no block was passed over."""
    names: dict[str, object] = {}
    codes = blocks(ROOT / f"docs/{name}.md", "python")
    for number, code in enumerate(codes):
        exec(compile(code, f"{name}.md, block {number}", "exec"), names)
    walked = [node for code in codes for node in ast.walk(ast.parse(code))]
    stored = [n.id for n in walked if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    assert stored
    assert set(stored) <= names.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_python_blocks_parse_and_links_lead_somewhere(page: Path) -> None:
    for code in blocks(page, "python"):
        ast.parse(code)
    missing = [to for to in LINK.findall(page.read_text()) if not (page.parent / to).exists()]
    assert not missing


@pytest.mark.parametrize("line", OURS, ids=str)
def test_command_lines_parse(line: Line) -> None:
    name, *words = line.words[1:]
    context = click.Context(main, info_name="kspace-denoise")
    if name == "--help":
        assert "Commands:" in main.get_help(context)
        return
    command = main.get_command(context, name)
    assert command is not None
    with command.make_context(name, words, parent=context) as parsed:
        assert re.search(r"^Example:\n  kspace-denoise ", command.get_help(parsed), re.MULTILINE)


@pytest.mark.parametrize("line", SCRIPTS, ids=str)
def test_scripts_exist_with_their_options(line: Line) -> None:
    text = (ROOT / line.words[1]).read_text()
    assert all(f'"{word}"' in text for word in line.words[2:] if word.startswith("--"))


@pytest.mark.parametrize("line", [t for t in TESTS if len(t.words) > 3], ids=str)
def test_tests_that_pages_name_exist(line: Line) -> None:
    path, *options = line.words[3:]
    assert (ROOT / path).exists()
    if options:
        assert options[0] == "-k"
        assert re.search(rf"^def test_\w*{options[1]}", (ROOT / path).read_text(), re.MULTILINE)


def test_readme_sets_up_in_two_lines_one_of_which_ci_runs() -> None:
    lines = [text.strip() for text in blocks(README, "bash") if "-m venv" in text]
    demo, tests = (line.split(" && ") for line in lines)
    assert demo[0] == tests[0] == "python3 -m venv .venv"
    assert demo[1].endswith("pip install -q -c constraints.txt -e .")
    assert tests[1].endswith("pip install -q -c constraints.txt -e '.[test]'")
    assert (demo[2], tests[2]) == (".venv/bin/kspace-denoise demo", ".venv/bin/python -m pytest")
    (pattern,) = re.findall(r"grep -E '(.*)' README.md", (ROOT / ".ci/run").read_text())
    assert re.findall(f"(?m){pattern}", README.read_text()) == [lines[1]]


def test_constraints_pin_public_versions_of_every_direct_dependency() -> None:
    text = (ROOT / "constraints.txt").read_text()
    pins = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==\d+(\.\d+)*", pin) for pin in pins)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["test"], *extras["docs"], *extras["dev"]]
    names = {re.split(r"[\[>=]", name)[0] for name in wanted} - {"kspace-denoise"}
    assert names <= {pin.split("==")[0] for pin in pins}


def test_api_pages_hold_every_public_name() -> None:
    for module, page in ((sim, "sim"), (recon, "recon"), (kd, "top")):
        text = (ROOT / f"docs/api/{page}.md").read_text()
        listed = set(re.findall(rf"^::: {module.__name__}\.(\w+)$", text, re.MULTILINE))
        public = set(module.__all__) - {"classical", "formats", "metrics", "recon", "sim"}
        assert public <= listed
    text = (ROOT / "docs/api/top.md").read_text()
    assert {"classical." + name for name in set(kd.classical.__all__) - {"CLASSICAL"}} <= set(
        re.findall(r"^::: kspace_denoise\.(.+)$", text, re.MULTILINE)
    )


def test_ci_script_is_sound_bash() -> None:
    subprocess.run(["bash", "-n", str(ROOT / ".ci/run")], check=True)
