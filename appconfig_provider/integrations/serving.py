"""The flags that an OpenFeature provider serves between `initialize` and `shutdown`.

The provider tells OpenFeature by itself that flags changed, that the configuration has become
stale, that it has recovered, or has come at last. No thread is needed: an evaluation looks at the
age, and the runtime tells of every attempt to refresh.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.exception import ProviderNotReadyError

from appconfig_provider._live.configuration import on_attempt
from appconfig_provider._live.notifications import Attempted
from appconfig_provider._live.staleness import Staleness
from appconfig_provider.integrations.resolution import Flags, resolvers
from appconfig_provider.trouble import describe

logger = logging.getLogger("appconfig_provider")

Emit = Callable[[ProviderEvent, ProviderEventDetails], None]


class Serving:
    """Flags with the configuration that they come from, and what is told of it."""

    __slots__ = ("_emit", "_end", "_is_stale", "_live", "_loaded", "_missing", "flags", "resolvers")

    def __init__(self, flags: Flags, stale_after: float, emit: Emit, *, loaded: bool) -> None:
        self.flags = flags
        self._live = flags.live
        self._is_stale: Callable[[], bool] = _never
        if self._live is not None:
            self._is_stale = Staleness(self._live, stale_after, self._turned).is_stale
        self.resolvers = resolvers(flags, self._is_stale)
        self._emit = emit
        self._loaded = loaded
        """Whether the configuration is to be closed at the end."""
        self._end: Callable[[], None] | None = None
        self._missing = False
        """True when OpenFeature was told that there are no flags yet."""

    def begin(self) -> None:
        """Wait for the flags, if they are about to be loaded; listen to the attempts to refresh."""
        self.flags.wait()
        if self._live is not None:
            self._end = on_attempt(self._live, self._attempted)

    def check(self) -> None:
        """Refuse to serve what is not there; READY is told when it is.

        Raises:
            ProviderNotReadyError: no flags are loaded yet.
        """
        self._missing = not self.flags.is_loaded
        if self._missing:
            raise ProviderNotReadyError("no flags are loaded yet; the client goes on trying")

    def silence(self) -> None:
        """Stop listening."""
        if self._end is not None:
            self._end()

    def end(self) -> None:
        """Stop listening; close the configuration if the provider has loaded it."""
        self.silence()
        close = getattr(self.flags.configuration, "close", None) if self._loaded else None
        if close is not None:
            close()

    def _turned(self, stale: bool) -> None:
        if stale:
            self._tell(ProviderEvent.PROVIDER_STALE, "the store has not confirmed the flags")
        else:
            self._tell(ProviderEvent.PROVIDER_READY, "the store has confirmed the flags")

    def _attempted(self, attempt: Attempted) -> None:
        if not self.flags.is_loaded:
            return  # OpenFeature shows an error, and nothing is stale
        changes = attempt.changes
        names = [] if changes is None else self.flags.changed(changes)
        if self._missing:
            self._missing = False
            self._tell(ProviderEvent.PROVIDER_READY, "flags are loaded")
            names = []
        self._is_stale()
        if names:
            self._tell(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, "flags changed", names)

    def _tell(self, event: ProviderEvent, message: str, flags: list[str] | None = None) -> None:
        try:
            self._emit(event, ProviderEventDetails(flags, message))
        except Exception as error:  # an evaluation must not fail because OpenFeature has ended
            logger.warning("OpenFeature could not be told of %s: %s", event.name, describe(error))


def _never() -> bool:
    return False
