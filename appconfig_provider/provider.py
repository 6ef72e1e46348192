"""`load()` and the provider, for programs with threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal, cast

from appconfig_provider._azure.arguments import RefreshOn
from appconfig_provider._azure.flagged import FlaggedConfiguration
from appconfig_provider._azure.options import Options
from appconfig_provider._azure.rest.refusals import public
from appconfig_provider._azure.startup import start
from appconfig_provider._azure.state import State
from appconfig_provider._azure.vaults import (
    AzureAppConfigurationKeyVaultOptions,
    ClientConfigs,
)
from appconfig_provider._live.callbacks import OnError, OnSuccess
from appconfig_provider._live.lazy import LazyConfiguration
from appconfig_provider._live.process import BlockingDriver
from appconfig_provider._live.threads import ThreadedProvider
from appconfig_provider.caches.file import FileCache
from appconfig_provider.models import ConfigurationSetting, Mapped, Polling
from appconfig_provider.preparation import (
    LateCredential,
    make_context,
    network_of,
    options_of,
    refuse_coroutines,
)
from appconfig_provider.selectors import SettingSelector
from appconfig_provider.snapshot import ConfigurationSnapshot
from appconfig_provider.trouble import EngineError

if TYPE_CHECKING:
    import ssl

    from azure.core.credentials import TokenCredential
    from azure.identity import DefaultAzureCredential

    from appconfig_provider._azure.push import PushedChange  # noqa: F401 - in a base class
    from appconfig_provider._live.polling import ThreadPoller  # noqa: F401 - the same
    from appconfig_provider.flags import FeatureManager
    from appconfig_provider.overrides.declared import Overrides


def load(
    endpoint: str | None = None,
    credential: TokenCredential | None = None,
    *,
    connection_string: str | None = None,
    selects: Iterable[SettingSelector] | None = None,
    trim_prefixes: Iterable[str] | None = (),
    keyvault_credential: TokenCredential | None = None,
    keyvault_client_configs: ClientConfigs | None = None,
    secret_resolver: Callable[[str], str] | None = None,
    key_vault_options: AzureAppConfigurationKeyVaultOptions | None = None,
    secret_refresh_interval: float | None = None,
    secret_policy: Literal["raise", "keep_last", "omit"] | None = None,
    refresh_on: RefreshOn | None = (),
    refresh_interval: float | None = 30.0,
    refresh_enabled: bool | None = None,
    on_refresh_success: OnSuccess | None = None,
    on_refresh_error: OnError | None = None,
    feature_flag_enabled: bool | None = False,
    feature_flag_selectors: Iterable[SettingSelector] | None = None,
    feature_flag_refresh_enabled: bool | None = False,
    feature_flag_refresh_interval: float | None = None,
    replicas: Iterable[str] | None = (),
    replica_discovery_enabled: bool | None = True,
    load_balancing_enabled: bool | None = False,
    configuration_mapper: Callable[[ConfigurationSetting], Mapped] | None = None,
    validate: Callable[[ConfigurationSnapshot], object] | None = None,
    startup_timeout: float | None = 100.0,
    polling: Polling | None = Polling.manual(),
    overrides: Overrides | Iterable[Overrides] | None = None,
    cache: FileCache | None = None,
    optional: bool | None = False,
    consistency: Literal["point_in_time"] | None = None,
    push_delay: float | None = 30.0,
    audience: str | None = None,
    user_agent: str | None = None,
    headers: Mapping[str, str] | None = None,
    connect_timeout: float | None = 10.0,
    read_timeout: float | None = 10.0,
    retry_total: int | None = 2,
    proxy: str | None = None,
    verify: bool | str | ssl.SSLContext | None = True,
) -> AzureAppConfigurationProvider:
    """Load the configuration and return it as a read-only Mapping that can be refreshed.

    Which store: `connection_string`, or `endpoint` (`https://name.azconfig.io`) with a token
    `credential` of azure-identity; `endpoint` alone uses `DefaultAzureCredential()`. `replicas`
    are more endpoints (or connection strings) of the same store, tried in order when the first
    fails; `replica_discovery_enabled` asks DNS for more once none of them answers, and
    `load_balancing_enabled` makes all of them take turns. `audience` replaces the token audience
    that is derived from the endpoint.

    Which settings: `selects`, later ones winning; without it every key that has no label; `[]` is
    none. `trim_prefixes` are removed from keys, the longest that matches.

    Key Vault references are read with `keyvault_credential`, with the credential that
    `keyvault_client_configs` has for a vault's address, or by `secret_resolver`, a function from
    address to value (or all three as `key_vault_options`). `secret_refresh_interval` reads secrets
    without version again; `secret_policy` says what happens when one cannot be read: "raise",
    "keep_last" or "omit" (None: raise here, keep_last in `refresh()`).

    Feature flags are loaded if `feature_flag_enabled`, those of `feature_flag_selectors`, and
    checked by `refresh()` if `feature_flag_refresh_enabled`, every
    `feature_flag_refresh_interval` seconds (None: `refresh_interval`).

    `configuration_mapper` gets a private `ConfigurationSetting` for each setting that counts; it
    may change it, return another one, or return `DROP`. `validate` gets a `ConfigurationSnapshot`
    before it is published and raises to refuse it.

    Refreshing: `refresh_on` names the sentinels (`WatchKey("sentinel")`, `(key, label)` or `"key"`;
    one `WatchKey` or key may stand by itself) that `refresh()` checks every `refresh_interval`
    seconds (at least 1); `refresh_enabled=True` without it watches every selected page.
    `on_refresh_success` is a function, or several, called after a new generation was published,
    with a `ChangeSet` if it requires an argument; `on_refresh_error` is called with the exception
    of a failed attempt.

    `polling=Polling.auto(interval=None, init_wait=None)` starts a daemon thread that checks. Its
    numbers replace `refresh_interval` and `startup_timeout`. With `Polling.lazy(ttl)` reads check:
    one that finds anything due refreshes before it returns, others do not wait. `ttl`, in seconds,
    replaces `refresh_interval`. With the default, `Polling.manual()`, only calls of `refresh()`
    check.

    `overrides` are keys of the program's own: one of `Overrides.from_dict()`, `.from_file()` and
    `.from_env()`, or a list, later ones winning. Each wins over the store, unless its `behaviour`
    says REMOTE_OVER_LOCAL; with LOCAL_ONLY there is no store, and nothing that is said of one
    counts. `refresh()` checks at most once a second whether a file has changed.

    `cache=FileCache(path)` keeps the last good configuration in a file. A later start returns it,
    with `snapshot.stale` True, when the store gives nothing that can be used within the cache's
    `wait`; the next `refresh()` asks the store again. Never when every endpoint refuses the
    program (400, 401, 403, 404). `optional=True` returns an empty configuration (version 0) where
    there is no such file either; it fills when the store is back.

    `consistency="point_in_time"` makes all pages of a load show the store at one point in time, for
    one request more. `push_delay` is the longest delay, in seconds, of the check after `notify()`.

    Timeouts, in seconds: `startup_timeout` for this whole call (0: one attempt per endpoint),
    `connect_timeout` and `read_timeout` for a request, and their sum for a check; a reload has 30
    more while somebody waits for `refresh()`, never more than `startup_timeout`. `retry_total` is
    how often a request is repeated at the same endpoint: after 408 and 429, and, where no other
    endpoint is left, after 500, 502, 503 and 504. `proxy` is an address (else the
    environment decides), `verify` a CA file or `ssl.SSLContext` (False checks no certificates),
    `user_agent` a prefix, `headers` go with every request.

    `None` always means the default.

    Raises:
        TypeError, ValueError: an argument is wrong; the message says which, and what to write. A
            ValueError is also a file of overrides that is missing or broken.
        HttpResponseError: every endpoint answered 400, 401, 403 or 404
            (`ClientAuthenticationError`, `ResourceNotFoundError` where azure-core has them).
        StartupTimeout: no endpoint answered in time; `causes` has the error of each.
        KeyVaultReferenceError: a secret could not be read.
        SnapshotNotFoundError: a selector or reference names a snapshot that does not exist.
    """
    options = options_of(locals())  # the fields of Keywords are the keywords above
    del connection_string, headers, proxy, replicas  # error trackers show the locals of frames
    if isinstance(options, Exception):
        raise options
    refuse_coroutines(options)

    from appconfig_provider._io.clock import clock_in_force
    from appconfig_provider._io.sync import SyncDriver

    clock = clock_in_force()
    own = _default_credential(options) if options.needs_credential else None
    context = make_context(options, clock, credential if own is None else own)
    driver = SyncDriver(partial(network_of, options), clock, own)
    try:
        state = driver.run(start(context))
    except BaseException as error:
        driver.close()
        if isinstance(error, EngineError):
            shown = public(error)
            raise shown from shown.__cause__
        raise
    lazy = options.refresh.on_read
    kind = LazyAzureAppConfigurationProvider if lazy else AzureAppConfigurationProvider
    return kind(context, driver, state)


def _default_credential(options: Options) -> DefaultAzureCredential:
    if options.copy.first:
        # A start that serves a copy first needs no token, and azure.identity imports a lot.
        return cast("DefaultAzureCredential", LateCredential())
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


class AzureAppConfigurationProvider(
    FlaggedConfiguration[BlockingDriver, "ThreadPoller"], ThreadedProvider[State, "PushedChange"]
):
    """A read-only Mapping of the store's settings, kept fresh by `refresh()`; thread-safe."""

    __slots__ = ()

    @property
    def feature_flags(self) -> FeatureManager:
        """Evaluates the feature flags: `is_enabled`, `get_variant`, `get_value` and more.

        It is always the same object, and follows every refresh. For filters of your own, a callback
        or `strict` make one: `FeatureManager(config, ...)`.
        """
        # Imported here, for programs that have no feature flags.
        from appconfig_provider.flags import FeatureManager

        return self._manager(FeatureManager)


class LazyAzureAppConfigurationProvider(
    LazyConfiguration[State, "PushedChange", BlockingDriver, "ThreadPoller"],
    AzureAppConfigurationProvider,
):
    """The same with `Polling.lazy(ttl)`: a read refreshes first what is due."""

    __slots__ = ()
