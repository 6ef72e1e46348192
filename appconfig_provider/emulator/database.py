"""The SQLite database under the store: one connection, one lock, one schema.

The server's thread and a test's thread use the same database. The connection is therefore opened
with ``check_same_thread=False`` and every statement runs under one re-entrant lock: SQLite sees one
caller at a time, and a reader never sees half a write. A caller that must look before it writes
holds :meth:`Database.exclusive` over both.

A data file belongs to one process: it is locked for as long as the database is open. The counter of
mutations and the last instant are kept in the file, so that both only grow, over restarts too.

Every write of a setting leaves a revision; triggers see to it, so that no writer can forget. No two
writes have the same instant (``modified``), so it numbers the revisions too. A revision also tells
from which instant on it did not hold any more (``until``, NULL for what still holds). So at any
instant there is at most one of a name, and the past is read like the present. ``instant`` is
``modified`` once more, because SQLite takes a primary key for no part of a place in an index.
"""

# ruff: noqa: S608 - only fixed words become SQL; every text is a bound parameter

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from appconfig_provider.emulator.model import Setting

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
#: The columns that make a setting, in the order :func:`setting_from` reads them.
COLUMNS = "key, label, value, content_type, tags, description, etag, modified, locked"
_NEW_COLUMNS = ", ".join(f"new.{column}" for column in COLUMNS.split(", "))
_REVISE = f"INSERT INTO revisions ({COLUMNS}, instant) VALUES ({_NEW_COLUMNS}, new.modified);"
_LAST_OF = "(SELECT max(instant) FROM revisions WHERE key = {0}.key AND label = {0}.label)"
_NAME = "key TEXT NOT NULL, label TEXT NOT NULL"
# What may be long comes last: SQLite reads a row up to the last column that it needs.
_REST = (
    "etag TEXT NOT NULL, locked INTEGER NOT NULL, tags TEXT NOT NULL, content_type TEXT,"
    " description TEXT, value TEXT"
)
_SCHEMA = f"""
CREATE TABLE settings (
    {_NAME}, modified INTEGER NOT NULL, {_REST}, PRIMARY KEY (key, label)
) WITHOUT ROWID;
CREATE INDEX settings_by_label ON settings (label, key);
CREATE TABLE counter (mutations INTEGER NOT NULL, modified INTEGER NOT NULL);
INSERT INTO counter VALUES (0, 0);
CREATE TABLE revisions (
    modified INTEGER PRIMARY KEY, instant INTEGER NOT NULL, until INTEGER, {_NAME}, {_REST}
);
CREATE INDEX revisions_by_name ON revisions (key, label, instant, until);
CREATE INDEX revisions_by_end ON revisions (until) WHERE until IS NOT NULL;
CREATE TRIGGER setting_made AFTER INSERT ON settings BEGIN {_REVISE} END;
CREATE TRIGGER setting_changed AFTER UPDATE ON settings BEGIN
    UPDATE revisions SET until = new.modified WHERE modified = {_LAST_OF.format("new")};
    {_REVISE}
END;
CREATE TRIGGER setting_deleted AFTER DELETE ON settings BEGIN
    UPDATE revisions SET until = (SELECT modified FROM counter)
    WHERE modified = {_LAST_OF.format("old")};
END;
CREATE TABLE snapshots (
    name TEXT PRIMARY KEY, etag TEXT NOT NULL, status TEXT NOT NULL, content TEXT NOT NULL,
    created INTEGER NOT NULL, modified INTEGER NOT NULL, expires INTEGER,
    size INTEGER NOT NULL, items INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX snapshots_by_end ON snapshots (expires) WHERE expires IS NOT NULL;
CREATE TABLE snapshot_settings (
    snapshot TEXT NOT NULL REFERENCES snapshots (name) ON DELETE CASCADE,
    {_NAME}, modified INTEGER NOT NULL, {_REST}, PRIMARY KEY (snapshot, key, label)
) WITHOUT ROWID;
"""
#: What marks a file as one of ours ("ACfg"), and the schema that it has.
_APPLICATION, _VERSION = 0x41436667, 2
#: How long a revision is kept after it ceased to hold.
HISTORY_SECONDS = 30 * 24 * 3600
#: At most so many revisions are forgotten with one write, so that none takes long.
_FORGOTTEN_AT_ONCE = 100

SettingRow: TypeAlias = tuple[
    str, str, str | None, str | None, str, str | None, str, int, int
]  # fmt: skip


_IN_USE = "it is locked by another process, maybe an emulator; stop that one, or name another file"


class StoreError(Exception):
    """A data file that cannot be used; the message names it."""


class Database:
    """One connection that any thread may use.

    ``path`` None keeps everything in memory; ``now`` gives seconds since 1970.

    Raises:
        StoreError: the file is in use by another process, or is not a data file of this store.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, now: Callable[[], float] = time.time
    ) -> None:
        self._lock = threading.RLock()
        self.now = now
        self._told = 0
        place = ":memory:" if path is None else os.fspath(path)
        self._opened: sqlite3.Connection | None = _open(place)

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            raise RuntimeError("the store is closed; use it inside its `with` block")
        return self._opened

    def close(self) -> None:
        """Close the data file; what reads or writes afterwards raises a RuntimeError."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def copy(self) -> Database:
        """A copy in memory of everything as it is now."""
        copied = Database(now=self.now)
        with self._lock:
            self._connection.backup(copied._connection)
        return copied

    @property
    def undisturbed(self) -> AbstractContextManager[object]:
        """Let no other thread read or write until the block ends."""
        return self._lock

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
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk may have ended it already
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        """Run one statement and return its rows."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def run_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Run one statement for many rows and return how many of them it changed."""
        with self._lock:
            return max(self._connection.executemany(sql, rows).rowcount, 0)

    def counter(self) -> tuple[int, int]:
        """The number of mutations so far, and the last instant given to one."""
        ((mutations, modified),) = self.rows("SELECT * FROM counter")
        return mutations, modified

    def next_instant(self) -> int:
        """Microseconds since 1970, later than the last mutation, and no present that was told."""
        instant = max(self.microseconds(), self.counter()[1] + 1)
        return instant + 1 if instant == self._told else instant

    def count(self, mutations: int, modified: int) -> None:
        """Remember that there were so many mutations more, the last one at an instant."""
        self.rows(
            "UPDATE counter SET mutations = mutations + ?, modified = max(modified, ?)",
            (mutations, modified),
        )

    def microseconds(self) -> int:
        """The time of day as the database keeps it."""
        return int(self.now() * 1_000_000)

    def present(self) -> int:
        """The instant that is now: what was written is not later, and what will be written is.

        So who reads twice as of this instant reads the same, also while the clock stands still.
        """
        self._told = max(self.microseconds(), self.counter()[1])
        return self._told

    def oldest(self) -> int:
        """The instant at which the history begins; what ceased to hold before is forgotten."""
        return self.microseconds() - HISTORY_SECONDS * 1_000_000

    def forget(self) -> None:
        """Make room: drop some revisions that ceased to hold before the history begins."""
        self.rows(
            "DELETE FROM revisions WHERE modified IN"
            " (SELECT modified FROM revisions WHERE until < ? ORDER BY until LIMIT ?)",
            (self.oldest(), _FORGOTTEN_AT_ONCE),
        )


def instant_from(microseconds: int) -> datetime:
    """The instant that a column of microseconds since 1970 stands for."""
    return _EPOCH + timedelta(microseconds=microseconds)


def microseconds_of(instant: datetime) -> int:
    """What a column holds for an instant, which has a time zone."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


# A row that was read once is read again by every listing; most of a page's cost is in here.
@lru_cache(maxsize=16_384)
def setting_from(row: SettingRow) -> Setting:
    """The setting in a row of :data:`COLUMNS`."""
    key, label, value, content_type, tags, description, etag, modified, locked = row
    return Setting(
        key,
        label or None,
        value,
        content_type,
        MappingProxyType(json.loads(tags)),
        description,
        etag,
        instant_from(modified),
        bool(locked),
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
        folder = Path(path).parent
        reason: object = _IN_USE if str(error) == "database is locked" else error
        if not folder.is_dir():
            reason = f"there is no folder {folder}"
        raise StoreError(f"cannot use the data file {path}: {reason}") from error
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Take the file for this process, and make the tables of a new one."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("COMMIT")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version, objects) == (0, 0, 0):
        marks = f"PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {_VERSION};"
        connection.executescript(f"BEGIN;{_SCHEMA}{marks}COMMIT;")
    elif application != _APPLICATION:
        raise StoreError("it was not written by the emulator; name another file")
    elif version != _VERSION:
        raise StoreError(
            f"it has the schema {version}, and this version of the emulator reads {_VERSION};"
            " start with the version that wrote it, or name a new file"
        )
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
