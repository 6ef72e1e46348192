"""The settings of a store, their locks and their history, over one database."""

# ruff: noqa: S608 - only fixed words become SQL; every text is a bound parameter

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from appconfig_provider.emulator.database import (
    COLUMNS,
    Database,
    SettingRow,
    StoreError,
)
from appconfig_provider.emulator.model import Draft, Setting, SettingLocked
from appconfig_provider.emulator.queries import as_json
from appconfig_provider.emulator.readings import Readings, Revision
from appconfig_provider.emulator.snapshots import Snapshots

__all__ = ["Revision", "Store", "StoreError"]

_UPSERT = f"""
INSERT INTO settings ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key, label) DO UPDATE SET
    value = excluded.value, content_type = excluded.content_type, tags = excluded.tags,
    description = excluded.description, etag = excluded.etag, modified = excluded.modified
WHERE value IS NOT excluded.value OR content_type IS NOT excluded.content_type
   OR tags IS NOT excluded.tags OR description IS NOT excluded.description
"""


class Store(Readings):
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
        super().__init__(database)
        self.snapshots = Snapshots(database)

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

    @property
    def present(self) -> int:
        """The instant that is now, in microseconds since 1970."""
        return self._database.present()

    def at(self, instant: int | None) -> Readings:
        """The store as it was at an instant, in microseconds since 1970; None is now."""
        return Readings(self._database, instant)

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
            first = self._database.next_instant()
            rows = [_row(draft, first + offset) for offset, draft in enumerate(drafts)]
            changed = self._database.run_many(_UPSERT, rows)
            if changed:
                self._database.count(changed, first + len(rows) - 1)
                self._database.forget()
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
                self._database.count(
                    1, self._database.next_instant()
                )  # the instant of the deletion
                self._database.rows(
                    "DELETE FROM settings WHERE key = ? AND label = ?", (key, stored.label or "")
                )
        return stored

    def lock(self, key: str, label: str | None = None, *, locked: bool = True) -> Setting | None:
        """Lock or unlock a setting and return it, or None when there is none.

        One that already is as wanted stays as it was; otherwise it gets a new ETag.
        """
        with self.exclusive():
            stored = self.get(key, label)
            if stored is None or stored.locked == locked:
                return stored
            instant = self._database.next_instant()
            self._database.rows(
                "UPDATE settings SET locked = ?, etag = ?, modified = ?"
                " WHERE key = ? AND label = ?",
                (locked, secrets.token_urlsafe(16), instant, key, stored.label or ""),
            )
            self._database.count(1, instant)
            return self.get(key, label)


def _check_lock(stored: Setting | None) -> None:
    if stored is not None and stored.locked:
        raise SettingLocked(f"the setting {stored.key!r} is locked; unlock it first")


def _row(draft: Draft, modified: int) -> SettingRow:
    return (
        draft.key,
        draft.label or "",
        draft.value,
        draft.content_type,
        as_json(draft.tags),
        draft.description,
        secrets.token_urlsafe(16),
        modified,
        0,
    )
