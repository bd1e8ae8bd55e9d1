"""A click group whose commands are loaded on first use, and whose errors are one line."""

import contextlib
import importlib
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import click

FAILURE = 2
INTERRUPTED = 130


class LazyGroup(click.Group):
    """`commands_at` says for each command its module, which holds it by name, and its help.

    Whatever goes wrong ends in one line `error: ...` on stderr and exit status 2; bugs keep their
    traceback.
    """

    def __init__(
        self,
        commands_at: Mapping[str, tuple[str, str]],
        example: str = "",
        **settings: Any,
    ) -> None:
        super().__init__(context_settings={"help_option_names": ["-h", "--help"]}, **settings)
        self.commands_at = commands_at
        self.example = example
        self.params.append(
            click.Option(
                ["--version"], is_flag=True, expose_value=False, is_eager=True,
                callback=_print_version, help="Print the version and exit.",
            )
        )  # fmt: skip

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the commands in the order of the work."""
        return list(self.commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:  # noqa: ARG002
        """Import the command's module and return the command."""
        if cmd_name not in self.commands_at:
            raise click.UsageError(f"no command {cmd_name!r}; commands now: {self._now()}")
        command = getattr(importlib.import_module(self.commands_at[cmd_name][0]), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands without importing them."""
        rows = [(name, text) for name, (_, text) in self.commands_at.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def format_epilog(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """Write an example."""
        _write_example(formatter, self.example)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember how the command was called (see `common.command_line`)."""
        ctx.meta["command_line"] = [ctx.info_name, *args]
        return super().parse_args(ctx, args)

    def main(self, *args: Any, **settings: Any) -> NoReturn:
        """Run the command line and exit."""
        settings["standalone_mode"] = False
        try:
            with _termination_as_interrupt(), _warnings_as_notes():
                status = super().main(*args, **settings)
        except BrokenPipeError:
            _silence_stdout()
            sys.exit(1)
        except (click.Abort, KeyboardInterrupt):
            _fail("interrupted", INTERRUPTED)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            _fail(f"no command given; commands now: {self._now()}")
        except click.ClickException as error:
            _fail(error.format_message())
        except (ValueError, TypeError, OSError, ModuleNotFoundError) as error:
            _fail(message_of(error))
        except (ArithmeticError, MemoryError) as error:
            _fail(f"a number is too large or too small for this: {message_of(error)}")
        sys.exit(status if isinstance(status, int) else 0)

    def _now(self) -> str:
        return ", ".join(self.commands_at)


class GroupedOption(click.Option):
    """An option that the help lists under a heading of its own."""

    def __init__(self, *args: Any, group: str = "Options", **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.group = group


class ExampleCommand(click.Command):
    """A command whose help groups its options and ends with an example, or a few lines of them.

    `tables` stand before these, by title: what an option may be, and what that means.
    """

    def __init__(
        self,
        *args: Any,
        example: str = "",
        tables: Mapping[str, Mapping[str, str]] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.example = example
        self.tables = tables or {}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their headings, those without one last."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx)
            if row is not None and isinstance(parameter, click.Option):
                groups.setdefault(getattr(parameter, "group", "Options"), []).append(row)
        for title in sorted(groups, key=lambda title: title == "Options"):
            with formatter.section(title):
                formatter.write_dl(groups[title])
        for title, rows in self.tables.items():
            with formatter.section(title):
                formatter.write_dl(list(rows.items()))

    def format_epilog(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the example."""
        _write_example(formatter, self.example)


def _write_example(formatter: click.HelpFormatter, example: str) -> None:
    lines = "".join(f"  {line}\n" for line in example.splitlines())
    formatter.write(f"\nExample:\n{lines}")


def message_of(error: Exception) -> str:
    """Return what an error says; for one of the system, the file and the reason."""
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(str(part) for part in (error.filename, error.strerror) if part)
    return str(error) or type(error).__name__


def _fail(message: str, status: int = FAILURE) -> NoReturn:
    where = "" if is_first_process() else f" in process {os.environ['RANK']}"
    click.echo(f"error{where}: " + " ".join(message.split()), err=True)
    sys.exit(status)


def _silence_stdout() -> None:
    """Nobody reads stdout any more: let Python's own flush at exit go nowhere."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        import kspace_denoise

        click.echo(f"kspace-denoise {kspace_denoise.__version__}")
        ctx.exit()


def is_first_process() -> bool:
    """Return whether this process speaks for those that torchrun has started, or is alone."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """Show a warning as one line on stderr, without the place in the code."""

    def show(message: Warning | str, *_: Any) -> None:
        if is_first_process():
            click.echo("warning: " + " ".join(str(message).split()), err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show  # type: ignore[assignment]
        yield


@contextlib.contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C, so that temporary files are removed."""

    def interrupt(*_: Any) -> NoReturn:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread, where signals cannot be caught
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
