"""The command line as a whole: help, errors, a true process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from kspace_denoise.cli.common import progress
from kspace_denoise.cli.group import LazyGroup, message_of
from tests.cli.runner import fail, files_in, run, succeed

OURS = ("info", "simulate", "reconstruct", "evaluate")
ALL = (*OURS, "demo", "train", "denoise", "serve", "send")


def process(*words: object) -> "subprocess.Popen[str]":
    code = "from kspace_denoise.cli import main; main(prog_name='kspace-denoise')"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def test_help_lists_every_command() -> None:
    output = succeed("--help").output
    assert all(f"  {name} " in output for name in ALL)
    assert "Example:" in output


@pytest.mark.parametrize("command", OURS)
def test_every_command_has_an_example(command: str) -> None:
    output = succeed(command, "--help").output
    assert f"Example:\n  kspace-denoise {command} " in output


def test_wrong_commands_and_options() -> None:
    assert "no command 'enfo'; commands now: demo" in fail("enfo")
    assert "no command given; commands now: demo" in fail()
    assert "No such option" in fail("info", "--colour", "x")
    assert "Missing argument" in fail("info")
    assert "not one of 'auto', 'cpu', 'cuda'" in fail("simulate", "a", "b", "--device", "tpu")
    assert "not a valid integer" in fail("simulate", "a", "b", "--seed", "x")


def test_version() -> None:
    assert succeed("--version").output.startswith("kspace-denoise ")


def group_that_raises(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> LazyGroup:
    @click.command()
    def broken() -> None:
        raise error

    group = LazyGroup(name="x", commands_at={"broken": ("-", "-")})
    monkeypatch.setattr(group, "get_command", lambda *_: broken)
    return group


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ValueError("two\nlines"), 2, "error: two lines\n"),
        (TypeError("wrong"), 2, "error: wrong\n"),
        (PermissionError(13, "Permission denied", "/x"), 2, "error: /x: Permission denied\n"),
        (ValueError(), 2, "error: ValueError\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (BrokenPipeError(), 1, ""),
    ],
)
def test_errors_become_one_line(
    error: BaseException, status: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = click.testing.CliRunner().invoke(group_that_raises(error, monkeypatch), ["broken"])
    assert result.exit_code == status
    assert result.stderr.endswith(message)
    assert "Traceback" not in result.output


def test_bugs_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    group = group_that_raises(RuntimeError("a bug"), monkeypatch)
    result = click.testing.CliRunner().invoke(group, ["broken"])
    assert isinstance(result.exception, RuntimeError)


def test_system_errors_name_the_file() -> None:
    assert message_of(OSError(28, "No space left on device", "/y")) == "/y: No space left on device"
    assert message_of(FileNotFoundError("a.h5: no such file")) == "a.h5: no such file"


def test_progress_is_silent_where_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(3), "work")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_a_true_process_succeeds_and_fails(scan_file: Path) -> None:
    good, bad = process("info", scan_file), process("info", scan_file.with_name("none.h5"))
    output, errors = good.communicate(timeout=60)
    assert (good.returncode, errors) == (0, "")
    assert "raw k-space" in output
    output, errors = bad.communicate(timeout=60)
    assert (bad.returncode, output) == (2, "")
    assert errors == f"error: {scan_file.with_name('none.h5')}: no such file\n"


def test_a_terminated_process_leaves_no_temporary_file(tmp_path: Path) -> None:
    script = """
import sys, time
from kspace_denoise.cli.group import LazyGroup
from kspace_denoise.formats.atomic import atomic
import click
@click.command()
def wait():
    with atomic(sys.argv[1]) as path:
        path.write_text("half")
        print("ready", flush=True)
        time.sleep(60)
group = LazyGroup(name="x", commands_at={"wait": ("-", "-")})
group.get_command = lambda *_: wait
group.main(["wait"])
"""
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "out")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    os.kill(child.pid, signal.SIGTERM)
    assert child.communicate(timeout=60)[1].splitlines()[-1] == "error: interrupted"
    assert child.returncode == 130
    assert files_in(tmp_path) == []


def test_nobody_reads_the_output(scan_file: Path) -> None:
    child = process("info", scan_file, "--json")
    assert child.stdout is not None
    child.stdout.close()
    assert child.stderr is not None
    assert child.stderr.read() == ""
    assert child.wait(timeout=60) in (0, 1)
    child.stderr.close()


def test_it_runs_as_a_module_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kspace_denoise", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("kspace-denoise ")


def test_of_several_processes_each_says_which_one_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "2")
    assert run("nothing").stderr.startswith("error in process 2: no command 'nothing'")
