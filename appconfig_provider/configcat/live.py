"""The runtime of a client: kept fresh on threads, or in tasks."""

from __future__ import annotations

from appconfig_provider._live.process import AwaitedDriver, BlockingDriver
from appconfig_provider._live.tasks import AsyncProvider
from appconfig_provider._live.threads import ThreadedProvider
from appconfig_provider.configcat.fetching.source import ConfigCatSource, Online
from appconfig_provider.configcat.fetching.state import State


class ThreadedConfig(ThreadedProvider[State, Online]):
    """A config that calls on threads keep fresh."""

    __slots__ = ("_begun",)

    def __init__(self, source: ConfigCatSource, driver: BlockingDriver) -> None:
        self._begun = False
        super().__init__(source, driver, source.first())

    def begin(self) -> None:
        """Let it poll, now that its client is ready to be told of it."""
        self._begun = True
        self._keep_polling()

    def _keep_polling(self) -> None:
        if self._begun:
            super()._keep_polling()


class AwaitedConfig(AsyncProvider[State, Online]):
    """A config that calls in tasks keep fresh."""

    __slots__ = ("_begun",)

    def __init__(self, source: ConfigCatSource, driver: AwaitedDriver) -> None:
        self._begun = False
        super().__init__(source, driver, source.first())

    def begin(self) -> None:
        """Let it poll, now that its client is ready to be told of it."""
        self._begun = True
        self._keep_polling()

    def _keep_polling(self) -> None:
        if self._begun:
            super()._keep_polling()
