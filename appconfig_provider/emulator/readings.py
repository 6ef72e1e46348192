"""Reading a store at once, as it is and as it was, for whoever does not mind how long it takes."""

# ruff: noqa: S608 - only fixed words become SQL; every text is a bound parameter

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from appconfig_provider.emulator.database import COLUMNS, Database, setting_from
from appconfig_provider.emulator.model import Setting, label_of
from appconfig_provider.emulator.queries import Position, Selection, known
from appconfig_provider.emulator.steps import at_once
from appconfig_provider.emulator.walks import Walks


class Revision(NamedTuple):
    """A setting as it was once; a later revision has a larger number."""

    number: int
    setting: Setting


class Readings:
    """What can be read of a database, as of an instant in microseconds since 1970; None is now."""

    def __init__(self, database: Database, instant: int | None = None) -> None:
        self._database = database
        self.instant = instant

    @property
    def walks(self) -> Walks:
        """The listings, to be read in steps."""
        return Walks(self._database, self.instant)

    def get(self, key: str, label: str | None = None) -> Setting | None:
        """The setting with exactly this key and label."""
        name = (key, label_of(label) or "")
        if self.instant is None:
            rows = self._database.rows(
                f"SELECT {COLUMNS} FROM settings WHERE key = ? AND label = ?", name
            )
        else:
            there = known(max(self.instant + 1, self._database.oldest()))
            rows = self._database.rows(
                f"SELECT {COLUMNS} FROM (SELECT * FROM revisions WHERE key = ? AND label = ?"
                f" AND instant <= ? ORDER BY instant DESC LIMIT 1) WHERE {there.sql}",
                (*name, self.instant, *there.values),
            )
        return setting_from(rows[0]) if rows else None

    def page(self, selection: Selection, after: Position | None, size: int) -> list[Setting]:
        """At most ``size`` settings of a selection, in order, that come after a position.

        A negative size means all of them.
        """
        return at_once(self.walks.page(selection, after, size))

    def revisions(self, selection: Selection, before: int | None, size: int) -> list[Revision]:
        """At most ``size`` revisions from before the one of a number, the newest first.

        A negative size means all of them.
        """
        return self.revisions_of(at_once(self.walks.revisions(selection, before, size)))

    def revisions_of(self, numbers: Iterable[int]) -> list[Revision]:
        """The revisions of some numbers, in that order."""
        sql = f"SELECT {COLUMNS} FROM revisions WHERE modified = ?"
        return [
            Revision(number, setting_from(row))
            for number in numbers
            for row in self._database.rows(sql, (number,))
        ]
