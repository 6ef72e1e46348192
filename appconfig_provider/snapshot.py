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
from itertools import chain
from typing import Any, NoReturn, SupportsIndex, cast

from appconfig_provider.models import FLAG_PREFIX, Explanation, JsonValue


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


class ConfigurationSnapshot(ReadOnlyDict):
    """One generation of the configuration: a read-only dict that never changes.

    Use it where several reads must agree, where a real dict is wanted (`dict(snapshot)`), and in
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
        """Tell where the value of a key came from, and which other settings it replaced.

        Raises:
            KeyError: the key is not in this generation.
        """
        if key not in self:
            raise KeyError(key)
        return self._explain(key)

    @property
    def version(self) -> int:
        """The number of this generation; a provider counts them from 1."""
        return self._version

    @property
    def loaded_at(self) -> datetime:
        """When the generation was loaded (UTC)."""
        return self._loaded_at

    @property
    def stale(self) -> bool:
        """True for a copy that was kept from an earlier run and that no store has confirmed yet.

        It says nothing about age: what was read from a store is never stale, however long ago
        that was (see `status.age`). No such copies are kept yet, so it is always False for now.
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
    """Build a generation. Nothing else in the package writes to one."""
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
    """What changed: `sentinel`, `page` (watching all), `flag` or `secret`; or what made the refresh
    check before its interval had passed: `push` or `forced`."""

    def __bool__(self) -> bool:
        """True when any key differs; a sentinel may change while all other keys stay the same."""
        return bool(self.added or self.changed or self.removed or self.flags)

    def of(self, matches: Callable[[str], bool]) -> ChangeSet:
        """Return the part of this change set whose keys match.

        A flag is matched by the key that it has in the store (`.appconfig.featureflag/NAME`).
        """
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
    """Name the keys whose presence or value differs between two generations.

    `flags` are the feature flags before and after, by name. They are compared in the same way, but
    a change set does not tell which were added, changed or removed.
    """
    added, changed, removed = _differences(before, after)
    changed_flags = tuple(sorted(chain.from_iterable(_differences(*flags))))
    return ChangeSet(added, changed, removed, changed_flags, reason)


def _differences(
    before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the sorted names of keys that were added, changed and removed."""
    shared = before.keys() & after.keys()
    return (
        tuple(sorted(after.keys() - shared)),
        tuple(sorted(key for key in shared if not same(before[key], after[key]))),
        tuple(sorted(before.keys() - shared)),
    )


def same(one: JsonValue, other: JsonValue) -> bool:
    """Compare JSON values as JSON does: Python's `1 == True == 1.0` would hide a change.

    It does not recurse: JSON that is nested deeply must not end in a `RecursionError`.
    """
    if one is other:
        return True
    pairs: list[tuple[Any, Any]] = [(one, other)]
    # `_same_outside` appends to this list meanwhile.
    return all(_same_outside(left, right, pairs) for left, right in pairs)


def _same_outside(one: Any, other: Any, pairs: list[tuple[Any, Any]]) -> bool:
    """Compare two values, but not what is inside of them: that is added to `pairs`."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        # A key that `other` lacks gives None here; the comparison of the keys finds it.
        pairs.extend((item, other.get(key)) for key, item in one.items())
        return bool(one.keys() == other.keys())
    if isinstance(one, list):
        # Lists of different length are found by the next line. A `FilterList` would copy its items.
        pairs.extend(zip(list.__iter__(one), list.__iter__(other), strict=False))
        return len(one) == len(other)
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124 - NaN equals NaN
