"""A generation of the configuration, which is read-only, and what changed between two of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, NoReturn

from appconfig_provider.models import FLAG_PREFIX, Explanation, JsonValue
from appconfig_provider.nesting import Separator, nested
from appconfig_provider.readonly import ReadOnlyDict
from appconfig_provider.value_errors import MissingKey

MAX_TREES = 16
"""How many trees of `nested` are cached: one for each set of arguments."""


class ConfigurationSnapshot(ReadOnlyDict):
    """One generation of the configuration: a read-only dict that never changes.

    Use it where several reads must agree, where a real dict is wanted (`dict(snapshot)`), and in
    hot loops.
    """

    __slots__ = (
        "_bound",
        "_consistent",
        "_explain",
        "_loaded_at",
        "_origin",
        "_stale",
        "_trees",
        "_trim",
        "_version",
    )

    _version: int
    _loaded_at: datetime
    _stale: bool
    _consistent: bool
    _origin: str
    _explain: Callable[[str], Explanation]
    _trees: dict[tuple[str, str, bool], Any]
    """What `nested` has returned, by its arguments."""
    _bound: dict[object, Any]
    """What bindings have in this generation (see `_live/bindings`)."""
    _trim: Callable[[str], str]

    def __missing__(self, key: str) -> NoReturn:
        """Raise for a key that is not there; dict calls it for `snapshot[key]`."""
        raise MissingKey(key)

    def explain(self, key: str) -> Explanation:
        """Tell where the value of a key came from, and which other settings it replaced.

        Raises:
            KeyError: the key is not in this generation.
        """
        if key not in self:
            self.__missing__(key)
        return self._explain(key)

    def nested(self, prefix: str = "", separator: Separator = ":", lists: bool = True) -> Any:
        """Return the keys as a tree of read-only dicts and lists: `a:b` is the item `b` of `a`.

        `prefix` is the part of the tree that is wanted, in whole segments (`db` means `db:`); where
        there are no keys below it, the answer is empty. `separator` is one of `. , ; - _ __ / :`.
        Members that are called 0 to n-1 make a list, unless `lists` is False. JSON values stay as
        they are, and so does `feature_management`. The same arguments give the same object.

        Raises:
            ValueError: a key has a value and keys below it, or `separator` is another one.
        """
        arguments = (prefix, separator, lists)
        tree = self._trees.get(arguments)
        if tree is None:
            tree = nested(self, prefix, separator, lists=lists)
            if len(self._trees) < MAX_TREES:
                # Not an assignment: threads that build the same tree at once must get one object.
                tree = self._trees.setdefault(arguments, tree)
        return tree

    @property
    def version(self) -> int:
        """The number of this generation; a provider counts them from 1 (0 is an empty one)."""
        return self._version

    @property
    def loaded_at(self) -> datetime:
        """When the generation was loaded (UTC)."""
        return self._loaded_at

    @property
    def stale(self) -> bool:
        """True for a copy of an earlier run that no store has confirmed since this start.

        It says nothing about age: what was read from a store is never stale, however long ago
        that was (see `status.age`).
        """
        return self._stale

    @property
    def consistent(self) -> bool:
        """False when a sentinel changed during every attempt to load; the next check loads anew."""
        return self._consistent

    @property
    def origin(self) -> str:
        """Where the data came from: `store`, `cache` (a copy of an earlier run), or `empty`.

        `empty` is what `load(optional=True)` begins with when there is neither store nor copy. It
        is `override` where there is no store.
        """
        return self._origin

    def __repr__(self) -> str:
        return f"<ConfigurationSnapshot version={self._version} keys={len(self)}>"


@dataclass(frozen=True, slots=True)
class Provenance:
    """The number of a generation, and where it came from; see `ConfigurationSnapshot`."""

    version: int
    loaded_at: datetime
    consistent: bool = True
    origin: str = "store"


def make_snapshot(
    values: Mapping[str, JsonValue],
    provenance: Provenance,
    *,
    explain: Callable[[str], Explanation],
    trim: Callable[[str], str] = str,
) -> ConfigurationSnapshot:
    """Build a generation; a copy of an earlier run, and an empty one, are stale.

    `trim` gives the name that a key of the store has here. Nothing else in the package writes to a
    generation.
    """
    snapshot: ConfigurationSnapshot = ConfigurationSnapshot.__new__(ConfigurationSnapshot)
    dict.update(snapshot, values)
    snapshot._version = provenance.version
    snapshot._loaded_at = provenance.loaded_at
    snapshot._stale = provenance.origin in {"cache", "empty"}
    snapshot._consistent = provenance.consistent
    snapshot._origin = provenance.origin
    snapshot._explain = explain
    snapshot._trees = {}
    snapshot._bound = {}
    snapshot._trim = trim
    return snapshot


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What one refresh changed: sorted key names, never values."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    reason: str = "sentinel"
    """What changed: `sentinel`, `page` (watching all), `flag`, `secret` or `override`; what made
    the refresh check the store before its interval had passed: `push` or `forced`; `cache` when
    what the store holds took the place of a copy of an earlier run. Of a ConfigCat client:
    `config`, `override`, or `cache` for what another process had stored."""

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
