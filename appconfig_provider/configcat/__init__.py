"""ConfigCat's feature flags and settings: its config as a second source, with its SDK's names.

A program that uses `configcatclient` changes its import:

    from appconfig_provider import configcat as configcatclient

    client = configcatclient.create_client("#YOUR-SDK-KEY#")
    if client.get_value("isMyAwesomeFeatureEnabled", False):
        ...
    client.stop()

The names of SDK 6 (`create_client`, ...) and those of SDK 9 and 10 (`get`, `ConfigCatOptions`, ...)
stand side by side; where an argument changed its name, both are known. `configcat.aio` is the same,
awaited. Importing this module imports neither HTTP nor threads: that happens with the first client.
"""

from __future__ import annotations

from appconfig_provider.configcat import _spellings
from appconfig_provider.configcat.datagovernance import DataGovernance

TYPE_CHECKING = False  # type checkers know the name; importing typing costs more than all this

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from appconfig_provider.configcat.client import ConfigCatClient, KeyValue
    from appconfig_provider.configcat.configcatoptions import ConfigCatOptions, Hooks
    from appconfig_provider.configcat.evaluationdetails import EvaluationDetails
    from appconfig_provider.configcat.interfaces import ConfigCache, ConfigCatClientException
    from appconfig_provider.configcat.localdictionarydatasource import (
        LocalDictionaryDataSource,
        LocalDictionaryFlagOverrides,
    )
    from appconfig_provider.configcat.localfiledatasource import (
        LocalFileDataSource,
        LocalFileFlagOverrides,
    )
    from appconfig_provider.configcat.overridedatasource import (
        FlagOverrides,
        OverrideBehaviour,
        OverrideDataSource,
    )
    from appconfig_provider.configcat.pollingmode import PollingMode
    from appconfig_provider.configcat.proxyauth import HTTPProxyAuth
    from appconfig_provider.configcat.refreshresult import RefreshResult
    from appconfig_provider.configcat.user import User

__all__ = [
    "ConfigCache",
    "ConfigCatClient",
    "ConfigCatClientException",
    "ConfigCatOptions",
    "DataGovernance",
    "EvaluationDetails",
    "FlagOverrides",
    "HTTPProxyAuth",
    "Hooks",
    "KeyValue",
    "LocalDictionaryDataSource",
    "LocalDictionaryFlagOverrides",
    "LocalFileDataSource",
    "LocalFileFlagOverrides",
    "OverrideBehaviour",
    "OverrideDataSource",
    "PollingMode",
    "RefreshResult",
    "User",
    "close_all",
    "create_client",
    "create_client_with_auto_poll",
    "create_client_with_lazy_load",
    "create_client_with_manual_poll",
    "get",
]

_HOME = {
    "ConfigCache": "interfaces",
    "ConfigCatClient": "client",
    "ConfigCatClientException": "interfaces",
    "ConfigCatOptions": "configcatoptions",
    "EvaluationDetails": "evaluationdetails",
    "FlagOverrides": "overridedatasource",
    "HTTPProxyAuth": "proxyauth",
    "Hooks": "configcatoptions",
    "KeyValue": "client",
    "LocalDictionaryDataSource": "localdictionarydatasource",
    "LocalDictionaryFlagOverrides": "localdictionarydatasource",
    "LocalFileDataSource": "localfiledatasource",
    "LocalFileFlagOverrides": "localfiledatasource",
    "OverrideBehaviour": "overridedatasource",
    "OverrideDataSource": "overridedatasource",
    "PollingMode": "pollingmode",
    "RefreshResult": "refreshresult",
    "User": "user",
}
_MODULES = {
    "aio",
    "config",
    "configcache",
    "configcatclient",
    "constants",
    "version",
    *_HOME.values(),
}
"""What `import configcatclient` gives a program as attributes, too."""


def create_client(
    sdk_key: str, data_governance: DataGovernance = DataGovernance.Global
) -> ConfigCatClient:
    """Make a client that downloads its config every 60 seconds, the default options of a client.

    Args:
        sdk_key: what ConfigCat's dashboard shows for an environment of a config.
        data_governance: where the config is stored; must fit what the dashboard says.

    Raises:
        ConfigCatClientException: there is no SDK key.
    """
    return create_client_with_auto_poll(sdk_key, data_governance=data_governance)


def create_client_with_auto_poll(
    sdk_key: str,
    poll_interval_seconds: float | None = 60,
    max_init_wait_time_seconds: float | None = 5,
    on_configuration_changed_callback: Callable[..., object] | None = None,
    config_cache_class: Any = None,
    base_url: str | None = None,
    proxies: Mapping[str, str] | None = None,
    proxy_auth: Any = None,
    connect_timeout: float | None = _spellings.CONNECT_TIMEOUT,
    read_timeout: float | None = _spellings.READ_TIMEOUT,
    flag_overrides: Any = None,
    data_governance: DataGovernance = DataGovernance.Global,
    *,
    config_cache: Any = None,
    connect_timeout_seconds: float | None = None,
    read_timeout_seconds: float | None = None,
    log_user: bool = True,
) -> ConfigCatClient:
    """Make a client that downloads its config in the background.

    Args:
        sdk_key: what ConfigCat's dashboard shows for an environment of a config.
        poll_interval_seconds: from one download to the next; at least 1.
        max_init_wait_time_seconds: how long after its creation reads wait for the first download.
        on_configuration_changed_callback: called after the first download and after each change,
            with the settings by key if it takes one argument.
        config_cache_class: a `ConfigCache` class, or an instance. Other name: `config_cache`.
        base_url: the address of a server to ask instead of ConfigCat's.
        proxies: proxies by scheme; None takes those of the environment.
        proxy_auth: for the proxy, any object with `username` and `password`.
        connect_timeout: seconds to connect. Other name: `connect_timeout_seconds`.
        read_timeout: seconds to wait for an answer. Other name: `read_timeout_seconds`.
        flag_overrides: local settings: `LocalFileDataSource`, `LocalDictionaryDataSource`.
        data_governance: where the config is stored; must fit what the dashboard says.
        config_cache: another name of `config_cache_class`.
        connect_timeout_seconds: another name of `connect_timeout`.
        read_timeout_seconds: another name of `read_timeout`.
        log_user: False leaves the user's attributes out of all log lines.

    Raises:
        ConfigCatClientException: there is no SDK key.
        TypeError: an argument was given by both its names.
    """
    given = locals()
    from appconfig_provider.configcat.configcatoptions import hooks_of
    from appconfig_provider.configcat.creating import create
    from appconfig_provider.configcat.pollingmode import PollingMode

    mode = PollingMode.auto_poll(poll_interval_seconds, max_init_wait_time_seconds)
    hooks = hooks_of(on_configuration_changed_callback)
    return create(sdk_key, _spellings.options_of(given, mode, hooks))


def create_client_with_lazy_load(
    sdk_key: str,
    cache_time_to_live_seconds: float | None = _spellings.TIME_TO_LIVE,
    config_cache_class: Any = None,
    base_url: str | None = None,
    proxies: Mapping[str, str] | None = None,
    proxy_auth: Any = None,
    connect_timeout: float | None = _spellings.CONNECT_TIMEOUT,
    read_timeout: float | None = _spellings.READ_TIMEOUT,
    flag_overrides: Any = None,
    data_governance: DataGovernance = DataGovernance.Global,
    *,
    cache_refresh_interval_seconds: float | None = None,
    config_cache: Any = None,
    connect_timeout_seconds: float | None = None,
    read_timeout_seconds: float | None = None,
    log_user: bool = True,
) -> ConfigCatClient:
    """Make a client that downloads its config when a value is read and the config is too old.

    Args:
        sdk_key: what ConfigCat's dashboard shows for an environment of a config.
        cache_time_to_live_seconds: how long a config is used without asking; at least 1. Other
            name: `cache_refresh_interval_seconds`.
        config_cache_class: as of `create_client_with_auto_poll`, like all that follow.
        base_url: the address of a server to ask instead of ConfigCat's.
        proxies: proxies by scheme.
        proxy_auth: for the proxy.
        connect_timeout: seconds to connect.
        read_timeout: seconds to wait for an answer.
        flag_overrides: local settings.
        data_governance: where the config is stored.
        cache_refresh_interval_seconds: another name of `cache_time_to_live_seconds`.
        config_cache: another name of `config_cache_class`.
        connect_timeout_seconds: another name of `connect_timeout`.
        read_timeout_seconds: another name of `read_timeout`.
        log_user: False leaves the user's attributes out of all log lines.

    Raises:
        ConfigCatClientException: there is no SDK key.
        TypeError: an argument was given by both its names.
    """
    given = locals()
    from appconfig_provider.configcat.creating import create
    from appconfig_provider.configcat.pollingmode import PollingMode

    mode = PollingMode.lazy_load(_spellings.seconds_of(given, "cache_time_to_live_seconds"))
    return create(sdk_key, _spellings.options_of(given, mode))


def create_client_with_manual_poll(
    sdk_key: str,
    config_cache_class: Any = None,
    base_url: str | None = None,
    proxies: Mapping[str, str] | None = None,
    proxy_auth: Any = None,
    connect_timeout: float | None = _spellings.CONNECT_TIMEOUT,
    read_timeout: float | None = _spellings.READ_TIMEOUT,
    flag_overrides: Any = None,
    data_governance: DataGovernance = DataGovernance.Global,
    *,
    config_cache: Any = None,
    connect_timeout_seconds: float | None = None,
    read_timeout_seconds: float | None = None,
    log_user: bool = True,
) -> ConfigCatClient:
    """Make a client that downloads its config when `force_refresh()` is called, and never else.

    Args:
        sdk_key: what ConfigCat's dashboard shows for an environment of a config.
        config_cache_class: as of `create_client_with_auto_poll`, like all that follow.
        base_url: the address of a server to ask instead of ConfigCat's.
        proxies: proxies by scheme.
        proxy_auth: for the proxy.
        connect_timeout: seconds to connect.
        read_timeout: seconds to wait for an answer.
        flag_overrides: local settings.
        data_governance: where the config is stored.
        config_cache: another name of `config_cache_class`.
        connect_timeout_seconds: another name of `connect_timeout`.
        read_timeout_seconds: another name of `read_timeout`.
        log_user: False leaves the user's attributes out of all log lines.

    Raises:
        ConfigCatClientException: there is no SDK key.
        TypeError: an argument was given by both its names.
    """
    given = locals()
    from appconfig_provider.configcat.creating import create
    from appconfig_provider.configcat.pollingmode import PollingMode

    return create(sdk_key, _spellings.options_of(given, PollingMode.manual_poll()))


def get(sdk_key: str, options: ConfigCatOptions | None = None) -> ConfigCatClient:
    """Return the client of an SDK key, which is made by the first call.

    Args:
        sdk_key: what ConfigCat's dashboard shows for an environment of a config.
        options: how the client is to work; a later call's are left aside, with a warning.

    Raises:
        ConfigCatClientException: the SDK key is missing, or has another form than ConfigCat's.
    """
    from appconfig_provider.configcat.client import ConfigCatClient

    return ConfigCatClient.get(sdk_key, options)


def close_all() -> None:
    """Close every client that `get()` has made."""
    from appconfig_provider.configcat.client import ConfigCatClient

    ConfigCatClient.close_all()


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    own = {name for name in globals() if name.startswith("__")}
    return sorted({*own, *__all__, *_MODULES})


del annotations  # a name of this file's, and nobody else's
