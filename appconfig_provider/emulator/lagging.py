"""The older states that an endpoint of a store answers from while it is behind."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TypeAlias

from starlette.applications import Starlette

from appconfig_provider.emulator.scripting import Behind, RequestRecord, Script
from appconfig_provider.emulator.store import Store
from appconfig_provider.emulator.sync_tokens import seen_mutations

MakeApp: TypeAlias = Callable[[Store], Starlette]


class Memory:
    """Copies of a store, for the script of one of its endpoints.

    ``make_app`` gives the application over a store, and over a copy of it. A copy is there for as
    long as somebody has its application, such as an answer that is still being made.
    """

    def __init__(self, store: Store, make_app: MakeApp, script: Script) -> None:
        self._store = store
        self._make_app = make_app
        self._script = script

    def remember(self) -> Behind:
        """Keep the present state; every read can be answered from it."""
        older = self._keep(self._store.copy())
        return lambda _: older

    def remember_until_seen(self) -> Behind:
        """Keep the present state, for reads of clients that have not seen a newer one."""
        copy = self._store.copy()
        known = copy.mutations
        older = self._keep(copy)

        def behind(record: RequestRecord) -> Starlette | None:
            seen = seen_mutations(record.headers.get("sync-token", ""))
            return None if seen > known else older

        return behind

    def close(self) -> None:
        """Forget the older state for answers that are asked to be stale."""
        self._script.remembered = None

    def _keep(self, copy: Store) -> Starlette:
        self._script.remembered = older = self._make_app(copy)
        weakref.finalize(older, copy.close)
        return older
