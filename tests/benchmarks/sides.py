"""The two providers behind one adapter: load alike, refresh alike, hold the same.

A refresh is made due in the least intrusive way either side has: the official provider's timer is
set to zero, which its own check of the timer then reads; ours gets `force=True`, which skips one
comparison of two numbers and is otherwise the way of a refresh that is due. Nothing else of either
is touched, and neither is asked before its timer, so no clock is replaced and nobody waits.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from tests.support.official import make_settings_due

from .scenes import Mode
from .serving import AREAS, SENTINELS

EVERY = "app/*"
"""Selects all settings of the store but the sentinels."""

INTERVAL = 3600
"""Seconds; long enough that nothing is due while a benchmark runs."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What is loaded and what is watched, the same on both sides."""

    filters: tuple[str, ...] = (EVERY,)
    watched: tuple[str, ...] = SENTINELS[:1]
    """None of them: every page of what is loaded is watched."""


SENTINEL = Setup()
ALL_PAGES = Setup(watched=())
FIVE_KEYS = Setup(SENTINELS[1:2], SENTINELS[1:])
SEVEN_SELECTORS = Setup(tuple(f"app/service-{area}/*" for area in range(AREAS)))


class Config(Protocol):
    """What the benchmarks use of either provider."""

    def __getitem__(self, key: str, /) -> Any:
        """Return a value."""

    def __len__(self) -> int:
        """Count the keys."""

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return keys and values."""


Load = Callable[[str, Setup], Any]


def load_official(connection: str, setup: Setup) -> Any:
    """Load with azure-appconfiguration-provider."""
    from azure.appconfiguration.provider import SettingSelector, WatchKey, load

    return load(
        connection_string=connection,
        selects=[SettingSelector(key_filter=text) for text in setup.filters],
        refresh_on=[WatchKey(key) for key in setup.watched] or None,
        refresh_enabled=True,
        refresh_interval=INTERVAL,
    )


def load_ours(connection: str, setup: Setup) -> Any:
    """Load with this library."""
    return _load_ours(connection, setup, refresh_interval=INTERVAL)


def load_lazily(connection: str, setup: Setup) -> Any:
    """Load with this library, so that reads check."""
    from appconfig_provider import Polling

    return _load_ours(connection, setup, polling=Polling.lazy(INTERVAL))


def _load_ours(connection: str, setup: Setup, **when: Any) -> Any:
    from appconfig_provider import SettingSelector, WatchKey, load

    return load(
        connection_string=connection,
        selects=[SettingSelector(key_filter=text) for text in setup.filters],
        refresh_on=[WatchKey(key) for key in setup.watched],
        refresh_enabled=True,
        **when,
    )


async def load_official_aio(connection: str, setup: Setup) -> Any:
    """Load with azure-appconfiguration-provider, awaited."""
    from azure.appconfiguration.provider import SettingSelector, WatchKey
    from azure.appconfiguration.provider.aio import load

    return await load(
        connection_string=connection,
        selects=[SettingSelector(key_filter=text) for text in setup.filters],
        refresh_on=[WatchKey(key) for key in setup.watched] or None,
        refresh_enabled=True,
        refresh_interval=INTERVAL,
    )


async def load_ours_aio(connection: str, setup: Setup) -> Any:
    """Load with this library, awaited."""
    from appconfig_provider import SettingSelector, WatchKey
    from appconfig_provider.aio import load

    return await load(
        connection_string=connection,
        selects=[SettingSelector(key_filter=text) for text in setup.filters],
        refresh_on=[WatchKey(key) for key in setup.watched],
        refresh_enabled=True,
        refresh_interval=INTERVAL,
    )


def refresh_official(config: Any) -> Any:
    """Refresh as if the interval had passed; to be awaited in aio."""
    make_settings_due(config)
    return config.refresh()


def refresh_ours(config: Any) -> Any:
    """Refresh as if the interval had passed; to be awaited in aio."""
    return config.refresh(force=True)


# In the order of the table's columns.
LOADERS: dict[Mode, Sequence[Load]] = {
    Mode.SYNC: (load_official, load_ours),
    Mode.AIO: (load_official_aio, load_ours_aio),
}
REFRESHERS: Sequence[Callable[[Any], Any]] = (refresh_official, refresh_ours)


class Driver:
    """Makes calls of either kind look alike: an awaitable is run to its end, here and now.

    One event loop serves both sides with asyncio, as one interpreter serves both without.
    """

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self._loop = asyncio.new_event_loop() if mode is Mode.AIO else None

    def load(self, side: int, connection: str, setup: Setup) -> Config:
        """Load everything of a setup on one side."""
        config: Config = self._done(LOADERS[self.mode][side](connection, setup))
        return config

    def refresh(self, side: int, config: Config) -> None:
        """Refresh on one side as if the interval had passed."""
        self._done(REFRESHERS[side](config))

    def close(self, config: Any) -> None:
        """Close a provider's connections."""
        self._done(config.close())

    def end(self) -> None:
        """End the event loop, if there is one."""
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _done(self, result: Any) -> Any:
        if self._loop is None or not asyncio.iscoroutine(result):
            return result
        return self._loop.run_until_complete(result)


@contextmanager
def driving(mode: Mode) -> Iterator[Driver]:
    """Return the driver for sync or aio; end it with the block."""
    driver = Driver(mode)
    try:
        yield driver
    finally:
        driver.end()


@contextmanager
def both(
    connection: str, setup: Setup, driver: Driver | None = None
) -> Iterator[tuple[Config, Config]]:
    """Load on both sides and close both in the end; without a driver it is sync.

    Raises:
        RuntimeError: they do not hold the same.
    """
    driver = driver or Driver(Mode.SYNC)
    with ExitStack() as closing:
        configs = []
        for side in (0, 1):
            configs.append(driver.load(side, connection, setup))
            closing.callback(driver.close, configs[-1])
        official, ours = configs
        require_equal(fingerprint(official), fingerprint(ours))
        yield official, ours


def fingerprint(config: Config) -> str:
    """Return a short text that is equal for equal keys and values."""
    content = json.dumps(sorted(config.items()))
    return f"{len(config)} settings, {hashlib.sha256(content.encode()).hexdigest()[:16]}"


def require_equal(official: str, ours: str) -> None:
    """Stop the benchmark when the two sides did not do the same.

    Raises:
        RuntimeError: they did not.
    """
    if official != ours:
        raise RuntimeError(f"the providers differ: {official} against {ours}; nothing to compare")
