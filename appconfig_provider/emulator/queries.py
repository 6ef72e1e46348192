"""Filters and positions as SQL conditions, and the orders in which tables are read.

Every text travels as a bound parameter; only the fixed words of this module become SQL. The label
column holds ``''`` for "no label", so that plain binary order puts it first.

A table is read along a :class:`Walk`, from one place in its order to another. So the cost of a page
does not grow with its number, and a walk can be cut into windows of so many rows each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from appconfig_provider.emulator.filters import (
    Anything,
    NameFilter,
    OneOf,
    StartsWith,
    TagFilter,
)

#: A place in the order of a walk: a name with the instant of a revision, or such an instant alone.
Place: TypeAlias = tuple[str | int | bytes, ...]

_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",\n", ": ")).encode
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class Position(NamedTuple):
    """A place in the order of a listing; ``label`` is ``''`` for "no label".

    ``revision`` is the number of a revision, all that counts in the listing of revisions.
    """

    key: str = ""
    label: str = ""
    revision: int | None = None

    @property
    def text(self) -> str:
        """The position as one text; names have no line breaks."""
        return "\n".join(str(part) for part in self if part is not None)


class Condition(NamedTuple):
    """A piece of a WHERE clause with the values for its question marks."""

    sql: str
    values: Place = ()


ANY_ROW = Condition("1")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which settings a listing shows."""

    key: NameFilter = field(default_factory=Anything)
    label: NameFilter = field(default_factory=Anything)
    tags: tuple[TagFilter, ...] = ()


class Walk(NamedTuple):
    """A table in an order that has no ties, that of an index, and the part of it to be read.

    ``first`` and ``last`` are where it begins and ends. SQLite takes one bound of each kind to
    find its way in an index: on the way that is the place that was reached. What was the bound
    then has a sign that keeps it from being taken; anybody can name a place before the first.
    """

    table: str
    order: tuple[str, ...]
    where: Condition = ANY_ROW
    first: Condition = ANY_ROW
    last: Condition = ANY_ROW
    newest_first: bool = False

    @property
    def columns(self) -> str:
        """The order as a list of columns."""
        return ", ".join(self.order)

    @property
    def ordering(self) -> str:
        """What follows ORDER BY."""
        direction = " DESC" if self.newest_first else ""
        return ", ".join(column + direction for column in self.order)

    def between(self, begin: Place | None, end: Place | None = None) -> Condition:
        """The condition for rows after one place and up to another; None is the whole way."""
        after, up_to = ("<", ">=") if self.newest_first else (">", "<=")
        conditions = [self.where, self.first]
        if begin is not None:
            first = Condition(f"+{self.first.sql}", self.first.values)
            conditions = [self.where, first, self._compare(after, begin)]
        conditions.append(self.last if end is None else self._compare(up_to, end))
        return all_of(conditions)

    def _compare(self, sign: str, place: Place) -> Condition:
        size = len(self.order)
        marks = ", ".join("?" * size)
        return Condition(f"({self.columns}) {sign} ({marks})", place[:size])


def settings_walk(selection: Selection) -> Walk:
    """The settings that there are, by name; those of one label by its index."""
    table, one_label = "settings", ANY_ROW
    if isinstance(selection.label, OneOf) and len(selection.label.names) == 1:
        table = "settings INDEXED BY settings_by_label"
        one_label = all_of(_names("label", selection.label))
    return _along(table, ("key", "label"), selection.key, one_label)


def past_walk(selection: Selection) -> Walk:
    """The revisions of some keys, by name and instant."""
    order = ("key", "label", "instant")
    return _along("revisions INDEXED BY revisions_by_name", order, selection.key)


def labels_walk(wanted: NameFilter) -> Walk:
    """The labels that there are, each as often as there are settings that have it."""
    return _along("settings INDEXED BY settings_by_label", ("label",), wanted)


def _along(
    table: str, order: tuple[str, ...], wanted: NameFilter, where: Condition = ANY_ROW
) -> Walk:
    """A walk in an order that begins with a name, limited to the names that are wanted.

    Where the name is always the same, the order is that of what comes after it: SQLite would look
    for a place from the first row of that name on.
    """
    if isinstance(wanted, StartsWith):
        first, *last = _range(order[0], wanted.prefix)
        return Walk(table, order, where, first, all_of(last))
    one_name = isinstance(wanted, OneOf) and len(wanted.names) == 1
    follows = order[1:] if one_name else ()
    return Walk(table, follows or order, all_of((where, *_names(order[0], wanted))))


def each_key(selection: Selection, after: Place | None) -> Iterator[tuple[Selection, Place | None]]:
    """A selection of some keys as one of each key, in order, with the place after which it begins.

    A place within what one key has does not name the key.
    """
    if not isinstance(selection.key, OneOf):
        yield selection, after
        return
    begin = "" if after is None else str(after[0])
    for key in sorted({name for name in selection.key.names if name and name >= begin}):
        place = after[1:] if after is not None and key == begin else None
        yield replace(selection, key=OneOf((key,))), place


def history_walk() -> Walk:
    """All revisions, the newest first."""
    return Walk("revisions NOT INDEXED", ("modified",), newest_first=True)


def held_at(instant: int, oldest: int) -> Condition:
    """The condition for revisions that held at an instant, as far as the history goes back.

    What was written in that very instant counts, and what was deleted in it does not.
    """
    return all_of((Condition("+modified <= ?", (instant,)), known(max(instant + 1, oldest))))


def known(oldest: int) -> Condition:
    """The condition for revisions that still held at an instant."""
    return Condition("(until IS NULL OR until >= ?)", (oldest,))


def selected(selection: Selection) -> Condition:
    """The condition for settings or revisions of a selection, whatever their keys.

    The sign before a column keeps SQLite from taking an index for it instead of a walk's own.
    """
    return all_of([*_names("+label", selection.label), *_tags(selection)])


def names_where(column: str, wanted: NameFilter, after: str | None = None) -> Condition:
    """The condition for names of a column that come after a name."""
    later = () if after is None else (Condition(f"{column} > ?", (after,)),)
    return all_of((*_names(column, wanted), *later))


def as_json(tags: Mapping[str, str | None]) -> str:
    """Tags as the store keeps them: a member begins after a line break, see :func:`_tags`."""
    return f"{{\n{_encode(tags)[1:]}"


def _tags(selection: Selection) -> Iterator[Condition]:
    """One condition for each tag: its member begins a line of the JSON text.

    In a name or a value a line break would be escaped, so SQLite need not read the JSON.
    """
    for tag in selection.tags:
        member = as_json({tag.name: tag.value})[1:-1]
        yield Condition("instr(tags, ?)", (member,))


def _names(column: str, wanted: NameFilter) -> Sequence[Condition]:
    match wanted:
        case Anything():
            return ()
        case StartsWith(prefix):
            return _range(column, prefix)
        case OneOf(names):
            stored = tuple(_stored(column, name) for name in names)
            found = tuple(name for name in stored if name is not None)
            return (Condition(f"{column} IN ({', '.join('?' * len(found))})", found),)


def _stored(column: str, name: str | None) -> str | None:
    """The text a column holds for a name, or None when it can never hold it."""
    if name is None:
        return "" if column.endswith("label") else None
    return name or None


def _range(column: str, prefix: str) -> Sequence[Condition]:
    start = Condition(f"{column} >= ?", (prefix,))
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
