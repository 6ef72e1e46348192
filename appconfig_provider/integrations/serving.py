"""The flags that an OpenFeature provider serves between `initialize` and `shutdown`.

The provider tells OpenFeature three things by itself: that flags changed, that the configuration
has become stale, that it has recovered. No thread is needed: an evaluation looks at the age, and
the runtime tells of every attempt to refresh.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from openfeature.event import ProviderEvent, ProviderEventDetails

from appconfig_provider._live.configuration import LiveConfiguration, on_attempt
from appconfig_provider._live.notifications import Attempted
from appconfig_provider._live.staleness import Staleness
from appconfig_provider.integrations.resolution import Flags, resolvers
from appconfig_provider.trouble import describe

logger = logging.getLogger("appconfig_provider")

Emit = Callable[[ProviderEvent, ProviderEventDetails], None]


class Serving:
    """Flags with the configuration that they come from, and what is told of it."""

    __slots__ = ("_emit", "_end", "_is_stale", "_live", "_loaded", "flags", "resolvers")

    def __init__(self, flags: Flags, stale_after: float, emit: Emit, *, loaded: bool) -> None:
        self.flags = flags
        self._live: LiveConfiguration[Any, Any, Any, Any] | None = None
        self._is_stale: Callable[[], bool] = _never
        if isinstance(flags.configuration, LiveConfiguration):
            self._live = flags.configuration
            self._is_stale = Staleness(self._live, stale_after, self._turned).is_stale
        self.resolvers = resolvers(flags, self._is_stale)
        self._emit = emit
        self._loaded = loaded
        """Whether the configuration is to be closed at the end."""
        self._end: Callable[[], None] | None = None

    def begin(self) -> None:
        """Listen to the attempts to refresh."""
        if self._live is not None:
            self._end = on_attempt(self._live, self._attempted)

    def end(self) -> None:
        """Stop listening; close the configuration if the provider has loaded it."""
        if self._end is not None:
            self._end()
        close = getattr(self.flags.configuration, "close", None) if self._loaded else None
        if close is not None:
            close()

    def _turned(self, stale: bool) -> None:
        if stale:
            self._tell(ProviderEvent.PROVIDER_STALE, "the store has not confirmed the flags")
        else:
            self._tell(ProviderEvent.PROVIDER_READY, "the store has confirmed the flags")

    def _attempted(self, attempt: Attempted) -> None:
        self._is_stale()
        changes = attempt.changes
        if changes is not None and changes.flags:
            changed = ProviderEvent.PROVIDER_CONFIGURATION_CHANGED
            self._tell(changed, "flags changed", list(changes.flags))

    def _tell(self, event: ProviderEvent, message: str, flags: list[str] | None = None) -> None:
        try:
            self._emit(event, ProviderEventDetails(flags, message))
        except Exception as error:  # an evaluation must not fail because OpenFeature has ended
            logger.warning("OpenFeature could not be told of %s: %s", event.name, describe(error))


def _never() -> bool:
    return False
