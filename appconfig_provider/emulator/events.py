"""The events that the service publishes through Azure Event Grid, as a subscriber gets them.

An event tells that something changed and how far the store had come by then, never a value. Its id
belongs to the change: asked for twice, or delivered twice, it is the same event. What the subject
of an event about a snapshot looks like is not documented; here it is the address of the snapshot.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from appconfig_provider.emulator.filters import OneOf
from appconfig_provider.emulator.model import Setting, label_of
from appconfig_provider.emulator.queries import Selection
from appconfig_provider.emulator.store import Store
from appconfig_provider.emulator.sync_tokens import sync_token

Event: TypeAlias = dict[str, Any]

_NAMESPACE: Final = uuid.UUID("5d8dcd5e-4ca1-4e1c-9b0c-1c7a3f7f6f52")
_SOURCE: Final = (
    f"/subscriptions/{uuid.UUID(int=0)}/resourceGroups/local"
    "/providers/microsoft.appconfiguration/configurationstores/emulator"
)


class Events:
    """The events of one endpoint of a store; ``now`` gives seconds since 1970."""

    def __init__(self, store: Store, endpoint: str, now: Callable[[], float]) -> None:
        self._store = store
        self._endpoint = endpoint
        self._now = now

    def setting(self, key: str, label: str | None, schema: str) -> Event:
        """The event about the last change of a setting, in one of the :data:`SCHEMAS`.

        Nobody keeps the instant when a setting was deleted; the event gives the present one.

        Raises:
            LookupError: the store knows of no such setting.
            ValueError: there is no such schema.
        """
        write, label = _writer(schema), label_of(label)
        with self._store.exclusive():
            present = self._store.get(key, label)
            setting = present or self._last(key, label)
            token = sync_token(self._store.mutations)
        if setting is None:
            raise LookupError(f"there never was a setting {key!r} with the label {label!r}")
        if present is None:
            kind, instant = "KeyValueDeleted", datetime.fromtimestamp(self._now(), timezone.utc)
        else:
            kind, instant = "KeyValueModified", present.last_modified
        data = {"key": key, "label": label, "etag": setting.etag, "syncToken": token}
        named = "" if label is None else f"?label={quote(label, safe='')}"
        return write(_Change(kind, f"{self._address('kv', key)}{named}", instant, data))

    def snapshot(self, name: str, schema: str) -> Event:
        """The event about the last change of a snapshot, in one of the :data:`SCHEMAS`.

        Raises:
            LookupError: there is no such snapshot.
            ValueError: there is no such schema.
        """
        write = _writer(schema)
        with self._store.exclusive():
            snapshot = self._store.snapshots.get(name)
            token = sync_token(self._store.mutations)
        if snapshot is None:
            raise LookupError(f"there is no snapshot {name!r}")
        instant = snapshot.last_modified
        kind = "SnapshotCreated" if instant == snapshot.created else "SnapshotModified"
        data = {"name": name, "etag": snapshot.etag, "syncToken": token}
        return write(_Change(kind, self._address("snapshots", name), instant, data))

    def _last(self, key: str, label: str | None) -> Setting | None:
        """What a setting was that is not there any more."""
        wanted = Selection(OneOf((key,)), OneOf((label,)))
        return next((each.setting for each in self._store.revisions(wanted, None, 1)), None)

    def _address(self, resource: str, name: str) -> str:
        return f"{self._endpoint}/{resource}/{quote(name, safe='')}"


@dataclass(frozen=True, slots=True)
class _Change:
    kind: str
    subject: str
    instant: datetime
    data: Mapping[str, str | None]

    @property
    def id(self) -> str:
        """The id of the event, made of what makes it another one than the others."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.kind} {self.subject} {self.data['etag']}"))

    @property
    def type(self) -> str:
        """The type of the event, in full."""
        return f"Microsoft.AppConfiguration.{self.kind}"

    @property
    def time(self) -> str:
        """The instant as events write it."""
        return self.instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _event_grid(change: _Change) -> Event:
    return {
        "id": change.id,
        "topic": _SOURCE,
        "subject": change.subject,
        "eventType": change.type,
        "eventTime": change.time,
        "data": change.data,
        "dataVersion": "2",
        "metadataVersion": "1",
    }


def _cloud_event(change: _Change) -> Event:
    return {
        "id": change.id,
        "source": _SOURCE,
        "subject": change.subject,
        "type": change.type,
        "time": change.time,
        "data": change.data,
        "specversion": "1.0",
    }


#: How an event can be written: in Event Grid's own schema, or in that of CloudEvents.
SCHEMAS: Final = {"eventgrid": _event_grid, "cloudevents": _cloud_event}


def _writer(schema: str) -> Callable[[_Change], Event]:
    if schema not in SCHEMAS:
        raise ValueError(f"an event is written as {' or '.join(SCHEMAS)}, not as {schema!r}")
    return SCHEMAS[schema]
