"""Configuration from Azure App Configuration: one immutable Mapping, kept fresh.

`load()` returns it, `refresh()` checks the watched sentinel keys and swaps in everything at once
when one moved. `appconfig_provider.aio` is the same, awaited.

Importing this package imports nothing else; each name below is fetched when it is first used.
"""

TYPE_CHECKING = False  # type checkers know the name; importing typing costs more than all this

if TYPE_CHECKING:
    from appconfig_provider._azure.vaults import AzureAppConfigurationKeyVaultOptions
    from appconfig_provider._live.bindings import Binding
    from appconfig_provider._live.callbacks import Subscription
    from appconfig_provider._version import __version__
    from appconfig_provider.caches.file import FileCache
    from appconfig_provider.errors import (
        KeyVaultReferenceError,
        SnapshotNotFoundError,
        StartupTimeout,
    )
    from appconfig_provider.models import (
        DROP,
        ConfigurationSetting,
        Explanation,
        Polling,
        Status,
        WatchKey,
    )
    from appconfig_provider.overrides.declared import Overrides
    from appconfig_provider.overrides.layers import OverrideBehaviour
    from appconfig_provider.provider import AzureAppConfigurationProvider, load
    from appconfig_provider.selectors import SettingSelector
    from appconfig_provider.snapshot import ChangeSet, ConfigurationSnapshot
    from appconfig_provider.value_errors import BindingError, MissingKey

__all__ = [
    "DROP",
    "AzureAppConfigurationKeyVaultOptions",
    "AzureAppConfigurationProvider",
    "Binding",
    "BindingError",
    "ChangeSet",
    "ConfigurationSetting",
    "ConfigurationSnapshot",
    "Explanation",
    "FileCache",
    "KeyVaultReferenceError",
    "MissingKey",
    "OverrideBehaviour",
    "Overrides",
    "Polling",
    "SettingSelector",
    "SnapshotNotFoundError",
    "StartupTimeout",
    "Status",
    "Subscription",
    "WatchKey",
    "__version__",
    "load",
]

_HOME = {
    "AzureAppConfigurationKeyVaultOptions": "_azure.vaults",
    "AzureAppConfigurationProvider": "provider",
    "Binding": "_live.bindings",
    "BindingError": "value_errors",
    "ChangeSet": "snapshot",
    "ConfigurationSetting": "models",
    "ConfigurationSnapshot": "snapshot",
    "DROP": "models",
    "Explanation": "models",
    "FileCache": "caches.file",
    "KeyVaultReferenceError": "errors",
    "MissingKey": "value_errors",
    "OverrideBehaviour": "overrides.layers",
    "Overrides": "overrides.declared",
    "Polling": "models",
    "SettingSelector": "selectors",
    "SnapshotNotFoundError": "errors",
    "StartupTimeout": "errors",
    "Status": "models",
    "Subscription": "_live.callbacks",
    "WatchKey": "models",
    "__version__": "_version",
    "load": "provider",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
