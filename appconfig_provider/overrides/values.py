"""What a program gives as overrides, copied as plain JSON within bounds.

The caller's objects are never written to, and later changes of them are not seen. The bounds end
values that hold themselves, and files that would fill the memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from appconfig_provider.decoding import MAX_DEPTH
from appconfig_provider.flag_values import FEATURE_MANAGEMENT
from appconfig_provider.texts import kind_of, quoted
from appconfig_provider.trouble import EngineError

MAX_VALUES = 1_000_000
"""Values of one layer, those inside of objects and lists included."""
MAX_TEXT_OF_KEYS = 64 * 2**20
"""Characters of all keys of one layer after flattening: each repeats the names above it."""

_ALLOWED = "a value is what JSON has: text, a number, True, False, None, a dict or a list"


class BadOverride(EngineError):
    """Overrides that cannot be used. The message names the key, and never quotes a value."""

    def __init__(self, message: str, *, wrong_type: bool = False) -> None:
        super().__init__(message)
        self.wrong_type = wrong_type

    def as_public(self) -> Exception:
        """Return the error for an argument of the wrong type, or with a wrong value."""
        return TypeError(str(self)) if self.wrong_type else ValueError(str(self))


def copied(given: object, where: str) -> dict[str, Any]:
    """Return a copy of some keys and their values, of plain dicts and lists.

    `where` names the overrides in an error. Dates and times, which TOML has, become ISO 8601 text.

    Raises:
        BadOverride: it is no mapping, or a value is not JSON, or there are too many.
    """
    if not isinstance(given, Mapping):
        raise BadOverride(f"{where}: keys and values are wanted, not {kind_of(given)}")
    copies: dict[str, Any] = {}
    count = 0
    for key, value in list(given.items()):
        if not isinstance(key, str):
            raise BadOverride(f"{where}: a key is {kind_of(key)}; keys are str", wrong_type=True)
        named = f"{where}: the value of {quoted(key)}"
        copies[str.__str__(key)], count = _copy(value, named, count)
    return copies


def _copy(value: object, named: str, count: int) -> tuple[Any, int]:
    """Return a copy of a value, and how many values there are now. It does not recurse."""
    holder: list[Any] = [None]
    unfilled: list[tuple[object, Any, Any, int]] = [(value, holder, 0, 0)]
    while unfilled:
        one, inside, place, depth = unfilled.pop()
        count += 1
        if count + len(unfilled) > MAX_VALUES:
            raise BadOverride(f"{named} brings the layer to more than {MAX_VALUES} values")
        if isinstance(one, Mapping | list | tuple) and depth == MAX_DEPTH:
            raise BadOverride(f"{named} is nested deeper than {MAX_DEPTH} levels, or holds itself")
        if isinstance(one, Mapping):
            items = [(_name(name, named), item) for name, item in list(one.items())]
            inside[place] = inner = dict.fromkeys(name for name, _ in items)
            unfilled += [(item, inner, name, depth + 1) for name, item in items]
        elif isinstance(one, list | tuple):
            listed = list.copy(one) if isinstance(one, list) else list(one)
            inside[place] = [None] * len(listed)
            unfilled += [(item, inside[place], n, depth + 1) for n, item in enumerate(listed)]
        else:
            inside[place] = _scalar(one, named)
    return holder[0], count


def _name(name: object, named: str) -> str:
    if not isinstance(name, str):
        raise BadOverride(
            f"{named} has {kind_of(name)} as the name of a member; names are str", wrong_type=True
        )
    return str.__str__(name)


def _scalar(value: object, named: str) -> object:
    """Return a scalar; one of a subclass (an Enum's member) as the base class has it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    raise BadOverride(f"{named} holds {kind_of(value)}; {_ALLOWED}", wrong_type=True)


def flattened(values: dict[str, Any], separator: str, where: str) -> dict[str, Any]:
    """Return the members of nested objects as keys of their own: `b` of `a` is `a:b`.

    Lists, scalars and empty objects are values, and `feature_management` stays as it is.

    Raises:
        BadOverride: a key is given in two ways, or the keys would need too much memory.
    """
    flat: dict[str, Any] = {}
    size = 0
    unfilled = list(reversed(values.items()))
    while unfilled:
        key, value = unfilled.pop()
        if type(value) is dict and value and key != FEATURE_MANAGEMENT:
            size += sum(len(key) + len(separator) + len(name) for name in value)
            if size > MAX_TEXT_OF_KEYS:
                raise BadOverride(f"{where}: its keys are too long once it is flattened")
            unfilled += [(key + separator + name, value[name]) for name in reversed(value)]
        elif key in flat:
            raise BadOverride(f"{where}: the key {quoted(key)} is given twice, once as members")
        else:
            flat[key] = value
    return flat
