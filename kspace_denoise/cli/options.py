"""Options in groups: how the commands with many of them declare and pick theirs."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from kspace_denoise.cli.common import Decorator
from kspace_denoise.cli.group import GroupedOption

T = TypeVar("T", bound=tuple[Any, ...])


def group(title: str) -> Callable[..., Decorator]:
    """Return a maker of options that the help lists under this title."""
    return functools.partial(click.option, cls=GroupedOption, group=title)


def penalty_option() -> Decorator:
    """`--lambda L` of SENSE, where an undersampled scan is reconstructed on the way."""
    return click.option(
        "--lambda",
        "penalty",
        type=click.FloatRange(min=0),
        default=0.0,
        metavar="L",
        help="Weight of the penalty of SENSE in SNR units, for undersampling that the coils unfold "
        "badly.  [default: 0]",
    )


def together(*options: Decorator) -> Decorator:
    """Make one decorator of several options, which the help lists in this order."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def take(kind: type[T], options: dict[str, Any]) -> T:
    """Move the values of a named tuple's fields out of the options of a command."""
    names: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
    return kind(**{name: options.pop(name) for name in names})
