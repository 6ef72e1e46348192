"""When a ConfigCat client downloads its config."""

from __future__ import annotations

from dataclasses import dataclass


class PollingMode:
    """When a client downloads its config; made by the functions below. Times are in seconds."""

    __slots__ = ()

    identifier = ""
    """The letter that the server is told."""

    @staticmethod
    def auto_poll(
        poll_interval_seconds: float = 60, max_init_wait_time_seconds: float = 5
    ) -> AutoPollingMode:
        """Download in the background, at each interval (at least 1).

        Reads wait for the end of the first download, until `max_init_wait_time_seconds` after the
        client was made.
        """
        return AutoPollingMode(max(poll_interval_seconds, 1), max(max_init_wait_time_seconds, 0))

    @staticmethod
    def lazy_load(cache_refresh_interval_seconds: float = 60) -> LazyLoadingMode:
        """Download when a value is read and the config is older than the interval (at least 1)."""
        return LazyLoadingMode(max(cache_refresh_interval_seconds, 1))

    @staticmethod
    def manual_poll() -> ManualPollingMode:
        """Download when `force_refresh()` is called."""
        return ManualPollingMode()


@dataclass(frozen=True, slots=True)
class AutoPollingMode(PollingMode):
    """Downloads in the background."""

    poll_interval_seconds: float = 60
    max_init_wait_time_seconds: float = 5

    identifier = "a"


@dataclass(frozen=True, slots=True)
class LazyLoadingMode(PollingMode):
    """Downloads when a value is read."""

    cache_refresh_interval_seconds: float = 60

    identifier = "l"


@dataclass(frozen=True, slots=True)
class ManualPollingMode(PollingMode):
    """Downloads on demand."""

    identifier = "m"
