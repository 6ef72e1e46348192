"""Both faces of the provider under one set of names, so that a scenario is written once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, ItemsView, Iterator, KeysView
from typing import Any, Protocol, TypeVar

import appconfig_provider
import appconfig_provider.aio
from appconfig_provider import ConfigurationSnapshot, Status

T = TypeVar("T")


class Provider(Protocol):
    """What both provider classes offer, as far as a scenario needs it."""

    @property
    def snapshot(self) -> ConfigurationSnapshot: ...
    @property
    def status(self) -> Status: ...
    def keys(self) -> KeysView[str]: ...
    def items(self) -> ItemsView[str, Any]: ...
    def __getitem__(self, key: str) -> Any: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __contains__(self, key: object) -> bool: ...
    def refresh(self, force: bool = False) -> Any: ...
    def close(self) -> Any: ...


class Face:
    """`load`, `refresh` and `close` of one flavour, called as if none were awaited."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._loop = asyncio.new_event_loop() if name == "async" else None
        self._loaded: list[Provider] = []

    def load(self, **keywords: Any) -> Provider:
        """Load with the flavour's own `load`; closed at the end of the test."""
        loaded: Provider
        if self._loop is None:
            loaded = appconfig_provider.load(**keywords)
        else:
            loaded = self.wait(appconfig_provider.aio.load(**keywords))
        self._loaded.append(loaded)
        return loaded

    def refresh(self, config: Provider, *, force: bool = False) -> bool:
        """Refresh once."""
        return bool(self._done(config.refresh(force=force)))

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        assert self._loop is not None
        return self._loop.run_until_complete(work)

    def end(self) -> None:
        """Close what was loaded, and the loop."""
        for config in self._loaded:
            self._done(config.close())
        if self._loop is not None:
            self._loop.close()

    def _done(self, answer: Any) -> Any:
        return answer if self._loop is None else self.wait(answer)
