"""The emulated store, for the length of a ``with`` block."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, cast

from starlette.applications import Starlette

from appconfig_provider.emulator import (
    DEFAULT_ACCESS_KEY,
    Access,
    AccessKey,
    Draft,
    Role,
    Setting,
    Store,
    create_app,
)
from appconfig_provider.emulator.json_values import InvalidValue, JsonValue, stored_form
from appconfig_provider.emulator.snapshot_model import (
    Snapshot,
    SnapshotDraft,
    SnapshotFilter,
)
from appconfig_provider.testing.clock import Clock
from appconfig_provider.testing.replicas import Backing, Replica

_FLAG = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8"
_FLAG_PREFIX = ".appconfig.featureflag/"
_REFERENCE = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8"


class Emulator(Replica):
    """A store in memory on a free port of this machine, for the length of a ``with`` block.

    ``page_size`` is the number of settings on a page. ``clock`` decides which request dates are
    fresh and when a setting was modified; give it the :class:`FakeClock` of the client. ``port``
    asks for a certain port, to come back where an earlier emulator was.

    With ``tls`` the endpoint is https, ``ca_file`` is what a client has to trust, and bearer tokens
    are accepted: JWTs for an audience of the service or for the store's own address, signed or not,
    and every text in ``tokens``.

    With ``anonymous`` a request without an ``Authorization`` header is accepted, too: that of an
    ``"owner"`` may read and write, that of a ``"reader"`` may read. ``hosts`` are names that
    clients may use for it, beside ``localhost`` and IP addresses; any other is a 403. ``origins``
    are those of web pages that may ask, such as ``http://localhost:3000``.

    ``replicas`` is how many more endpoints the store has, each on a free port; this object is the
    first endpoint, and the attribute ``replicas`` has the others.

    Raises:
        ValueError: a number is out of its range.
        OSError: the port cannot be had.
    """

    def __init__(  # noqa: PLR0913 - what a test may ask for
        self,
        *,
        page_size: int = 100,
        port: int = 0,
        clock: Clock | None = None,
        access_keys: Sequence[AccessKey] = (DEFAULT_ACCESS_KEY,),
        tls: bool = False,
        anonymous: Role | None = None,
        hosts: Sequence[str] = (),
        origins: Sequence[str] = (),
        replicas: int = 0,
    ) -> None:
        if replicas < 0:
            raise ValueError("a number of replicas is not negative")
        now = time.time if clock is None else clock.time
        self.tokens: set[str] = set()
        self._store = Store(now=now)
        access = Access(
            tuple(access_keys), self.tokens, anonymous, hosts=tuple(hosts), origins=tuple(origins)
        )

        def make_app(store: Store) -> Starlette:
            return create_app(store, access, page_size=page_size, now=now)

        backing = Backing(self._store, make_app, access, now, tls)
        with ExitStack() as undo:
            undo.callback(self._store.close)
            super().__init__(backing, port)
            undo.callback(super().close)
            made = []
            for _ in range(replicas):
                made.append(Replica(backing))
                undo.callback(made[-1].close)
            self.replicas = tuple(made)
            self._undo = undo.pop_all()

    def start(self) -> None:
        """Begin to answer, at every endpoint."""
        super().start()
        for replica in self.replicas:
            replica.start()

    def close(self) -> None:
        """Drop every connection, stop answering and forget the settings."""
        self._undo.close()

    def raise_trouble(self) -> None:
        """Raise what a callback raised first at one of the endpoints, if one did."""
        super().raise_trouble()
        for replica in self.replicas:
            replica.raise_trouble()

    def set(
        self,
        key: str,
        value: JsonValue,
        label: str | None = None,
        content_type: str | None = None,
        tags: Mapping[str, str | None] | None = None,
    ) -> Setting:
        """Write a setting and return it as stored.

        A number, a boolean, a list or an object becomes JSON text, with the content type
        ``application/json`` where none is given; a text stays as it is. ``None`` is no value,
        ``JSON_NULL`` the null of JSON.

        Raises:
            ValueError: the service would refuse it, JSON has no such value, or the content type is
                not one of JSON.
        """
        return self._store.put(_draft(key, value, label, content_type, tags))

    def set_many(
        self, settings: Mapping[str, JsonValue] | Iterable[Draft | tuple[str, JsonValue]]
    ) -> int:
        """Write many settings at once, locked or not, and count the changes.

        Takes a mapping of keys to values, or an iterable of such pairs and of drafts. Values are
        those of :meth:`set`; a draft has a text.

        Raises:
            ValueError: the service would refuse one, or JSON has no such value; none is written.
        """
        if isinstance(settings, Mapping):
            settings = cast("Mapping[str, JsonValue]", settings).items()
        drafts = (item if isinstance(item, Draft) else _draft(*item) for item in settings)
        return self._store.load(drafts)

    def set_secret(self, key: str, uri: str, label: str | None = None) -> Setting:
        """Write a Key Vault reference to a secret id."""
        return self.set(key, json.dumps({"uri": uri}), label, _REFERENCE)

    def set_flag(
        self,
        flag: str | Mapping[str, Any],
        *,
        enabled: bool | None = None,
        label: str | None = None,
    ) -> Setting:
        """Write a feature flag: one that is the same for everybody by its name, or its JSON.

        `enabled` turns it on or off; without it a flag by name is on, and JSON stays as it is.

        Raises:
            ValueError: the JSON has no text as `id`, or is none.
        """
        given: dict[str, Any] = {"id": flag, "enabled": True} if isinstance(flag, str) else {**flag}
        name = given.get("id")
        if not isinstance(name, str) or not name:
            raise ValueError("a feature flag needs an 'id', which is text")
        if enabled is not None:
            given["enabled"] = enabled
        return self.set(_FLAG_PREFIX + name, given, label, _FLAG)

    def get(self, key: str, label: str | None = None) -> Setting | None:
        """The setting with this key and label, or None."""
        return self._store.get(key, label)

    def delete(self, key: str, label: str | None = None) -> Setting | None:
        """Remove a setting and return what it was, or None.

        Raises:
            ValueError: it is locked.
        """
        return self._store.delete(key, label)

    def lock(self, key: str, label: str | None = None, *, locked: bool = True) -> Setting | None:
        """Lock or unlock a setting and return it, or None when there is none."""
        return self._store.lock(key, label, locked=locked)

    def create_snapshot(
        self,
        name: str,
        filters: Iterable[Mapping[str, Any] | tuple[str, str | None]],
        composition: str = "key",
    ) -> Snapshot:
        """Take a snapshot of the settings as they are now.

        A filter is an object as the service takes it, or a pair of key filter and label.

        Raises:
            ValueError: the service would refuse it, or there is one of this name.
        """
        taken = tuple(_filter(item) for item in filters)
        return self._store.snapshots.create(SnapshotDraft(name, taken, composition))

    def archive_snapshot(self, name: str, *, archived: bool = True) -> Snapshot | None:
        """Archive or recover a snapshot and return it, or None when there is none."""
        return self._store.snapshots.set_status(name, "archived" if archived else "ready")


def _draft(
    key: str,
    value: JsonValue,
    label: str | None = None,
    content_type: str | None = None,
    tags: Mapping[str, str | None] | None = None,
) -> Draft:
    try:
        text, kind = stored_form(value, content_type)
    except InvalidValue as error:
        raise InvalidValue(f"the setting {key!r}: {error}") from None
    return Draft(key, label, text, kind, tags or {})


def _filter(item: Mapping[str, Any] | tuple[str, str | None]) -> SnapshotFilter:
    if not isinstance(item, Mapping):
        return SnapshotFilter(*item)
    key, label, tags = item.get("key"), item.get("label"), item.get("tags") or []
    known = set(item) <= {"key", "label", "tags"} and isinstance(tags, list)
    if not known or not isinstance(key, str) or not isinstance(label, str | None):
        raise ValueError(f"a filter has a key, a label and a list of tags, not {dict(item)!r}")
    return SnapshotFilter(key, label, tuple(tags))
