"""What a client's arguments come to: its source, and how servers are reached.

The environment is read here, once, when a client is made; plans never do.
"""

from __future__ import annotations

import logging
import os
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from appconfig_provider import checks
from appconfig_provider._live.callbacks import Callback
from appconfig_provider._live.source import LiveOptions
from appconfig_provider._version import __version__
from appconfig_provider.configcat._spellings import CONNECT_TIMEOUT, LEAST_TIMEOUT, READ_TIMEOUT
from appconfig_provider.configcat.configcatoptions import ConfigCatOptions, Hooks
from appconfig_provider.configcat.datagovernance import DataGovernance
from appconfig_provider.configcat.events import logger, write
from appconfig_provider.configcat.fetching.options import SourceOptions, Switch
from appconfig_provider.configcat.fetching.overriding import LocalSettings
from appconfig_provider.configcat.fetching.reports import Report
from appconfig_provider.configcat.fetching.shared import SharedCache
from appconfig_provider.configcat.fetching.source import ConfigCatSource
from appconfig_provider.configcat.fetching.targets import Addresses, given_addresses
from appconfig_provider.configcat.keys import check_format, check_key, files_of
from appconfig_provider.configcat.localdictionarydatasource import LocalDictionaryDataSource
from appconfig_provider.configcat.localfiledatasource import LocalFileDataSource
from appconfig_provider.configcat.overridedatasource import FlagOverrides, OverrideBehaviour
from appconfig_provider.configcat.pollingmode import (
    POLL_INTERVAL,
    TIME_TO_LIVE,
    AutoPollingMode,
    LazyLoadingMode,
    PollingMode,
    seconds,
)
from appconfig_provider.configcat.user import User
from appconfig_provider.protocols import Clock
from appconfig_provider.texts import argument, kind_of
from appconfig_provider.trouble import name_of

if TYPE_CHECKING:
    from appconfig_provider._io.network import Network

BASE_URL = "APPCONFIG_PROVIDER_CONFIGCAT_BASE_URL"
"""The variable that names what takes the place of ConfigCat's servers."""
CA_FILES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name a file of CA certificates for programs that use requests, in their order.
Where there is neither, OpenSSL's own count: SSL_CERT_FILE and SSL_CERT_DIR."""
MANUAL_INTERVAL = 60.0
"""Seconds, of which a client that is refreshed by hand computes its back-off."""

STOP_WAIT = 2.0
"""Seconds for which `stop()` waits for a hook, a cache or the look-up of a host name that a poller
is in the middle of. A request that is on its way ends at once."""


def log(reported: Report) -> None:
    """Log a report, without a call of hooks."""
    write(reported.event_id, reported.level, "%s", reported.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a source gets of the client, and of the process."""

    clock: Clock
    tell: Callable[[Report], object] = log
    switch: Switch | None = None
    success: tuple[Callback, ...] = field(default=(), repr=False)
    error: tuple[Callback, ...] = field(default=(), repr=False)
    random: Callable[[], float] = random.random
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)


def source_of(
    sdk_key: object, options: ConfigCatOptions, surroundings: Surroundings, *, newest: bool
) -> ConfigCatSource:
    """Return the source that a client's arguments describe.

    `newest` is True for `get()`: it asks for `config_v6.json` first, and is strict about the key.

    Raises:
        ConfigCatClientException: the SDK key is missing, or looks like none.
        TypeError, ValueError: another argument is wrong.
    """
    key = check_key(sdk_key)
    local = _local(options.flag_overrides)
    local_only = local is not None and local.behaviour is OverrideBehaviour.LocalOnly
    if newest and not local_only:
        check_format(key, custom=options.base_url is not None)
    mode = options.polling_mode
    _check_types(options)
    given = SourceOptions(
        sdk_key=key,
        files=files_of(key, newest=newest),
        addresses=_addresses(options, surroundings.environment, silent=local_only),
        headers=_headers(mode),
        live=LiveOptions(
            clock=surroundings.clock,
            random=surroundings.random,
            interval=_interval(mode),
            polls=isinstance(mode, AutoPollingMode) and not local_only,
            stop_wait=STOP_WAIT,
            success=surroundings.success,
            error=surroundings.error,
            unwatched="",
            closed="",
            overdue="the old values stay. A hook, a cache or a data source of yours may hang",
            logger=logger,
            change_level=logging.DEBUG,
            threadless="",
        ),
        fetches_by_itself=isinstance(mode, AutoPollingMode | LazyLoadingMode),
        connect_timeout=_connect(options),
        read_timeout=_read(options),
        cache=None if local_only else _cache(options.config_cache, key),
        local=local,
        log_user=options.log_user,
        switch=surroundings.switch or Switch(offline=options.offline),
        tell=surroundings.tell,
    )
    return ConfigCatSource(given)


def _check_types(options: ConfigCatOptions) -> None:
    if not isinstance(options.polling_mode, PollingMode):
        given = kind_of(options.polling_mode)
        raise TypeError(f"polling_mode must be a PollingMode, not {given}")
    if not isinstance(options.hooks, Hooks | None):
        raise TypeError(f"hooks must be Hooks, not {kind_of(options.hooks)}")
    if not isinstance(options.default_user, User | None):
        raise TypeError(f"default_user must be a User, not {kind_of(options.default_user)}")
    if options.data_governance not in tuple(DataGovernance):
        given = argument(options.data_governance)
        raise ValueError(f"data_governance must be a DataGovernance, not {given}")


def network_of(
    options: ConfigCatOptions, environment: Mapping[str, str] = os.environ
) -> Callable[[], Network]:
    """Return what makes a `Network`, which imports HTTP; call it when the first request is sent.

    Raises:
        TypeError, ValueError: proxies or their credentials are none; the message quotes neither.
    """
    proxies = checks.proxies(options.proxies)
    credentials = checks.proxy_credentials(options.proxy_auth)
    named = [environment[name] for name in CA_FILES if environment.get(name)]
    connect, read = _connect(options), _read(options)
    keepalive = max(4 * _interval(options.polling_mode), 60.0)

    def make() -> Network:
        from appconfig_provider._io.network import Network

        verify = named[0] if named else True
        return Network(
            connect, read, keepalive, None, verify, proxies=proxies, proxy_login=credentials
        )

    return make


def _addresses(
    options: ConfigCatOptions, environment: Mapping[str, str], *, silent: bool
) -> Addresses:
    stand_in = environment.get(BASE_URL, "").strip()
    if options.base_url is not None or not stand_in:
        try:
            return given_addresses(options.base_url, options.data_governance, None)
        except (TypeError, ValueError) as error:
            raise type(error)(f"base_url: {error}") from None
    try:
        addresses = given_addresses(None, options.data_governance, stand_in)
    except ValueError as error:
        raise ValueError(f"{BASE_URL}: {error}") from None
    if not silent:
        logger.info("%s: %s is asked instead of ConfigCat's servers", BASE_URL, addresses.first)
    return addresses


def _headers(mode: PollingMode) -> tuple[tuple[str, str], ...]:
    agent = f"ConfigCat-Python/{mode.identifier}-{__version__}"
    return (
        ("user-agent", agent),
        ("x-configcat-useragent", agent),
        ("x-configcat-pythonversion", sys.version.partition(" ")[0]),
        ("accept", "*/*"),
        ("accept-encoding", "gzip"),
    )


def _interval(mode: PollingMode) -> float:
    if isinstance(mode, AutoPollingMode):
        return _seconds("poll_interval_seconds", mode.poll_interval_seconds, POLL_INTERVAL, 1)
    if isinstance(mode, LazyLoadingMode):
        interval = mode.cache_refresh_interval_seconds
        return _seconds("cache_refresh_interval_seconds", interval, TIME_TO_LIVE, 1)
    return MANUAL_INTERVAL


def _connect(options: ConfigCatOptions) -> float:
    given = options.connect_timeout_seconds
    return _seconds("connect_timeout_seconds", given, CONNECT_TIMEOUT, LEAST_TIMEOUT)


def _read(options: ConfigCatOptions) -> float:
    given = options.read_timeout_seconds
    return _seconds("read_timeout_seconds", given, READ_TIMEOUT, LEAST_TIMEOUT)


def _seconds(name: str, given: object, default: float, least: float) -> float:
    """Return a number of seconds, within what clocks can wait for."""
    return float(min(seconds(name, given, default, least), checks.MAX_SECONDS))


def _cache(given: Any, sdk_key: str) -> SharedCache | None:
    """Return the cache of the program: an object, or what a class or function makes of nothing."""
    if given is None:
        return None
    makes_one = isinstance(given, type) or (callable(given) and not _is_cache(given))
    made: Any = given() if makes_one else given
    if not _is_cache(made):
        raise TypeError(f"config_cache needs the methods get and set; {kind_of(made)} has not")
    for method in (made.get, made.set):
        if checks.is_coroutine_function(method):
            raise TypeError(
                f"config_cache: {name_of(method)} is a coroutine function; a cache is called on a "
                "thread of its own, also in aio, so its methods are plain functions"
            )
    return SharedCache(made, sdk_key)


def _is_cache(given: Any) -> bool:
    return callable(getattr(given, "get", None)) and callable(getattr(given, "set", None))


def _local(given: Any) -> LocalSettings | None:
    """Return the local settings of `flag_overrides`, whichever of its forms it has."""
    if given is None:
        return None
    source = given
    if isinstance(given, FlagOverrides) or hasattr(given, "create_data_source"):
        source = given.create_data_source(logger)
    if not hasattr(source, "get_overrides") or not hasattr(source, "get_behaviour"):
        raise TypeError(f"flag_overrides must be a FlagOverrides, not {kind_of(given)}")
    behaviour = OverrideBehaviour(source.get_behaviour())
    if isinstance(source, LocalDictionaryDataSource):
        return LocalSettings(behaviour, source.settings)
    if isinstance(source, LocalFileDataSource):
        return LocalSettings(behaviour, path=source.path)
    return LocalSettings(behaviour, function=source.get_overrides)
