"""ConfigCat's source on the real runtime, with threads and with asyncio, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from appconfig_provider._io.aio import AsyncDriver
from appconfig_provider._io.clock import SystemClock
from appconfig_provider._io.sync import SyncDriver
from appconfig_provider._live.tasks import AsyncProvider
from appconfig_provider._live.threads import ThreadedProvider
from appconfig_provider.configcat.configcatoptions import ConfigCatOptions
from appconfig_provider.configcat.connecting import Surroundings, network_of, source_of
from appconfig_provider.configcat.fetching.reports import Report
from appconfig_provider.configcat.fetching.source import ConfigCatSource
from appconfig_provider.configcat.fetching.state import State
from appconfig_provider.configcat.pollingmode import PollingMode
from appconfig_provider.testing import ConfigCatEmulator
from tests.support.adapter import Called

KINDS = ("sync", "aio")


@dataclass
class Live:
    """A running configuration, and what its source told."""

    config: Called[Any]
    told: list[Report] = field(default_factory=list)

    def refresh(self) -> list[int]:
        """Ask the server; return the event ids of what was told because of it."""
        before = len(self.told)
        self.config.refresh(force=True)
        return [one.event_id for one in self.told[before:]]

    @property
    def values(self) -> dict[str, Any]:
        """The value of each setting, for everybody."""
        return {
            key: next(iter(setting["v"].values()))
            if isinstance(setting["v"], dict)
            else setting["v"]
            for key, setting in self.config.snapshot.items()
        }


@contextmanager
def living(
    kind: str, *, environment: Mapping[str, str] | None = None, key: str = "", **given: Any
) -> Iterator[Live]:
    """Run a source that is refreshed by hand; `kind` is one of `KINDS`."""
    told: list[Report] = []
    options = ConfigCatOptions(**{"polling_mode": PollingMode.manual_poll(), **given})
    clock, variables = SystemClock(), environment or {}
    around = Surroundings(clock=clock, tell=told.append, environment=variables)
    source = source_of(key or ConfigCatEmulator.sdk_key, options, around, newest=True)
    network = network_of(options, variables)
    if kind == "sync":
        driver = SyncDriver(network, clock, None)
        with ThreadedProvider[State, Any](source, driver, source.first()) as config:
            yield Live(Called(config), told)
        return
    loop = asyncio.new_event_loop()
    try:
        provider = loop.run_until_complete(_opened(source, AsyncDriver(network(), clock, None)))
        yield Live(Called(provider, loop.run_until_complete), told)
        loop.run_until_complete(provider.close())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _opened(source: ConfigCatSource, driver: AsyncDriver) -> AsyncProvider[State, Any]:
    return AsyncProvider(source, driver, source.first())
