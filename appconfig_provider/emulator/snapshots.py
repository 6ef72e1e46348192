"""Snapshots: settings as they were, kept under a name whatever happens to them later.

A snapshot is built at once, so nobody ever sees one that is being provisioned. One that would be
larger than the service allows is stored as *failed*, without settings. An archived snapshot is gone
when its time is over; the next one who asks for any snapshot sweeps it away.
"""

# ruff: noqa: S608 - only fixed words become SQL; every text is a bound parameter

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from appconfig_provider.emulator.database import COLUMNS, Database, moment_from, setting_from
from appconfig_provider.emulator.filters import NameFilter
from appconfig_provider.emulator.model import Setting, size_of
from appconfig_provider.emulator.queries import (
    Position,
    Selection,
    names_where,
    settings_where,
)
from appconfig_provider.emulator.snapshot_model import (
    ARCHIVED,
    FAILED,
    READY,
    Snapshot,
    SnapshotDraft,
    SnapshotFilter,
)

MAX_SNAPSHOT_BYTES = 1024 * 1024
_COLUMNS = "name, etag, status, content, created, modified, expires, size, items"


class SnapshotExists(ValueError):
    """There is a snapshot of this name already."""


class SnapshotFailed(ValueError):
    """A snapshot that failed to be built can be neither archived nor recovered."""


class Snapshots:
    """The snapshots of one store, ordered by name; ``read`` gives the settings of a selection."""

    def __init__(self, database: Database, read: Callable[[Selection], Iterable[Setting]]) -> None:
        self._database = database
        self._read = read

    def create(self, draft: SnapshotDraft) -> Snapshot:
        """Take a snapshot of the settings as they are now.

        Raises:
            SnapshotExists: the name is taken.
        """
        with self._database.exclusive():
            if self.get(draft.name) is not None:
                raise SnapshotExists(f"there is a snapshot {draft.name!r} already")
            settings = self._choose(draft)
            size = sum(size_of(setting) for setting in settings)
            fits = size <= MAX_SNAPSHOT_BYTES
            self._write(draft, READY if fits else FAILED, (size, len(settings)) if fits else (0, 0))
            if fits:
                self._keep(draft.name, settings)
            created = self.get(draft.name)
        assert created is not None  # noqa: S101 - it was written above
        return created

    def get(self, name: str) -> Snapshot | None:
        """The snapshot of exactly this name."""
        self._sweep()
        rows = self._database.rows(f"SELECT {_COLUMNS} FROM snapshots WHERE name = ?", (name,))
        return _snapshot(rows[0]) if rows else None

    def page(
        self, wanted: NameFilter, statuses: Sequence[str], after: str | None, size: int
    ) -> list[Snapshot]:
        """At most ``size`` snapshots in some states that come after a name."""
        self._sweep()
        where, values = names_where("name", wanted, after)
        states = ", ".join("?" * len(statuses))
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM snapshots WHERE {where} AND status IN ({states})"
            " ORDER BY name LIMIT ?",
            (*values, *statuses, size),
        )
        return [_snapshot(row) for row in rows]

    def set_status(self, name: str, status: str) -> Snapshot | None:
        """Archive or recover a snapshot; None when there is none, as it was when it is so already.

        Raises:
            SnapshotFailed: it never came to be.
        """
        with self._database.exclusive():
            present = self.get(name)
            if present is None or present.status == status:
                return present
            if present.status not in (READY, ARCHIVED):
                raise SnapshotFailed(f"the snapshot {name!r} failed")
            moment = self._database.next_moment()
            kept = present.retention_period * 1_000_000
            expires = moment + kept if status == ARCHIVED else None
            self._database.rows(
                "UPDATE snapshots SET status = ?, etag = ?, modified = ?, expires = ?"
                " WHERE name = ?",
                (status, secrets.token_urlsafe(16), moment, expires, name),
            )
            self._database.count(1, moment)
            return self.get(name)

    def settings(self, name: str, after: Position | None, size: int) -> list[Setting]:
        """At most ``size`` settings of a snapshot after a position; none when there is none."""
        self._sweep()
        where, values = settings_where(Selection(), after)
        sql = (
            f"SELECT {COLUMNS} FROM snapshot_settings WHERE snapshot = ? AND {where}"
            " ORDER BY key, label LIMIT ?"
        )
        return [setting_from(row) for row in self._database.rows(sql, (name, *values, size))]

    def _choose(self, draft: SnapshotDraft) -> Sequence[Setting]:
        """The settings a draft takes; of two that stand for one name a later filter's wins."""
        chosen: dict[tuple[str, ...], Setting] = {}
        for selection in draft.selections:
            for setting in self._read(selection):
                chosen[draft.identity(setting)] = setting
        return tuple(chosen.values())

    def _write(self, draft: SnapshotDraft, status: str, extent: tuple[int, int]) -> None:
        moment = self._database.next_moment()
        content = asdict(draft)
        name = content.pop("name")
        self._database.rows(
            f"INSERT INTO snapshots ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?)",
            (name, secrets.token_urlsafe(16), status, json.dumps(content), moment, moment, *extent),
        )
        self._database.count(1, moment)

    def _keep(self, name: str, settings: Iterable[Setting]) -> None:
        self._database.run_many(
            f"INSERT INTO snapshot_settings (snapshot, {COLUMNS})"
            f" SELECT ?, {COLUMNS} FROM settings WHERE key = ? AND label = ?",
            ((name, setting.key, setting.label or "") for setting in settings),
        )

    def _sweep(self) -> None:
        self._database.rows(
            "DELETE FROM snapshots WHERE expires <= ?", (self._database.microseconds(),)
        )


def _snapshot(row: tuple[str, str, str, str, int, int, int | None, int, int]) -> Snapshot:
    name, etag, status, text, created, modified, expires, size, items_count = row
    content = json.loads(text)
    filters = tuple(SnapshotFilter(**{**f, "tags": tuple(f["tags"])}) for f in content["filters"])
    return Snapshot(
        name=name,
        etag=etag,
        status=status,
        filters=filters,
        composition_type=content["composition_type"],
        retention_period=content["retention_period"],
        tags=content["tags"],
        description=content["description"],
        created=moment_from(created),
        last_modified=moment_from(modified),
        expires=None if expires is None else moment_from(expires),
        size=size,
        items_count=items_count,
    )
