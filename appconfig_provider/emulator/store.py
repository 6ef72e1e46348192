"""The settings of a store, their locks and their history, over one database."""

# ruff: noqa: S608 - only fixed words become SQL; every text is a bound parameter

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import NamedTuple

from appconfig_provider.emulator.database import (
    COLUMNS,
    Database,
    SettingRow,
    StoreError,
    setting_from,
)
from appconfig_provider.emulator.filters import NameFilter
from appconfig_provider.emulator.model import Draft, Setting, SettingLocked, label_of
from appconfig_provider.emulator.queries import (
    Position,
    Selection,
    names_where,
    revisions_where,
    settings_where,
)
from appconfig_provider.emulator.snapshots import Snapshots

__all__ = ["Revision", "Store", "StoreError"]

HISTORY_SECONDS = 30 * 24 * 3600
_UPSERT = f"""
INSERT INTO settings ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key, label) DO UPDATE SET
    value = excluded.value, content_type = excluded.content_type, tags = excluded.tags,
    description = excluded.description, etag = excluded.etag, modified = excluded.modified
WHERE value IS NOT excluded.value OR content_type IS NOT excluded.content_type
   OR tags IS NOT excluded.tags OR description IS NOT excluded.description
"""
# What a setting is now belongs to its history, however old it is.
_FORGET = """
DELETE FROM revisions WHERE modified < ? AND NOT EXISTS (
    SELECT 1 FROM settings
    WHERE key = revisions.key AND label = revisions.label AND etag = revisions.etag)
"""


class Revision(NamedTuple):
    """A setting as it was once; a later revision has a larger number."""

    number: int
    setting: Setting


class Store:
    """The settings of one store, ordered by key, then label, "no label" first.

    ``path`` names the data file; None keeps everything in memory. ``now`` gives seconds since
    1970. Every method may be called from any thread.

    Raises:
        StoreError: the file is in use by another process, or is not a data file of this store.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._use(Database(path, now=now))

    def _use(self, database: Database) -> None:
        self._database = database
        self.snapshots = Snapshots(database, lambda selection: self.page(selection, None, -1))

    def close(self) -> None:
        """Close the data file; the store cannot be used afterwards."""
        self._database.close()

    def copy(self) -> Store:
        """A store of its own, in memory, with everything as it is now."""
        copied = object.__new__(Store)
        copied._use(self._database.copy())
        return copied

    def exclusive(self) -> AbstractContextManager[None]:
        """Let nobody else read or write until the block ends; undo its writes if it raises."""
        return self._database.exclusive()

    @property
    def size(self) -> int:
        """How many settings there are."""
        ((size,),) = self._database.rows("SELECT count(*) FROM settings")
        return int(size)

    @property
    def mutations(self) -> int:
        """How many writes there have been since the store was made."""
        return self._database.counter()[0]

    def get(self, key: str, label: str | None = None) -> Setting | None:
        """The setting with exactly this key and label."""
        sql = f"SELECT {COLUMNS} FROM settings WHERE key = ? AND label = ?"
        rows = self._database.rows(sql, (key, label_of(label) or ""))
        return setting_from(rows[0]) if rows else None

    def put(self, draft: Draft) -> Setting:
        """Write one setting; one that already is as drafted stays as it was, ETag included.

        Raises:
            SettingLocked: it is locked.
        """
        with self.exclusive():
            _check_lock(self.get(draft.key, draft.label))
            self.load((draft,))
            stored = self.get(draft.key, draft.label)
        assert stored is not None  # noqa: S101 - it was written two lines above
        return stored

    def load(self, drafts: Iterable[Draft]) -> int:
        """Write many settings at once, locked or not, and return how many were a change."""
        with self.exclusive():
            first = self._database.next_moment()
            rows = [_row(draft, first + offset) for offset, draft in enumerate(drafts)]
            changed = self._database.run_many(_UPSERT, rows)
            if changed:
                self._database.count(changed, first + len(rows) - 1)
                self._forget()
        return changed

    def delete(self, key: str, label: str | None = None) -> Setting | None:
        """Remove one setting and return what it was, or None when there was none.

        Raises:
            SettingLocked: it is locked.
        """
        with self.exclusive():
            stored = self.get(key, label)
            if stored is not None:
                _check_lock(stored)
                self._database.rows(
                    "DELETE FROM settings WHERE key = ? AND label = ?", (key, stored.label or "")
                )
                self._database.count(1, 0)
        return stored

    def lock(self, key: str, label: str | None = None, *, locked: bool = True) -> Setting | None:
        """Lock or unlock a setting and return it, or None when there is none.

        One that already is as wanted stays as it was; otherwise it gets a new ETag.
        """
        with self.exclusive():
            stored = self.get(key, label)
            if stored is None or stored.locked == locked:
                return stored
            moment = self._database.next_moment()
            self._database.rows(
                "UPDATE settings SET locked = ?, etag = ?, modified = ?"
                " WHERE key = ? AND label = ?",
                (locked, secrets.token_urlsafe(16), moment, key, stored.label or ""),
            )
            self._database.count(1, moment)
            return self.get(key, label)

    def page(self, selection: Selection, after: Position | None, size: int) -> list[Setting]:
        """At most ``size`` settings of a selection, in order, that come after a position.

        A negative size means all of them.
        """
        where, values = settings_where(selection, after)
        sql = f"SELECT {COLUMNS} FROM settings WHERE {where} ORDER BY key, label LIMIT ?"
        return [setting_from(row) for row in self._database.rows(sql, (*values, size))]

    def revisions(self, selection: Selection, after: Position | None, size: int) -> list[Revision]:
        """At most ``size`` revisions after a position: by key and label, the newest first."""
        where, values = revisions_where(selection, after)
        sql = (
            f"SELECT number, {COLUMNS} FROM revisions WHERE {where}"
            " ORDER BY key, label, number DESC LIMIT ?"
        )
        with self.exclusive():
            self._forget()
            rows = self._database.rows(sql, (*values, size))
        return [Revision(row[0], setting_from(row[1:])) for row in rows]

    def keys(self, wanted: NameFilter, after: str | None, size: int) -> list[str]:
        """At most ``size`` distinct keys, in order, that come after a key."""
        return self._names("key", wanted, after, size)

    def labels(self, wanted: NameFilter, after: str | None, size: int) -> list[str]:
        """At most ``size`` distinct labels, in order; ``''`` is "no label" and comes first."""
        return self._names("label", wanted, after, size)

    def _names(self, column: str, wanted: NameFilter, after: str | None, size: int) -> list[str]:
        where, values = names_where(column, wanted, after)
        sql = f"SELECT DISTINCT {column} FROM settings WHERE {where} ORDER BY {column} LIMIT ?"
        return [name for (name,) in self._database.rows(sql, (*values, size))]

    def _forget(self) -> None:
        """Drop the revisions that are older than the history goes back."""
        oldest = self._database.microseconds() - HISTORY_SECONDS * 1_000_000
        self._database.rows(_FORGET, (oldest,))


def _check_lock(stored: Setting | None) -> None:
    if stored is not None and stored.locked:
        raise SettingLocked(f"the setting {stored.key!r} is locked; unlock it first")


def _row(draft: Draft, modified: int) -> SettingRow:
    return (
        draft.key,
        draft.label or "",
        draft.value,
        draft.content_type,
        json.dumps(draft.tags, ensure_ascii=False, sort_keys=True),
        draft.description,
        secrets.token_urlsafe(16),
        modified,
        0,
    )
