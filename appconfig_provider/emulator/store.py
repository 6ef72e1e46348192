"""The settings on disk or in memory: one SQLite connection, one lock.

The server's thread and a test's thread use the same store. The connection is therefore opened with
``check_same_thread=False`` and every statement runs under one re-entrant lock: SQLite sees one
caller at a time, and a reader never sees half a write. A caller that must look before it writes
holds :meth:`Store.exclusive` over both.

A data file belongs to one process: it is locked for as long as the store is open. The counter of
mutations and the last moment are kept in the file, so that both only grow, over restarts too.
"""

# ruff: noqa: S608 - only fixed words become SQL; every text is a bound parameter

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

from appconfig_provider.emulator.filters import NameFilter
from appconfig_provider.emulator.model import Draft, Setting, label_of
from appconfig_provider.emulator.queries import (
    Position,
    Selection,
    names_where,
    settings_where,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SCHEMA_VERSION = 1
_SCHEMA_OBJECTS = 3
_SCHEMA = """
BEGIN;
CREATE TABLE settings (
    key TEXT NOT NULL, label TEXT NOT NULL, value TEXT, content_type TEXT,
    tags TEXT NOT NULL, description TEXT, etag TEXT NOT NULL, modified INTEGER NOT NULL,
    PRIMARY KEY (key, label)
) WITHOUT ROWID;
CREATE INDEX settings_by_label ON settings (label, key);
CREATE TABLE counter (mutations INTEGER NOT NULL, modified INTEGER NOT NULL);
INSERT INTO counter VALUES (0, 0);
PRAGMA user_version = 1;
COMMIT;
"""
_COLUMNS = "key, label, value, content_type, tags, description, etag, modified"
_UPSERT = f"""
INSERT INTO settings ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key, label) DO UPDATE SET
    value = excluded.value, content_type = excluded.content_type, tags = excluded.tags,
    description = excluded.description, etag = excluded.etag, modified = excluded.modified
WHERE value IS NOT excluded.value OR content_type IS NOT excluded.content_type
   OR tags IS NOT excluded.tags OR description IS NOT excluded.description
"""
_Row: TypeAlias = tuple[str, str, str | None, str | None, str, str | None, str, int]


class StoreError(Exception):
    """A data file that cannot be used; the message names it."""


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
        self._lock = threading.RLock()
        self._now = now
        self._connection = _open(":memory:" if path is None else os.fspath(path))

    def close(self) -> None:
        """Close the data file; the store cannot be used afterwards."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Let nobody else read or write until the block ends; undo its writes if it raises."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @property
    def size(self) -> int:
        """How many settings there are."""
        with self._lock:
            (size,) = self._connection.execute("SELECT count(*) FROM settings").fetchone()
        return int(size)

    @property
    def mutations(self) -> int:
        """How many writes there have been since the store was made."""
        return self._counter()[0]

    def get(self, key: str, label: str | None = None) -> Setting | None:
        """The setting with exactly this key and label."""
        with self._lock:
            row = self._connection.execute(
                f"SELECT {_COLUMNS} FROM settings WHERE key = ? AND label = ?",
                (key, label_of(label) or ""),
            ).fetchone()
        return None if row is None else _setting(row)

    def put(self, draft: Draft) -> Setting:
        """Write one setting; one that already is as drafted stays as it was, ETag included."""
        with self.exclusive():
            self.load((draft,))
            stored = self.get(draft.key, draft.label)
        assert stored is not None  # noqa: S101 - it was written two lines above
        return stored

    def load(self, drafts: Iterable[Draft]) -> int:
        """Write many settings at once and return how many of them were a change."""
        with self.exclusive():
            mutations, last = self._counter()
            first = max(int(self._now() * 1_000_000), last + 1)
            rows = [_row(draft, first + offset) for offset, draft in enumerate(drafts)]
            changed = self._connection.executemany(_UPSERT, rows).rowcount if rows else 0
            if changed:
                self._count(mutations + changed, first + len(rows) - 1)
        return changed

    def delete(self, key: str, label: str | None = None) -> Setting | None:
        """Remove one setting and return what it was, or None when there was none."""
        with self.exclusive():
            stored = self.get(key, label)
            if stored is not None:
                self._connection.execute(
                    "DELETE FROM settings WHERE key = ? AND label = ?", (key, stored.label or "")
                )
                mutations, last = self._counter()
                self._count(mutations + 1, last)
        return stored

    def page(self, selection: Selection, after: Position | None, size: int) -> list[Setting]:
        """At most ``size`` settings of a selection, in order, that come after a position."""
        where, values = settings_where(selection, after)
        sql = f"SELECT {_COLUMNS} FROM settings WHERE {where} ORDER BY key, label LIMIT ?"
        with self._lock:
            rows = self._connection.execute(sql, (*values, size)).fetchall()
        return [_setting(row) for row in rows]

    def keys(self, wanted: NameFilter, after: str | None, size: int) -> list[str]:
        """At most ``size`` distinct keys, in order, that come after a key."""
        return self._names("key", wanted, after, size)

    def labels(self, wanted: NameFilter, after: str | None, size: int) -> list[str]:
        """At most ``size`` distinct labels, in order; ``''`` is "no label" and comes first."""
        return self._names("label", wanted, after, size)

    def _names(self, column: str, wanted: NameFilter, after: str | None, size: int) -> list[str]:
        where, values = names_where(column, wanted, after)
        sql = f"SELECT DISTINCT {column} FROM settings WHERE {where} ORDER BY {column} LIMIT ?"
        with self._lock:
            return [name for (name,) in self._connection.execute(sql, (*values, size))]

    def _counter(self) -> tuple[int, int]:
        with self._lock:
            mutations, modified = self._connection.execute("SELECT * FROM counter").fetchone()
        return mutations, modified

    def _count(self, mutations: int, modified: int) -> None:
        self._connection.execute(
            "UPDATE counter SET mutations = ?, modified = ?", (mutations, modified)
        )


def _open(path: str) -> sqlite3.Connection:
    try:
        with ExitStack() as undo:
            connection = sqlite3.connect(
                path, timeout=0, isolation_level=None, check_same_thread=False
            )
            undo.callback(connection.close)
            _prepare(connection)
            undo.pop_all()
    except (sqlite3.Error, StoreError) as error:
        raise StoreError(f"cannot use the data file {path}: {error}") from error
    connection.create_function("has_tags", 2, _has_tags, deterministic=True)
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Take the file for this process, and make the tables when it is new."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("COMMIT")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if version == 0 and tables == 0:
        connection.executescript(_SCHEMA)
    elif version != _SCHEMA_VERSION or tables != _SCHEMA_OBJECTS:
        raise StoreError("it was not written by this version of the emulator")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def _row(draft: Draft, modified: int) -> _Row:
    return (
        draft.key,
        draft.label or "",
        draft.value,
        draft.content_type,
        json.dumps(draft.tags, ensure_ascii=False, sort_keys=True),
        draft.description,
        secrets.token_urlsafe(16),
        modified,
    )


# A row that was read once is read again by every listing; most of a page's cost is in here.
@lru_cache(maxsize=16_384)
def _setting(row: _Row) -> Setting:
    key, label, value, content_type, tags, description, etag, modified = row
    return Setting(
        key,
        label or None,
        value,
        content_type,
        MappingProxyType(json.loads(tags)),
        description,
        etag,
        _EPOCH + timedelta(microseconds=modified),
    )


def _has_tags(text: str, wanted: str) -> bool:
    tags: dict[str, str | None] = json.loads(text)
    return all(name in tags and tags[name] == value for name, value in json.loads(wanted))
