"""The runtime of a client: kept fresh on threads, or in tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appconfig_provider._live.configuration import LiveConfiguration
from appconfig_provider._live.process import AwaitedDriver, BlockingDriver, DriverT, PollerT
from appconfig_provider._live.tasks import AsyncProvider
from appconfig_provider._live.threads import ThreadedProvider
from appconfig_provider.configcat.fetching.source import ConfigCatSource, Online
from appconfig_provider.configcat.fetching.state import State

if TYPE_CHECKING:
    from appconfig_provider._live.polling import TaskPoller, ThreadPoller  # noqa: F401 - in texts


class _Config(LiveConfiguration[State, Online, DriverT, PollerT]):
    """A config that polls only when its client is ready to be told of it."""

    __slots__ = ()

    _begun: bool

    def __init__(self, source: ConfigCatSource, driver: DriverT) -> None:
        self._begun = False
        super().__init__(source, driver, source.first())

    def begin(self) -> None:
        """Let it poll."""
        self._begun = True
        self._keep_polling()

    def _keep_polling(self) -> None:
        if self._begun:
            super()._keep_polling()


class ThreadedConfig(_Config[BlockingDriver, "ThreadPoller"], ThreadedProvider[State, Online]):
    """A config that calls on threads keep fresh."""

    __slots__ = ("_begun",)


class AwaitedConfig(_Config[AwaitedDriver, "TaskPoller"], AsyncProvider[State, Online]):
    """A config that calls in tasks keep fresh."""

    __slots__ = ("_begun",)
