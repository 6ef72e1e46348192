"""Filters and positions as SQL conditions.

Every text travels as a bound parameter; only the fixed words of this module become SQL. The label
column holds ``''`` for "no label", so that plain binary order puts it first.

A listing goes on *after a position*, by comparing ``(key, label)`` with the last pair that was
handed out: the cost of a page does not grow with its number. When a prefix filter is on, the lower
end of the range is the larger of prefix and position, or every page would begin at the prefix.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from appconfig_provider.emulator.filters import (
    Anything,
    NameFilter,
    OneOf,
    StartsWith,
    TagFilter,
)

_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class Position(NamedTuple):
    """A place in the order of a listing; ``label`` is ``''`` for "no label".

    ``revision`` is the number of a revision, in the listing of revisions.
    """

    key: str
    label: str = ""
    revision: int | None = None

    @property
    def text(self) -> str:
        """The position as one text; names have no line breaks."""
        return "\n".join(str(part) for part in self if part is not None)


class Condition(NamedTuple):
    """A piece of a WHERE clause with the values for its question marks."""

    sql: str
    values: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which settings a listing shows."""

    key: NameFilter = field(default_factory=Anything)
    label: NameFilter = field(default_factory=Anything)
    tags: tuple[TagFilter, ...] = ()


class Source(NamedTuple):
    """A table to read settings from, and the condition for those rows of it that count."""

    table: str
    where: Condition


def settings_at(moment: int | None) -> Source:
    """The settings as they were at a moment, in microseconds since 1970; None is now.

    What was written in that very moment counts, and what was deleted in it does not.
    """
    if moment is None:
        return Source("settings", Condition("1"))
    held = Condition("modified <= ? AND (until IS NULL OR until > ?)", (moment, moment))
    return Source("revisions INDEXED BY revisions_by_name", held)


def revisions_at(moment: int | None) -> Source:
    """The revisions that there were at a moment, in microseconds since 1970; None is now."""
    where = Condition("1") if moment is None else Condition("modified <= ?", (moment,))
    return Source("revisions INDEXED BY revisions_by_name", where)


def settings_where(selection: Selection, after: Position | None) -> Condition:
    """The condition for settings of a selection that come after a position."""
    conditions = [
        *_names("key", selection.key, after.key if after else ""),
        *_names("label", selection.label, ""),
    ]
    if after is not None:
        conditions.append(Condition("(key, label) > (?, ?)", (after.key, after.label)))
    return all_of([*conditions, *_tags(selection)])


def revisions_where(selection: Selection, after: Position | None) -> Condition:
    """The condition for revisions of a selection after a position; newer ones come first."""
    conditions = [
        *_names("key", selection.key, after.key if after else ""),
        *_names("label", selection.label, ""),
    ]
    if after is not None:
        pair = (after.key, after.label)
        older = Condition(
            "((key, label) > (?, ?) OR (key, label) = (?, ?) AND number < ?)",
            (*pair, *pair, after.revision or 0),
        )
        conditions.append(older)
    return all_of([*conditions, *_tags(selection)])


def names_where(column: str, wanted: NameFilter, after: str | None) -> Condition:
    """The condition for distinct names of a column that come after a name."""
    conditions = list(_names(column, wanted, after or ""))
    if after is not None:
        conditions.append(Condition(f"{column} > ?", (after,)))
    return all_of(conditions)


def _tags(selection: Selection) -> Sequence[Condition]:
    if not selection.tags:
        return ()
    wanted = json.dumps([[tag.name, tag.value] for tag in selection.tags])
    return (Condition("has_tags(tags, ?)", (wanted,)),)


def _names(column: str, wanted: NameFilter, at_least: str) -> Sequence[Condition]:
    match wanted:
        case Anything():
            return ()
        case StartsWith(prefix):
            return _range(column, prefix, max(prefix, at_least))
        case OneOf(names):
            stored = tuple(_stored(column, name) for name in names)
            found = tuple(name for name in stored if name is not None)
            return (Condition(f"{column} IN ({', '.join('?' * len(found))})", found),)


def _stored(column: str, name: str | None) -> str | None:
    """The text a column holds for a name, or None when it can never hold it."""
    if name is None:
        return "" if column == "label" else None
    return name or None


def _range(column: str, prefix: str, low: str) -> Sequence[Condition]:
    start = Condition(f"{column} >= ?", (low,))
    end = _successor(prefix)
    return (start,) if end is None else (start, Condition(f"{column} < ?", (end,)))


def _successor(prefix: str) -> str | None:
    """The first text, in code point order, after everything that begins with a prefix."""
    kept = prefix.rstrip(chr(_LAST_CHARACTER))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    if following in _SURROGATES:
        following = _SURROGATES.stop
    return kept[:-1] + chr(following)


def all_of(conditions: Sequence[Condition]) -> Condition:
    """The condition that several conditions make together."""
    sql = " AND ".join(condition.sql for condition in conditions) or "1"
    return Condition(sql, tuple(value for condition in conditions for value in condition.values))
