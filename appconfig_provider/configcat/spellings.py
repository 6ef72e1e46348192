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

_TWO_NAMES = {
    "connect_timeout": ("connect_timeout_seconds", CONNECT_TIMEOUT),
    "read_timeout": ("read_timeout_seconds", READ_TIMEOUT),
    "cache_time_to_live_seconds": ("cache_refresh_interval_seconds", TIME_TO_LIVE),
    "config_cache_class": ("config_cache", None),
}
"""The newer name of each, and its default."""
_SAME_NAME = ("base_url", "proxies", "proxy_auth", "flag_overrides", "data_governance", "log_user")


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


def mode_of(given: Mapping[str, Any]) -> PollingMode:
    """Return the polling mode that the numbers of `ConfigCatClient()` stand for.

    Raises:
        TypeError: an argument was given by both its names.
    """
    from appconfig_provider.configcat.pollingmode import PollingMode

    interval, wait = given["poll_interval_seconds"], given["max_init_wait_time_seconds"]
    ttl = one_of(given, "cache_time_to_live_seconds")
    if interval > 0:
        return PollingMode.auto_poll(interval, wait)
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
        connect_timeout_seconds=one_of(given, "connect_timeout"),
        read_timeout_seconds=one_of(given, "read_timeout"),
        **{name: given[name] for name in _SAME_NAME},
    )
