"""ConfigCat's client on the simulator's driver."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from appconfig_provider._live.inspection import Inspection, forked, inspect
from appconfig_provider._live.source import Outcome
from appconfig_provider._plan import Plan
from appconfig_provider.configcat.aio import ConfigCatClient
from appconfig_provider.configcat.configcatoptions import ConfigCatOptions
from appconfig_provider.configcat.fetching.options import Switch
from appconfig_provider.configcat.fetching.source import ConfigCatSource
from appconfig_provider.configcat.fetching.state import State
from appconfig_provider.configcat.live import AwaitedConfig
from appconfig_provider.protocols import Clock

if TYPE_CHECKING:
    from tests.simulation.configcat.life import Life


@dataclass(frozen=True, slots=True)
class WatchedSource(ConfigCatSource):
    """A source whose client's life is told of each refresh."""

    life: Life

    def next(self, state: State, *, force: bool, in_background: bool) -> Plan[Outcome[State]]:
        """Return the plan of a refresh."""
        self.life.asks(state, force=force)
        return ConfigCatSource.next(self, state, force=force, in_background=in_background)


class Client(ConfigCatClient):
    """A client that lives in a world."""

    __slots__ = ("_life", "_parent")

    def __init__(
        self, life: Life, key: str, options: ConfigCatOptions, parent: Client | None = None
    ) -> None:
        self._life = life
        self._parent = parent
        if parent is None:
            super().__init__(key, options)
            return
        with outside_of_loops():
            self._manage(key, options, newest=False)
            self._unready, self._late, self._wait_until = parent.readiness
            self._begin()

    def _made_live(
        self, source: ConfigCatSource, options: ConfigCatOptions, clock: Clock
    ) -> AwaitedConfig:
        del options, clock
        given, life = source.given, self._life
        live = replace(given.live, random=life.jitter)
        if self._parent is None:
            watched = WatchedSource(replace(given, live=live), life)
            return AwaitedConfig(watched, life.driver)
        return forked(self._parent.live, WatchedSource(replace(given, live=live), life))

    @property
    def live(self) -> AwaitedConfig:
        """The runtime."""
        return self._live

    @property
    def readiness(self) -> tuple[list[bool], float, float]:
        """What a forked child has a copy of: whether it is ready, and until when reads wait."""
        return self._unready.copy(), self._late, self._wait_until

    @property
    def held(self) -> Inspection[State, Any, Any, Any]:
        """What the runtime holds."""
        return inspect(self._live)

    @property
    def limit(self) -> float:
        """Seconds that one refresh may take, and that calls wait for one."""
        return self._limit

    @property
    def switch(self) -> Switch:
        """Whether it is offline."""
        return self._source.given.switch


@contextmanager
def outside_of_loops() -> Iterator[None]:
    """Do something as in a forked child, where no loop runs yet."""
    loop = asyncio.get_running_loop()
    asyncio._set_running_loop(None)  # noqa: SLF001 - asyncio's own name for it
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)  # noqa: SLF001
