"""Arguments of a ConfigCat client that have two names: one of SDK 6, one of SDK 7 and later.

Both are in the signatures, the older one with the default. A default is an object of its own here,
so that who passes an equal number is seen to have given it.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; importing typing costs more than all this

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from appconfig_provider.configcat.configcatoptions import ConfigCatOptions, Hooks
    from appconfig_provider.configcat.pollingmode import PollingMode

CONNECT_TIMEOUT = float("10")
READ_TIMEOUT = float("30")
TIME_TO_LIVE = float("60")
LEAST_TIMEOUT = 0.001
"""Seconds."""

_TWO_NAMES: dict[str, tuple[str, Any]] = {
    "connect_timeout": ("connect_timeout_seconds", CONNECT_TIMEOUT),
    "read_timeout": ("read_timeout_seconds", READ_TIMEOUT),
    "cache_time_to_live_seconds": ("cache_refresh_interval_seconds", TIME_TO_LIVE),
    "config_cache_class": ("config_cache", None),
}
"""The newer name of each, and its default."""
_SAME_NAME = ("base_url", "proxies", "proxy_auth", "flag_overrides", "data_governance", "log_user")


_OF_CONSTRUCTOR: dict[str, object] = {
    "max_init_wait_time_seconds": 5,
    "on_configuration_changed_callback": None,
    "base_url": None,
    "proxies": None,
    "proxy_auth": None,
    "flag_overrides": None,
    "data_governance": 0,
    "log_user": True,
    **{old: default for old, (_, default) in _TWO_NAMES.items()},
    **{new: None for new, _ in _TWO_NAMES.values()},
}
"""What `ConfigCatClient()` takes instead of options, with the defaults."""


def given_options(given: Mapping[str, Any]) -> ConfigCatOptions | None:
    """Return the options that `ConfigCatClient()` was given, as `options` or as second argument.

    Raises:
        TypeError: they are none, or another argument was given, too.
    """
    from appconfig_provider.configcat.configcatoptions import ConfigCatOptions
    from appconfig_provider.texts import kind_of

    options, second = given["options"], given["poll_interval_seconds"]
    if isinstance(second, ConfigCatOptions) and options is None:
        options, second = second, 60
    if options is None:
        return None
    if not isinstance(options, ConfigCatOptions):
        raise TypeError(f"options must be ConfigCatOptions, not {kind_of(options)}")
    also = [name for name, default in _OF_CONSTRUCTOR.items() if given[name] != default]
    if second != 60:
        also.insert(0, "poll_interval_seconds")
    if also:
        raise TypeError(f"give either ConfigCatOptions or single arguments, not both: {also[0]}")
    return options


def one_of(given: Mapping[str, Any], name: str) -> Any:
    """Return what was given by one of the two names of an argument; its default if by none.

    Raises:
        TypeError: it was given by both.
    """
    other, default = _TWO_NAMES[name]
    old, new = given[name], given.get(other)
    if new is None:
        return default if old is None else old
    if old is not None and old is not default:
        raise TypeError(f"{name} and {other} are two names of one argument; give one of them")
    return new


def seconds_of(given: Mapping[str, Any], name: str, least: float = LEAST_TIMEOUT) -> float:
    """Return the same of an argument that is a number of seconds.

    Raises:
        TypeError: it was given by both, or is no number. The message names what was given.
    """
    from appconfig_provider.configcat.pollingmode import seconds

    other, default = _TWO_NAMES[name]
    used = name if given.get(other) is None else other
    return seconds(used, one_of(given, name), default, least)


def mode_of(given: Mapping[str, Any]) -> PollingMode:
    """Return the polling mode that the numbers of `ConfigCatClient()` stand for.

    Raises:
        TypeError: an argument was given by both its names.
    """
    from math import inf

    from appconfig_provider.configcat.pollingmode import POLL_INTERVAL, PollingMode, seconds

    name = "poll_interval_seconds"
    interval = seconds(name, given[name], POLL_INTERVAL, -inf)
    ttl = seconds_of(given, "cache_time_to_live_seconds", -inf)
    if interval > 0:
        return PollingMode.auto_poll(interval, given["max_init_wait_time_seconds"])
    return PollingMode.lazy_load(ttl) if ttl > 0 else PollingMode.manual_poll()


def options_of(
    given: Mapping[str, Any], polling_mode: PollingMode, hooks: Hooks | None = None
) -> ConfigCatOptions:
    """Return the arguments of `create_client_with_...()` as options.

    Raises:
        TypeError: an argument was given by both its names.
    """
    from appconfig_provider.configcat.configcatoptions import ConfigCatOptions

    return ConfigCatOptions(
        polling_mode=polling_mode,
        hooks=hooks,
        config_cache=one_of(given, "config_cache_class"),
        connect_timeout_seconds=seconds_of(given, "connect_timeout"),
        read_timeout_seconds=seconds_of(given, "read_timeout"),
        **{name: given[name] for name in _SAME_NAME},
    )
