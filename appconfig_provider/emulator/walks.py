"""Reading listings in steps, all of one instant.

A listing is read along an index, a window of rows at a time, with a step's end between two windows.
Somebody may write in between. Every step therefore reads as of the instant at which the first one
began: from the settings while nobody has written since, then from their revisions, which have the
same order. So a page is never half old and half new, and no row is read twice or left out.
"""

# ruff: noqa: S608 - only fixed words become SQL; every text is a bound parameter

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from heapq import nlargest
from typing import Any, Final, NamedTuple

from appconfig_provider.emulator.database import COLUMNS, Database, setting_from
from appconfig_provider.emulator.filters import NameFilter, OneOf
from appconfig_provider.emulator.model import Setting
from appconfig_provider.emulator.queries import (
    ANY_ROW,
    Condition,
    Place,
    Position,
    Selection,
    Walk,
    all_of,
    each_key,
    held_at,
    history_walk,
    known,
    labels_walk,
    names_where,
    past_walk,
    selected,
    settings_walk,
)
from appconfig_provider.emulator.steps import Steps

#: How many rows of a table are looked at in one step.
WINDOW: Final = 500
#: What SQLite sorts after every number, and after every text.
_LAST_MOMENT: Final = 2**63 - 1
_LAST_LABEL: Final = b""


class _Question(NamedTuple):
    """What is asked of each window; a negative limit is none."""

    columns: str
    order: str
    limit: int


class Walks:
    """The listings of a database as of an instant in microseconds since 1970; None is now.

    What is now is decided when this object is made.
    """

    def __init__(self, database: Database, instant: int | None = None) -> None:
        self._database = database
        self._instant = database.counter()[1] if instant is None else instant
        self._oldest = database.oldest()

    def page(self, selection: Selection, after: Position | None, size: int) -> Steps[list[Setting]]:
        """At most ``size`` settings of a selection, in order, that come after a position.

        A negative size means all of them.
        """
        found: list[Setting] = []
        place = None if after is None else (after.key, after.label, _LAST_MOMENT)
        for rows in self._settings(_Question(COLUMNS, "key, label", size), selection, place):
            found += [setting_from(row) for row in rows]
            if 0 <= size <= len(found):
                return found[:size]
            yield
        return found

    def keys(self, wanted: NameFilter, after: str | None, size: int) -> Steps[list[str]]:
        """At most ``size`` distinct keys, in order, that come after a key."""
        found: list[str] = []
        place = None if after is None else (after, _LAST_LABEL, _LAST_MOMENT)
        question = _Question("DISTINCT key", "key", size)
        for rows in self._settings(question, Selection(key=wanted), place):
            found += [key for (key,) in rows if not found or key != found[-1]]
            if len(found) >= size:
                return found[:size]
            yield
        return found

    def labels(self, wanted: NameFilter, after: str | None, size: int) -> Steps[list[str]]:
        """At most ``size`` distinct labels, in order; ``''`` is "no label" and comes first."""
        with self._database.undisturbed:
            if self._is_present():
                return self._present_labels(wanted, after, size)
        found: list[str] = []
        question = _Question("DISTINCT label", "label", size)
        later = names_where("+label", wanted, after)
        for rows in self._settings(question, Selection(), None, later):
            found = sorted({*found, *(label for (label,) in rows)})[:size]
            yield
        return found

    def revisions(self, selection: Selection, before: int | None, size: int) -> Steps[list[int]]:
        """The numbers of at most ``size`` revisions from before one, the newest first.

        A negative size means all of them.
        """
        begin = self._instant + 1 if before is None else min(before, self._instant + 1)
        by_name = isinstance(selection.key, OneOf)
        earlier = Condition("+modified < ?", (begin,))
        keys = names_where("+key", selection.key)
        wanted = all_of((earlier, known(self._oldest), keys, selected(selection)))
        question = _Question("modified", "modified DESC", size)
        found: list[int] = []
        for rows in self._history(question, selection, wanted, begin):
            found += [number for (number,) in rows]
            if not by_name and 0 <= size <= len(found):
                break
            if by_name and size >= 0:
                found = nlargest(size, found)
            yield
        return sorted(found, reverse=True)[: None if size < 0 else size]

    def _is_present(self) -> bool:
        """Whether nobody has written since this instant."""
        return self._instant >= self._database.counter()[1]

    def _present_labels(self, wanted: NameFilter, after: str | None, size: int) -> list[str]:
        """The labels that there are: from each of them the index leads straight to the next."""
        if isinstance(wanted, OneOf):
            walks = [labels_walk(OneOf((name,))) for name in wanted.names]
            met = {label for walk in walks for label in self._next_label(walk, None)}
            return sorted(label for label in met if after is None or label > after)[:size]
        found: list[str] = []
        while len(found) < size:
            following = self._next_label(labels_walk(wanted), found[-1] if found else after)
            if not following:
                break
            found += following
        return found

    def _next_label(self, walk: Walk, after: str | None) -> list[str]:
        where, values = walk.between(None if after is None else (after,))
        sql = f"SELECT label FROM {walk.table} WHERE {where} ORDER BY label LIMIT 1"
        return [label for (label,) in self._database.rows(sql, values)]

    def _settings(
        self,
        question: _Question,
        selection: Selection,
        place: Place | None,
        also: Condition = ANY_ROW,
    ) -> Iterator[list[Any]]:
        """The rows for settings of a selection that come after a place, window by window."""
        wanted = all_of((selected(selection), also))
        for part, begin in each_key(selection, place):
            yield from self._windows(question, partial(self._source, part, wanted), begin)

    def _source(self, selection: Selection, wanted: Condition) -> tuple[Walk, Condition]:
        """Where settings of a selection are read from, and what else is asked of them."""
        if self._is_present():
            return settings_walk(selection), wanted
        held = held_at(self._instant, self._oldest)
        return _in_the_past(selection, all_of((held, wanted)))

    def _history(
        self, question: _Question, selection: Selection, wanted: Condition, before: int
    ) -> Iterator[list[Any]]:
        """The rows for revisions of a selection, window by window; those of keys key by key."""
        if not isinstance(selection.key, OneOf):
            yield from self._windows(question, lambda: (history_walk(), wanted), (before,))
            return
        for part, _ in each_key(selection, None):
            yield from self._windows(question, partial(_in_the_past, part, wanted), None)

    def _windows(
        self,
        question: _Question,
        source: Callable[[], tuple[Walk, Condition]],
        place: Place | None,
    ) -> Iterator[list[Any]]:
        """The rows of one window after the other, from a place on or from the beginning."""
        while True:
            with self._database.undisturbed:
                walk, wanted = source()
                end = self._window_end(walk, place)
                where, values = all_of((walk.between(place, end), wanted))
                rows = self._database.rows(
                    f"SELECT {question.columns} FROM {walk.table} WHERE {where}"
                    f" ORDER BY {question.order} LIMIT ?",
                    (*values, question.limit),
                )
            yield rows
            if end is None:
                return
            place = end

    def _window_end(self, walk: Walk, place: Place | None) -> Place | None:
        """The place of the last row in the window that begins at a place; None is the end."""
        where, values = walk.between(place)
        ends = self._database.rows(
            f"SELECT {walk.columns} FROM {walk.table} WHERE {where}"
            f" ORDER BY {walk.ordering} LIMIT 1 OFFSET {WINDOW - 1}",
            values,
        )
        return (*ends[0], _LAST_MOMENT) if ends else None


def _in_the_past(selection: Selection, wanted: Condition) -> tuple[Walk, Condition]:
    return past_walk(selection), wanted
