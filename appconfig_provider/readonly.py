"""Read-only JSON objects and arrays.

They are real `dict` and `list` objects (so `isinstance`, `json.dumps` and `==` work at full speed)
whose own writing methods refuse. Copies are ordinary and writable: `copy`, `deepcopy`, `pickle`,
`.copy()`, `|`, `+` and slices give plain dicts and lists.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, SupportsIndex, cast

from appconfig_provider.models import JsonValue


def _refuse(*_args: object, **_named: object) -> NoReturn:
    raise TypeError("configuration values are read-only; change a copy: copy.deepcopy(value)")


class ReadOnlyDict(dict[str, Any]):
    """A JSON object of the configuration."""

    __slots__ = ()

    __init__ = _refuse
    __setitem__ = _refuse
    __delitem__ = _refuse
    __ior__ = _refuse
    clear = _refuse
    pop = _refuse
    popitem = _refuse
    setdefault = _refuse
    update = _refuse

    def __copy__(self) -> dict[str, JsonValue]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, object]) -> dict[str, JsonValue]:
        return {key: copy.deepcopy(value, memo) for key, value in self.items()}

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return dict, (dict(self),)


class NamedFlags(ReadOnlyDict):
    """The value of `feature_management`, which also has its flags by name for who evaluates them.

    Finding out the names of a thousand flags takes longer than all else that a change of one needs.
    """

    __slots__ = ("by_name",)

    by_name: Mapping[str, Any]


class ReadOnlyList(list[Any]):
    """A JSON array of the configuration."""

    __slots__ = ()

    __init__ = _refuse
    __setitem__ = _refuse
    __delitem__ = _refuse
    __iadd__ = _refuse
    __imul__ = _refuse
    append = _refuse
    clear = _refuse
    extend = _refuse
    insert = _refuse
    pop = _refuse
    remove = _refuse
    reverse = _refuse
    sort = _refuse

    def __copy__(self) -> list[JsonValue]:
        return list(self)

    def __deepcopy__(self, memo: dict[int, object]) -> list[JsonValue]:
        return [copy.deepcopy(value, memo) for value in self]

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return list, (list(self),)


class FilterList(ReadOnlyList):
    """The filters of a feature flag; iterating over them gives a new copy of each.

    Feature management libraries write the flag's name into each filter they iterate over. That
    must not raise, and no other reader may see what they wrote.
    """

    __slots__ = ()

    def __iter__(self) -> Iterator[JsonValue]:
        return (copy.deepcopy(one) for one in list.__iter__(self))  # the base class does not copy


def filter_list(filters: list[object]) -> FilterList:
    """Return the filters of a flag as a value of the configuration."""
    # `__init__` and `extend` of the class itself refuse, here and below.
    frozen: FilterList = FilterList.__new__(FilterList)
    list.extend(frozen, [read_only(one) for one in filters])
    return frozen


def named_flags(value: Mapping[str, object], by_name: Mapping[str, Any]) -> NamedFlags:
    """Return a `feature_management` object whose flags are `by_name`, which nobody changes."""
    frozen: NamedFlags = NamedFlags.__new__(NamedFlags)
    dict.update(frozen, {key: read_only(item) for key, item in value.items()})
    frozen.by_name = by_name
    return frozen


def read_only(value: object) -> JsonValue:
    """Return a decoded JSON value whose objects and arrays are read-only, at every depth.

    It does not recurse: JSON that is nested deeply must not end in a `RecursionError`.
    """
    unfilled: list[tuple[Any, Any]] = []
    frozen = _read_only_but_empty(value, unfilled)
    for original, copied in unfilled:  # the calls below append to this list meanwhile
        if type(original) is dict:
            items = {key: _read_only_but_empty(item, unfilled) for key, item in original.items()}
            dict.update(copied, items)
        else:
            list.extend(copied, [_read_only_but_empty(item, unfilled) for item in original])
    return frozen


def _read_only_but_empty(value: object, unfilled: list[tuple[Any, Any]]) -> JsonValue:
    """Return an empty read-only object or array for one that can be written to.

    The pair of both is added to `unfilled`, for the caller to fill. Any other value is returned as
    it is.
    """
    kind = type(value)
    if kind is not dict and kind is not list:
        return cast("JsonValue", value)
    frozen = (
        ReadOnlyDict.__new__(ReadOnlyDict) if kind is dict else ReadOnlyList.__new__(ReadOnlyList)
    )
    unfilled.append((value, frozen))
    return cast("JsonValue", frozen)
