"""One endpoint of a store; several of them may stand over the same one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypedDict

from appconfig_provider.emulator import Access, Store
from appconfig_provider.emulator.events import Events
from appconfig_provider.emulator.lagging import MakeApp, Memory
from appconfig_provider.emulator.scripting import Script
from appconfig_provider.testing.scripted import Fault, ScriptedServer

Schema: TypeAlias = Literal["eventgrid", "cloudevents"]


@dataclass(frozen=True, slots=True)
class Backing:
    """What stands behind the endpoints of a store; ``now`` gives seconds since 1970."""

    store: Store
    make_app: MakeApp
    access: Access
    now: Callable[[], float]
    tls: bool


class StoreOptions(TypedDict):
    """Keywords of ``load()``."""

    connection_string: str
    verify: bool | str


class Replica(ScriptedServer):
    """An endpoint of an emulated store, as :class:`Emulator` makes them.

    Everything that can be made to go wrong goes wrong at this endpoint alone. Writes reach the one
    store, whichever endpoint gets them.
    """

    def __init__(self, backing: Backing, port: int = 0) -> None:
        script = Script()
        self._access_key = backing.access.access_keys[0]
        self._memory = Memory(backing.store, backing.make_app, script)
        app = backing.make_app(backing.store)
        super().__init__(app, script, port, tls=backing.tls, access=backing.access)
        self.endpoint = self._server.endpoint
        self._events = Events(backing.store, self.endpoint, backing.now)

    @property
    def connection_string(self) -> str:
        """The connection string with the first access key."""
        return self._access_key.connection_string(self.endpoint)

    @property
    def load_options(self) -> StoreOptions:
        """The keywords by which ``load()`` reaches this endpoint: ``load(**store.load_options)``.

        Other endpoints of the store are not among them:
        ``replicas=[each.endpoint for each in store.replicas]`` names those.

        ``verify`` is the CA file of this process once one of its servers speaks TLS, so that it
        holds for a vault as well; those of a :class:`Vault` go with them.
        """
        verify = True if self._authority is None else self._authority
        return {"connection_string": self.connection_string, "verify": verify}

    def remember(self) -> None:
        """Keep the present state for answers with ``Scripted(stale=True)``."""
        self._memory.remember()

    def freeze(self) -> Fault:
        """Answer every read from the present state until :meth:`up`; writes go through.

        As a ``with`` block it is frozen until the block ends. The last one that is begun counts.
        """
        return self._fault(self._script.behind, self._memory.remember())

    def lag(self) -> Fault:
        """The same, but a read whose ``Sync-Token`` tells of a later write is up to date."""
        return self._fault(self._script.behind, self._memory.remember_until_seen())

    def event(
        self, key: str, label: str | None = None, schema: Schema = "eventgrid"
    ) -> dict[str, Any]:
        """The Event Grid event that tells of the last change of a setting at this endpoint.

        It is an object for JSON, in Event Grid's own schema or in that of CloudEvents. Its sync
        token is that of the present state; an endpoint that lags answers a client that has it from
        there. The instant of a deletion is not kept, so the event gives the present one.

        Raises:
            LookupError: the store knows of no such setting.
        """
        return self._events.setting(key, label, schema)

    def snapshot_event(self, name: str, schema: Schema = "eventgrid") -> dict[str, Any]:
        """The event that tells of the last change of a snapshot; see :meth:`event`.

        Raises:
            LookupError: there is no such snapshot.
        """
        return self._events.snapshot(name, schema)

    def close(self) -> None:
        """Drop every connection, stop answering and forget everything."""
        super().close()
        self._memory.close()
