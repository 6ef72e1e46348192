"""The emulated store and vault, for the length of a ``with`` block."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

from starlette.types import ASGIApp
from typing_extensions import Self

from appconfig_provider.emulator import (
    DEFAULT_ACCESS_KEY,
    AccessKey,
    Draft,
    Server,
    Setting,
    Store,
    create_app,
)
from appconfig_provider.emulator.scripting import Hook, RequestRecord, Script, Scripted
from appconfig_provider.emulator.snapshot_model import (
    Snapshot,
    SnapshotDraft,
    SnapshotFilter,
)
from appconfig_provider.emulator.tls import local_certificate
from appconfig_provider.emulator.tokens import STORE_AUDIENCES, VAULT_AUDIENCES, Tokens
from appconfig_provider.emulator.vault import Secrets, create_vault
from appconfig_provider.testing.clock import Clock

_REFERENCE = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8"
ServerT = TypeVar("ServerT", bound="ScriptedServer")


class ScriptedServer:
    """A server on a free port of this machine that a test watches and tells what to answer.

    Every method may be called from any thread. A callback that raises makes the request fail with
    500, and the ``with`` block raise its exception at the end.
    """

    def __init__(self, app: ASGIApp, script: Script, port: int, *, tls: bool) -> None:
        certificate = local_certificate() if tls else None
        self._script = script
        self._server = Server(script.around(app), port=port, certificate=certificate)
        self.ca_file = None if certificate is None else certificate.ca_file

    @property
    def requests(self) -> list[RequestRecord]:
        """The requests so far, in the order they came."""
        return self._script.records()

    def clear_requests(self) -> None:
        """Forget the recorded requests."""
        self._script.forget()

    def before_answer(self, callback: Callable[[RequestRecord], object]) -> Hook[object]:
        """Call back when a request has come, before it is looked at.

        Callbacks run on a thread of their own, may write to the store and may block; the request
        waits for them.
        """
        return Hook(self._script.before, callback)

    def after_answer(self, callback: Callable[[RequestRecord], object]) -> Hook[object]:
        """Call back when the answer is made, before it is sent."""
        return Hook(self._script.after, callback)

    def respond(
        self, callback: Callable[[RequestRecord], Scripted | None]
    ) -> Hook[Scripted | None]:
        """Let a callback answer instead; None leaves the request to the next one.

        Raises:
            TypeError: it cannot be called; `lambda request: Scripted(status=503)` can.
        """
        if not callable(callback):
            raise TypeError("respond() takes a function: lambda request: Scripted(status=503)")
        return Hook(self._script.responders, callback)

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def close(self) -> None:
        """Drop every connection, stop answering and forget everything."""
        self._server.close()
        self._script.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if error is None and self._script.trouble:
            raise self._script.trouble[0]


class Emulator(ScriptedServer):
    """A store in memory on a free port of this machine, for the length of a ``with`` block.

    ``page_size`` is the number of settings on a page. ``clock`` decides which request dates are
    fresh and when a setting was modified; give it the :class:`FakeClock` of the client. ``port``
    asks for a certain port, to come back where an earlier emulator was.

    With ``tls`` the endpoint is https, ``ca_file`` is what a client has to trust, and bearer tokens
    are accepted: JWTs for an audience of the service, signed or not, and every text in ``tokens``.
    """

    def __init__(
        self,
        *,
        page_size: int = 100,
        port: int = 0,
        clock: Clock | None = None,
        access_keys: Sequence[AccessKey] = (DEFAULT_ACCESS_KEY,),
        tls: bool = False,
    ) -> None:
        now = time.time if clock is None else clock.time
        self.tokens: set[str] = set()
        accepted = Tokens(STORE_AUDIENCES, self.tokens, now)

        def make_app(store: Store) -> ASGIApp:
            return create_app(store, access_keys, page_size=page_size, now=now, tokens=accepted)

        self._access_keys = access_keys
        self._make_app = make_app
        self._store = Store(now=now)
        self._copies: list[Store] = []
        try:
            super().__init__(make_app(self._store), Script(), port, tls=tls)
        except BaseException:
            self._store.close()
            raise
        self.endpoint = self._server.endpoint

    @property
    def connection_string(self) -> str:
        """The connection string with the first access key."""
        key = self._access_keys[0]
        return f"Endpoint={self.endpoint};Id={key.id};Secret={key.secret}"

    def set(
        self,
        key: str,
        value: str | None,
        label: str | None = None,
        content_type: str | None = None,
        tags: Mapping[str, str | None] | None = None,
    ) -> Setting:
        """Write a setting and return it as stored.

        Raises:
            ValueError: the service would refuse it.
        """
        return self._store.put(Draft(key, label, value, content_type, tags or {}))

    def set_many(
        self, settings: Mapping[str, str | None] | Iterable[Draft | tuple[str, str | None]]
    ) -> int:
        """Write many settings at once, locked or not, and count the changes.

        Takes a mapping of keys to values, or an iterable of such pairs and of drafts.
        """
        given = settings.items() if isinstance(settings, Mapping) else settings
        drafts = (
            item if isinstance(item, Draft) else Draft(item[0], value=item[1]) for item in given
        )
        return self._store.load(drafts)

    def set_secret(self, key: str, uri: str, label: str | None = None) -> Setting:
        """Write a Key Vault reference to a secret id."""
        return self.set(key, json.dumps({"uri": uri}), label, _REFERENCE)

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

    def remember(self) -> None:
        """Keep the present state for answers with ``Scripted(stale=True)``."""
        copy = self._store.copy()
        self._copies.append(copy)
        self._script.remembered = self._make_app(copy)

    @contextmanager
    def freeze(self) -> Iterator[None]:
        """Answer every read from the present state until the block ends; writes go through."""
        self.remember()
        self._script.frozen = True
        try:
            yield
        finally:
            self._script.frozen = False

    def close(self) -> None:
        """Drop every connection, stop answering and forget the settings."""
        super().close()
        for store in (self._store, *self._copies):
            store.close()


class Vault(ScriptedServer):
    """A Key Vault in memory on a free port of this machine, for the length of a ``with`` block.

    It speaks TLS only; ``ca_file`` is what a client has to trust, and ``url`` what it calls the
    vault. Accepted are JWTs for the vault's audience, signed or not, and every text in ``tokens``.
    """

    ca_file: str

    def __init__(self, *, port: int = 0, clock: Clock | None = None) -> None:
        now = time.time if clock is None else clock.time
        self.tokens: set[str] = set()
        self._secrets = Secrets(now)
        accepted = Tokens(VAULT_AUDIENCES, self.tokens, now)
        app = create_vault(self._secrets, accepted, lambda: self.url)
        super().__init__(app, Script(), port, tls=True)
        self.url = f"https://localhost:{self._server.port}"

    def set(self, name: str, value: str, *, enabled: bool = True) -> str:
        """Add a version of a secret, the current one from now on, and return the version.

        Raises:
            ValueError: the service would refuse the name or the value.
        """
        return self._secrets.set(name, value, enabled=enabled).version

    def delete(self, name: str) -> bool:
        """Remove a secret with all its versions and tell whether there was one."""
        return self._secrets.delete(name)

    def enable(self, name: str, *, enabled: bool) -> None:
        """Enable or disable the current version of a secret.

        Raises:
            KeyError: there is no such secret.
        """
        self._secrets.enable(name, enabled=enabled)

    def id(self, name: str, version: str = "") -> str:
        """The id of a secret, as a Key Vault reference names it."""
        return f"{self.url}/secrets/{name}" + (f"/{version}" if version else "")


def _filter(item: Mapping[str, Any] | tuple[str, str | None]) -> SnapshotFilter:
    if not isinstance(item, Mapping):
        return SnapshotFilter(*item)
    key, label, tags = item.get("key"), item.get("label"), item.get("tags") or []
    known = set(item) <= {"key", "label", "tags"} and isinstance(tags, list)
    if not known or not isinstance(key, str) or not isinstance(label, str | None):
        raise ValueError(f"a filter has a key, a label and a list of tags, not {dict(item)!r}")
    return SnapshotFilter(key, label, tuple(tags))
