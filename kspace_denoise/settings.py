"""Settings by name, as files and users give them: unknown names and wrong kinds are refused."""

import dataclasses
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, get_type_hints


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


_KINDS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    bool: ("true or false", lambda value: isinstance(value, bool)),
    int: ("a whole number", _is_whole),
    int | None: ("a whole number", lambda value: value is None or _is_whole(value)),
    float: ("a number", _is_number),
    tuple[int, ...]: (
        "a list of whole numbers",
        lambda value: isinstance(value, (list, tuple)) and all(map(_is_whole, value)),
    ),
    dict[str, Any]: ("a table of settings", lambda value: isinstance(value, Mapping)),
}
"""What the settings of each type are called, and what may stand for them."""


def check_names(cls: type, values: Mapping[str, Any]) -> None:
    """Refuse names that a dataclass does not have.

    Raises:
        ValueError: listing those that it has.
    """
    known = [field.name for field in dataclasses.fields(cls)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(
            f"unknown setting {', '.join(unknown)}; {cls.__name__} has {', '.join(known)}"
        )


def check_kinds(cls: type, values: Mapping[str, Any]) -> None:
    """Refuse values of another kind than the fields of a dataclass that they are for.

    Raises:
        TypeError: naming the setting, what was given and what was expected.
    """
    hints = get_type_hints(cls)
    for name, value in values.items():
        expected, fits = _KINDS.get(hints[name], ("", lambda _: True))
        if not fits(value):
            raise TypeError(f"{name} is {value!r}, expected {expected}")


def check_choice(name: str, given: object, choices: tuple[str, ...]) -> None:
    """Refuse what is none of some words.

    Raises:
        ValueError: naming the setting and the words.
    """
    if given not in choices:
        raise ValueError(f"{name} is {given!r}, expected {', '.join(map(repr, choices))}")
