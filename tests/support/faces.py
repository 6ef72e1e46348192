"""The sync and the async provider behind one face, so that one script drives both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

import appconfig_provider
import appconfig_provider.aio
from appconfig_provider import ConfigurationSnapshot, Status
from appconfig_provider._azure.notified import NotifiedConfiguration


class Face(Protocol):
    """What both providers can do, called without `await`."""

    @property
    def snapshot(self) -> ConfigurationSnapshot: ...
    @property
    def status(self) -> Status: ...
    @property
    def provider(self) -> NotifiedConfiguration[Any, Any]: ...
    def refresh(self, *, force: bool = False) -> bool: ...
    def close(self) -> None: ...


class Loader(Protocol):
    """Loads with any keywords of `load()`."""

    def __call__(self, **keywords: object) -> contextlib.AbstractContextManager[Face]: ...


@contextlib.contextmanager
def load_sync(**keywords: object) -> Iterator[Face]:
    """Load with the sync face."""
    with appconfig_provider.load(**keywords) as config:  # type: ignore[arg-type]  # as they come
        yield _Sync(config)


class _Sync:
    def __init__(self, config: appconfig_provider.AzureAppConfigurationProvider) -> None:
        self._config = config

    @property
    def snapshot(self) -> ConfigurationSnapshot:
        return self._config.snapshot

    @property
    def status(self) -> Status:
        return self._config.status

    @property
    def provider(self) -> NotifiedConfiguration[Any, Any]:
        return self._config

    def refresh(self, *, force: bool = False) -> bool:
        return self._config.refresh(force=force)

    def close(self) -> None:
        self._config.close()


@contextlib.contextmanager
def load_aio(**keywords: object) -> Iterator[Face]:
    """Load with the async face, on a loop of its own."""
    loop = asyncio.new_event_loop()
    try:
        config = loop.run_until_complete(
            appconfig_provider.aio.load(**keywords)  # type: ignore[arg-type]  # as they come
        )
        try:
            yield _Aio(config, loop)
        finally:
            loop.run_until_complete(config.close())
    finally:
        # As `asyncio.run` does: a failed exchange may have left a generator to the collector.
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


class _Aio:
    def __init__(
        self,
        config: appconfig_provider.aio.AzureAppConfigurationProvider,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._config = config
        self._loop = loop

    @property
    def snapshot(self) -> ConfigurationSnapshot:
        return self._config.snapshot

    @property
    def status(self) -> Status:
        return self._config.status

    @property
    def provider(self) -> NotifiedConfiguration[Any, Any]:
        return self._config

    def refresh(self, *, force: bool = False) -> bool:
        return self._loop.run_until_complete(self._config.refresh(force=force))

    def close(self) -> None:
        self._loop.run_until_complete(self._config.close())


FACES = {"sync": load_sync, "aio": load_aio}
