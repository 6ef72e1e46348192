"""Snapshots: settings as they were, kept under a name whatever happens to them later.

A snapshot is built at once, so nobody ever sees one that is being provisioned. One that would be
larger than the service allows is stored as *failed*, without settings. An archived snapshot is gone
when its time is over; what is left of it is swept away when others are made.
"""

# ruff: noqa: S608 - only fixed words become SQL; every text is a bound parameter

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from appconfig_provider.emulator.database import (
    COLUMNS,
    Database,
    instant_from,
    microseconds_of,
    setting_from,
)
from appconfig_provider.emulator.filters import NameFilter
from appconfig_provider.emulator.model import Setting, size_of
from appconfig_provider.emulator.queries import Position, names_where
from appconfig_provider.emulator.snapshot_model import (
    ARCHIVED,
    FAILED,
    READY,
    Snapshot,
    SnapshotDraft,
    SnapshotFilter,
)
from appconfig_provider.emulator.steps import Steps, at_once
from appconfig_provider.emulator.walks import Walks

MAX_SNAPSHOT_BYTES = 1024 * 1024
#: What a small setting counts for in the size of a snapshot.
MIN_ITEM_BYTES = 500
#: How many settings are weighed in one step.
_PIECE = 100
_MAX_ITEMS = MAX_SNAPSHOT_BYTES // MIN_ITEM_BYTES
_IS_KEPT = "(expires IS NULL OR expires > ?)"
_COLUMNS = "name, etag, status, content, created, modified, expires, size, items"


class SnapshotExists(ValueError):
    """There is a snapshot of this name already."""


class SnapshotFailed(ValueError):
    """A snapshot that failed to be built can be neither archived nor recovered."""


class Snapshots:
    """The snapshots of one store, ordered by name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, draft: SnapshotDraft) -> Snapshot:
        """Take a snapshot of the settings as they are now.

        Raises:
            SnapshotExists: the name is taken.
        """
        return at_once(self.creation(draft))

    def creation(self, draft: SnapshotDraft) -> Steps[Snapshot]:
        """The steps of :meth:`create`; what is written meanwhile is not taken."""
        self._check_free(draft.name)
        sizes = yield from self._choose(draft)
        fits = sum(sizes.values()) <= MAX_SNAPSHOT_BYTES
        with self._database.exclusive():
            self._check_free(draft.name)
            if fits:
                self._write(draft, READY, (sum(sizes.values()), len(sizes)))
                self._keep(draft.name, sizes)
            else:
                self._write(draft, FAILED, (0, 0))
            created = self.get(draft.name)
        assert created is not None  # noqa: S101 - it was written above
        return created

    def get(self, name: str) -> Snapshot | None:
        """The snapshot of exactly this name."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM snapshots WHERE name = ? AND {_IS_KEPT}",
            (name, self._database.microseconds()),
        )
        return _snapshot(rows[0]) if rows else None

    def page(
        self, wanted: NameFilter, statuses: Sequence[str], after: str | None, size: int
    ) -> list[Snapshot]:
        """At most ``size`` snapshots in some states that come after a name."""
        where, values = names_where("name", wanted, after)
        states = ", ".join("?" * len(statuses))
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM snapshots"
            f" WHERE {where} AND status IN ({states}) AND {_IS_KEPT} ORDER BY name LIMIT ?",
            (*values, *statuses, self._database.microseconds(), size),
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
            instant = self._database.next_instant()
            kept = present.retention_period * 1_000_000
            expires = instant + kept if status == ARCHIVED else None
            self._database.rows(
                "UPDATE snapshots SET status = ?, etag = ?, modified = ?, expires = ?"
                " WHERE name = ?",
                (status, secrets.token_urlsafe(16), instant, expires, name),
            )
            self._database.count(1, instant)
            return self.get(name)

    def settings(self, name: str, after: Position | None, size: int) -> list[Setting]:
        """At most ``size`` settings of a snapshot after a position; none when there is none."""
        if self.get(name) is None:
            return []
        place = ("", "") if after is None else (after.key, after.label)
        sql = (
            f"SELECT {COLUMNS} FROM snapshot_settings"
            " WHERE snapshot = ? AND (key, label) > (?, ?) ORDER BY key, label LIMIT ?"
        )
        return [setting_from(row) for row in self._database.rows(sql, (name, *place, size))]

    def _check_free(self, name: str) -> None:
        if self.get(name) is not None:
            raise SnapshotExists(f"there is a snapshot {name!r} already")

    def _choose(self, draft: SnapshotDraft) -> Steps[dict[Setting, int]]:
        """The settings a draft takes, with their sizes; too many when they are too large anyway.

        Of two that stand for one name a later filter's wins.
        """
        walks = Walks(self._database)
        chosen: dict[tuple[str, ...], tuple[Setting, int]] = {}
        for selection in draft.selections:
            after: Position | None = None
            while len(chosen) <= _MAX_ITEMS:
                page = yield from walks.page(selection, after, _PIECE)
                for setting in page:
                    size = max(size_of(setting), MIN_ITEM_BYTES)
                    chosen[draft.identity(setting)] = setting, size
                if len(page) < _PIECE:
                    break
                after = Position(page[-1].key, page[-1].label or "")
                yield
        return dict(chosen.values())

    def _write(self, draft: SnapshotDraft, status: str, extent: tuple[int, int]) -> None:
        instant = self._database.next_instant()
        content = asdict(draft)
        name = content.pop("name")
        self._sweep(name)
        self._database.rows(
            f"INSERT INTO snapshots ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL, ?, ?)",
            (
                name,
                secrets.token_urlsafe(16),
                status,
                json.dumps(content),
                instant,
                instant,
                *extent,
            ),
        )
        self._database.count(1, instant)

    def _keep(self, name: str, settings: Iterable[Setting]) -> None:
        self._database.run_many(
            f"INSERT INTO snapshot_settings (snapshot, {COLUMNS})"
            f" SELECT ?, {COLUMNS} FROM revisions WHERE modified = ?",
            ((name, microseconds_of(setting.last_modified)) for setting in settings),
        )

    def _sweep(self, name: str) -> None:
        """Drop a snapshot of this name that is gone, and one other: no write takes long."""
        now = self._database.microseconds()
        self._database.rows(
            "DELETE FROM snapshots WHERE expires <= ? AND (name = ? OR name ="
            " (SELECT name FROM snapshots WHERE expires <= ? ORDER BY expires LIMIT 1))",
            (now, name, now),
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
        created=instant_from(created),
        last_modified=instant_from(modified),
        expires=None if expires is None else instant_from(expires),
        size=size,
        items_count=items_count,
    )
