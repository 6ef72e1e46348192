"""Reading a store, as it is and as it was: the same questions, over another table.

The settings of a moment are those revisions that held then, so what a filter says is asked of what
a setting was at that moment, never of an older revision that happens to match.
"""

# ruff: noqa: S608 - only fixed words become SQL; every text is a bound parameter

from __future__ import annotations

from typing import NamedTuple

from appconfig_provider.emulator.database import COLUMNS, Database, setting_from
from appconfig_provider.emulator.filters import NameFilter
from appconfig_provider.emulator.model import Setting, label_of
from appconfig_provider.emulator.queries import (
    Position,
    Selection,
    all_of,
    names_where,
    revisions_at,
    revisions_where,
    settings_at,
    settings_where,
)


class Revision(NamedTuple):
    """A setting as it was once; a later revision has a larger number."""

    number: int
    setting: Setting


class Readings:
    """What can be read of a database, as of a moment in microseconds since 1970; None is now."""

    def __init__(self, database: Database, moment: int | None = None) -> None:
        self._database = database
        self.moment = moment
        self._settings = settings_at(moment)
        self._revisions = revisions_at(moment)

    def get(self, key: str, label: str | None = None) -> Setting | None:
        """The setting with exactly this key and label."""
        table, held = self._settings
        sql = f"SELECT {COLUMNS} FROM {table} WHERE key = ? AND label = ? AND {held.sql}"
        rows = self._database.rows(sql, (key, label_of(label) or "", *held.values))
        return setting_from(rows[0]) if rows else None

    def page(self, selection: Selection, after: Position | None, size: int) -> list[Setting]:
        """At most ``size`` settings of a selection, in order, that come after a position.

        A negative size means all of them.
        """
        table, held = self._settings
        where, values = all_of((held, settings_where(selection, after)))
        sql = f"SELECT {COLUMNS} FROM {table} WHERE {where} ORDER BY key, label LIMIT ?"
        return [setting_from(row) for row in self._database.rows(sql, (*values, size))]

    def revisions(
        self, selection: Selection, after: Position | None, size: int, *, skip: int = 0
    ) -> list[Revision]:
        """At most ``size`` revisions after a position: by key and label, the newest first.

        The first ``skip`` of them are left out.
        """
        table, existed = self._revisions
        where, values = all_of((existed, revisions_where(selection, after)))
        sql = (
            f"SELECT number, {COLUMNS} FROM {table} WHERE {where}"
            " ORDER BY key, label, number DESC LIMIT ? OFFSET ?"
        )
        with self._database.exclusive():
            self._database.forget()
            rows = self._database.rows(sql, (*values, size, skip))
        return [Revision(row[0], setting_from(row[1:])) for row in rows]

    def count_revisions(self, selection: Selection) -> int:
        """How many revisions of a selection there are."""
        table, existed = self._revisions
        where, values = all_of((existed, revisions_where(selection, None)))
        with self._database.exclusive():
            self._database.forget()
            ((count,),) = self._database.rows(f"SELECT count(*) FROM {table} WHERE {where}", values)
        return int(count)

    def keys(self, wanted: NameFilter, after: str | None, size: int) -> list[str]:
        """At most ``size`` distinct keys, in order, that come after a key."""
        return self._names("key", wanted, after, size)

    def labels(self, wanted: NameFilter, after: str | None, size: int) -> list[str]:
        """At most ``size`` distinct labels, in order; ``''`` is "no label" and comes first."""
        return self._names("label", wanted, after, size)

    def _names(self, column: str, wanted: NameFilter, after: str | None, size: int) -> list[str]:
        table, held = self._settings
        where, values = all_of((held, names_where(column, wanted, after)))
        sql = f"SELECT DISTINCT {column} FROM {table} WHERE {where} ORDER BY {column} LIMIT ?"
        return [name for (name,) in self._database.rows(sql, (*values, size))]
