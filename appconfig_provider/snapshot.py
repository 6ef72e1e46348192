"""Values nobody can write to: JSON objects and arrays, and a whole generation of configuration.

They are real `dict` and `list` objects (so `isinstance`, `json.dumps` and `==` work at full speed)
whose own writing methods refuse. Copies are ordinary and writable: `copy`, `deepcopy`, `pickle`,
`.copy()`, `|`, `+` and slices give plain dicts and lists.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn, SupportsIndex, cast

from appconfig_provider.models import FLAG_PREFIX, Explanation, JsonValue


def _refuse(*_args: object, **_named: object) -> NoReturn:
    raise TypeError("configuration values are read-only; change a copy: copy.deepcopy(value)")


class ReadOnlyDict(dict[str, JsonValue]):
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


class ReadOnlyList(list[JsonValue]):
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
    """The filters of a feature flag, each handed out as a copy of the taker's own.

    Feature management libraries write the flag's name into the filters they go through; what they
    write must neither fail nor be seen by anybody else.
    """

    __slots__ = ()

    def __iter__(self) -> Iterator[JsonValue]:
        return (copy.deepcopy(one) for one in list.__iter__(self))


def filter_list(filters: list[object]) -> FilterList:
    """Return the filters of a flag as a value of the configuration."""
    frozen: FilterList = FilterList.__new__(FilterList)
    list.extend(frozen, [read_only(one) for one in filters])
    return frozen


def read_only(value: object) -> JsonValue:
    """Return a decoded JSON value whose objects and arrays refuse to be written to, all the way.

    Without recursion, so that it works on any stack.
    """
    unfilled: list[tuple[Any, Any]] = []
    frozen = _empty(value, unfilled)
    for original, copied in unfilled:  # grows as it is gone through
        if type(original) is dict:
            items = {key: _empty(item, unfilled) for key, item in original.items()}
            dict.update(copied, items)
        else:
            list.extend(copied, [_empty(item, unfilled) for item in original])
    return frozen


def _empty(value: object, unfilled: list[tuple[Any, Any]]) -> JsonValue:
    """Return a value, in the place of an object or an array one that is still to be filled."""
    kind = type(value)
    if kind is not dict and kind is not list:
        return cast("JsonValue", value)
    frozen = (
        ReadOnlyDict.__new__(ReadOnlyDict) if kind is dict else ReadOnlyList.__new__(ReadOnlyList)
    )
    unfilled.append((value, frozen))
    return cast("JsonValue", frozen)


class ConfigurationSnapshot(ReadOnlyDict):
    """One generation of the configuration: a read-only dict that never changes.

    Hold it where several reads must agree, where a real dict is wanted (`dict(snapshot)`), and in
    hot loops.
    """

    __slots__ = ("_consistent", "_explain", "_loaded_at", "_origin", "_stale", "_version")

    _version: int
    _loaded_at: datetime
    _stale: bool
    _consistent: bool
    _origin: str
    _explain: Callable[[str], Explanation]

    def explain(self, key: str) -> Explanation:
        """Tell where the value of a key came from, and what it won over.

        Raises:
            KeyError: the key is not in this generation.
        """
        if key not in self:
            raise KeyError(key)
        return self._explain(key)

    @property
    def version(self) -> int:
        """Counts the generations of one provider, from 1."""
        return self._version

    @property
    def loaded_at(self) -> datetime:
        """When the generation was loaded (UTC)."""
        return self._loaded_at

    @property
    def stale(self) -> bool:
        """True for a copy that was kept from an earlier run and that no store has confirmed yet.

        It says nothing about age: what was read from a store is never stale, however long ago;
        `status.age` tells that. Nothing keeps such copies yet, so it is False for now.
        """
        return self._stale

    @property
    def consistent(self) -> bool:
        """False when the sentinels kept moving during the load; the next refresh repairs it."""
        return self._consistent

    @property
    def origin(self) -> str:
        """Where the data came from: `store`."""
        return self._origin

    def __repr__(self) -> str:
        return f"<ConfigurationSnapshot version={self._version} keys={len(self)}>"


def make_snapshot(
    values: Mapping[str, JsonValue],
    *,
    version: int,
    loaded_at: datetime,
    consistent: bool,
    explain: Callable[[str], Explanation],
) -> ConfigurationSnapshot:
    """Build a generation; the only place where one is written to."""
    snapshot: ConfigurationSnapshot = ConfigurationSnapshot.__new__(ConfigurationSnapshot)
    dict.update(snapshot, values)
    snapshot._version = version
    snapshot._loaded_at = loaded_at
    snapshot._stale = False
    snapshot._consistent = consistent
    snapshot._origin = "store"
    snapshot._explain = explain
    return snapshot


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What one refresh changed: sorted key names, never values."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    reason: str = "sentinel"
    """What moved: `sentinel`, `page` (watching all), `flag` or `secret`; or why somebody looked
    before it was time: `push` or `forced`."""

    def __bool__(self) -> bool:
        """True when any key differs; a sentinel may move without one."""
        return bool(self.added or self.changed or self.removed or self.flags)

    def of(self, matches: Callable[[str], bool]) -> ChangeSet:
        """Return what of it concerns some keys; a flag is meant by the key it has in the store."""
        return ChangeSet(
            tuple(filter(matches, self.added)),
            tuple(filter(matches, self.changed)),
            tuple(filter(matches, self.removed)),
            tuple(name for name in self.flags if matches(FLAG_PREFIX + name)),
            self.reason,
        )


Flags = Mapping[str, JsonValue]


def compare(
    before: Mapping[str, JsonValue],
    after: Mapping[str, JsonValue],
    *,
    reason: str,
    flags: tuple[Flags, Flags] = ({}, {}),
) -> ChangeSet:
    """Name the keys whose presence or value differs between two generations, and the flags."""
    added, changed, removed = _differences(before, after)
    return ChangeSet(added, changed, removed, tuple(sorted(sum(_differences(*flags), ()))), reason)


def _differences(
    before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    shared = before.keys() & after.keys()
    return (
        tuple(sorted(after.keys() - shared)),
        tuple(sorted(key for key in shared if not same(before[key], after[key]))),
        tuple(sorted(before.keys() - shared)),
    )


def same(one: JsonValue, other: JsonValue) -> bool:
    """Compare JSON values as JSON does: Python's `1 == True == 1.0` would hide a change.

    Without recursion: values that are equal must be so on any stack.
    """
    if one is other:
        return True
    pairs: list[tuple[Any, Any]] = [(one, other)]
    return all(_alike(mine, theirs, pairs) for mine, theirs in pairs)  # grows meanwhile


def _alike(one: Any, other: Any, pairs: list[tuple[Any, Any]]) -> bool:
    """Compare two values but for what is inside them, which is added to the pairs to compare."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        pairs.extend((item, other.get(key)) for key, item in one.items())
        return bool(one.keys() == other.keys())
    if isinstance(one, list):
        pairs.extend(zip(list.__iter__(one), list.__iter__(other), strict=False))
        return len(one) == len(other)
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124 - NaN is NaN here
