"""When a ConfigCat client downloads its config."""

from __future__ import annotations

from dataclasses import dataclass

from appconfig_provider.texts import argument

POLL_INTERVAL = 60.0
MAX_INIT_WAIT = 5.0
"""Seconds, like all defaults here."""
TIME_TO_LIVE = 60.0


def seconds(name: str, given: object, default: float, least: float) -> float:
    """Return an argument that is a number of seconds, at least `least`; None means the default.

    Raises:
        TypeError: it is no number.
    """
    if given is None:
        return default
    nan = given != given  # noqa: PLR0124 - `isnan` fails for large numbers
    if isinstance(given, bool) or not isinstance(given, int | float) or nan:
        raise TypeError(f"{name} must be a number of seconds, not {argument(given)}")
    return max(given, least)


class PollingMode:
    """When a client downloads its config; made by the functions below.

    Times are in seconds; None means the default.
    """

    __slots__ = ()

    identifier = ""
    """The letter that the server is told."""

    @staticmethod
    def auto_poll(
        poll_interval_seconds: float | None = POLL_INTERVAL,
        max_init_wait_time_seconds: float | None = MAX_INIT_WAIT,
    ) -> AutoPollingMode:
        """Download in the background, at each interval (at least 1).

        Reads wait for the end of the first download, until `max_init_wait_time_seconds` after the
        client was made.
        """
        return AutoPollingMode(
            seconds("poll_interval_seconds", poll_interval_seconds, POLL_INTERVAL, 1),
            seconds("max_init_wait_time_seconds", max_init_wait_time_seconds, MAX_INIT_WAIT, 0),
        )

    @staticmethod
    def lazy_load(cache_refresh_interval_seconds: float | None = TIME_TO_LIVE) -> LazyLoadingMode:
        """Download when a value is read and the config is older than the interval (at least 1)."""
        name = "cache_refresh_interval_seconds"
        return LazyLoadingMode(seconds(name, cache_refresh_interval_seconds, TIME_TO_LIVE, 1))

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
