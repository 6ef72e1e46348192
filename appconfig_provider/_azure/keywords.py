"""The keywords of `load()` as the caller wrote them; `checked` makes the options of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from appconfig_provider import checks
from appconfig_provider._azure import arguments
from appconfig_provider._azure.arguments import RefreshOn
from appconfig_provider._azure.options import (
    DEFAULT_STARTUP,
    Callbacks,
    CopyOptions,
    NetworkOptions,
    Options,
    RefreshOptions,
    SecretOptions,
    SecretPolicy,
    Selection,
    Startup,
    StoreOptions,
)
from appconfig_provider._azure.vaults import (
    AzureAppConfigurationKeyVaultOptions,
    ClientConfigs,
    SecretResolver,
    check_vaults,
)
from appconfig_provider._live.callbacks import (
    OnError,
    OnSuccess,
    error_callbacks,
    success_callbacks,
)
from appconfig_provider.caches.file import FileCache
from appconfig_provider.models import Polling, Store
from appconfig_provider.selectors import SettingSelector
from appconfig_provider.texts import argument

if TYPE_CHECKING:
    import ssl

    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential

    from appconfig_provider.overrides.declared import Overrides

MIN_INTERVAL = 1.0
DEFAULT_INTERVAL = 30.0
DEFAULT_PUSH_DELAY = 30.0
CONSISTENCIES = ("point_in_time",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keywords:
    """The keywords of `load()` as they were given; None always means the default."""

    endpoint: str | None = None
    credential: TokenCredential | AsyncTokenCredential | None = field(default=None, repr=False)
    connection_string: str | None = field(default=None, repr=False)
    selects: Iterable[SettingSelector] | None = None
    trim_prefixes: Iterable[str] | None = ()
    keyvault_credential: TokenCredential | AsyncTokenCredential | None = field(
        default=None, repr=False
    )
    keyvault_client_configs: ClientConfigs | None = field(default=None, repr=False)
    secret_resolver: SecretResolver | None = None
    key_vault_options: AzureAppConfigurationKeyVaultOptions | None = None
    secret_refresh_interval: float | None = None
    secret_policy: str | None = None
    refresh_on: RefreshOn | None = ()
    refresh_interval: float | None = DEFAULT_INTERVAL
    refresh_enabled: bool | None = None
    on_refresh_success: OnSuccess | None = None
    on_refresh_error: OnError | None = None
    feature_flag_enabled: bool | None = False
    feature_flag_selectors: Iterable[SettingSelector] | None = None
    feature_flag_refresh_enabled: bool | None = False
    feature_flag_refresh_interval: float | None = None
    replicas: Iterable[str] | None = field(default=(), repr=False)
    replica_discovery_enabled: bool | None = True
    load_balancing_enabled: bool | None = False
    configuration_mapper: Callable[..., object] | None = None
    validate: Callable[..., object] | None = None
    startup_timeout: float | None = DEFAULT_STARTUP
    polling: Polling | None = Polling.manual()
    overrides: Overrides | Iterable[Overrides] | None = None
    cache: FileCache | None = None
    optional: bool | None = False
    consistency: str | None = None
    push_delay: float | None = DEFAULT_PUSH_DELAY
    audience: str | None = None
    user_agent: str | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    connect_timeout: float | None = 10.0
    read_timeout: float | None = 10.0
    retry_total: int | None = 2
    proxy: str | None = field(default=None, repr=False)
    verify: bool | str | ssl.SSLContext | None = True

    def checked(self) -> Options:
        """Check the keywords and return them as options.

        Raises:
            TypeError, ValueError: one is wrong; the message says which, and what to write.
        """
        overrides = _overrides(self)
        local = any(one.local for one in overrides)
        given = self._without_store() if local else self
        options = Options(
            store=_NO_STORE if local else _store(given),
            secrets=_secrets(given),
            selection=_selection(given),
            refresh=_refresh(given),
            startup=_startup(given),
            network=_network(given),
            callbacks=Callbacks(
                success=success_callbacks(given.on_refresh_success),
                error=error_callbacks(given.on_refresh_error),
            ),
            copy=_copy(given),
            overrides=overrides,
            local=local,
        )
        refresh = options.refresh
        # Without a store what is said of one does not count, `refresh_on` for example.
        polls = (refresh.polls or refresh.on_read) and not local
        if polls and not options.watches_anything:
            raise ValueError(
                f"polling=Polling.{'auto()' if refresh.polls else 'lazy(ttl)'} has nothing to "
                "check; pass refresh_on=[...] (without "
                "refresh_enabled=False), refresh_enabled=True to watch every selected page, or "
                "feature_flag_enabled=True and feature_flag_refresh_enabled=True"
            )
        return options

    def _without_store(self) -> Keywords:
        """Return the keywords that count without a store; nobody looks at the others."""
        return Keywords(
            selects=(),
            on_refresh_success=self.on_refresh_success,
            on_refresh_error=self.on_refresh_error,
            validate=self.validate,
            startup_timeout=self.startup_timeout,
            polling=self.polling,
        )


def _overrides(given: Keywords) -> tuple[Overrides, ...]:
    if given.overrides is None:
        return ()
    from appconfig_provider.overrides.declared import checked_overrides

    return checked_overrides(given.overrides)


_NO_STORE = StoreOptions(endpoints=(Store(""),), credential=None, discovers=False, balances=False)


def _store(given: Keywords) -> StoreOptions:
    switch = checks.flag
    return StoreOptions(
        discovers=switch(
            "replica_discovery_enabled", given.replica_discovery_enabled, default=True
        ),
        balances=switch("load_balancing_enabled", given.load_balancing_enabled, default=False),
        endpoints=arguments.stores(
            given.endpoint, given.credential, given.connection_string, given.replicas
        ),
        credential=given.credential,
    )


def _selection(given: Keywords) -> Selection:
    flag_selectors = arguments.selectors("feature_flag_selectors", given.feature_flag_selectors)
    return Selection(
        settings=arguments.selectors("selects", given.selects),
        flags=flag_selectors if _loads_flags(given) else None,
        prefixes=arguments.prefixes(given.trim_prefixes),
        mapper=checks.function("configuration_mapper", given.configuration_mapper),
        validate=checks.function("validate", given.validate),
        pinned=checks.choice("consistency", given.consistency, CONSISTENCIES) is not None,
    )


def _loads_flags(given: Keywords) -> bool:
    return checks.flag("feature_flag_enabled", given.feature_flag_enabled, default=False)


def _secrets(given: Keywords) -> SecretOptions:
    interval = given.secret_refresh_interval
    if interval is not None:
        interval = checks.seconds("secret_refresh_interval", interval, 60.0, MIN_INTERVAL)
    policy = checks.choice(
        "secret_policy", given.secret_policy, tuple(one.value for one in SecretPolicy)
    )
    return SecretOptions(
        vaults=check_vaults(
            given.keyvault_credential,
            given.keyvault_client_configs,
            given.secret_resolver,
            given.key_vault_options,
        ),
        policy=None if policy is None else SecretPolicy(policy),
        interval=interval,
    )


def _refresh(given: Keywords) -> RefreshOptions:
    seconds, switch = checks.seconds, checks.flag
    polling, interval = checks.polling(given.polling), _interval(given)
    watch = arguments.watch_keys(given.refresh_on)
    enabled = switch("refresh_enabled", given.refresh_enabled, default=bool(watch))
    flags = switch(
        "feature_flag_refresh_enabled", given.feature_flag_refresh_enabled, default=False
    )
    flag_interval = seconds(
        "feature_flag_refresh_interval", given.feature_flag_refresh_interval, interval, MIN_INTERVAL
    )
    return RefreshOptions(
        watch=watch if enabled else (),
        watch_pages=enabled and not watch,
        interval=interval,
        flag_interval=flag_interval if flags and _loads_flags(given) else None,
        polls=polling.automatic,
        on_read=polling.on_read,
        push_delay=seconds("push_delay", given.push_delay, DEFAULT_PUSH_DELAY, 0),
        switched_off=given.refresh_enabled is False,
        flags_not_loaded=flags and not _loads_flags(given),
    )


def _interval(given: Keywords) -> float:
    """Return the seconds between two checks, which `polling` may replace."""
    polling, seconds = checks.polling(given.polling), checks.seconds
    if polling.on_read and given.refresh_interval not in (None, DEFAULT_INTERVAL):
        raise ValueError(
            "polling=Polling.lazy(ttl) takes the place of refresh_interval; pass only one of them"
        )
    interval = seconds("refresh_interval", given.refresh_interval, DEFAULT_INTERVAL, MIN_INTERVAL)
    name = "Polling.lazy(ttl)" if polling.on_read else "Polling.auto(interval=...)"
    return seconds(f"polling={name}", polling.interval, interval, MIN_INTERVAL)


def _startup(given: Keywords) -> Startup:
    waits = checks.polling(given.polling).init_wait
    seconds = checks.seconds("startup_timeout", given.startup_timeout, DEFAULT_STARTUP, 0)
    return Startup(
        seconds=checks.seconds("polling=Polling.auto(init_wait=...)", waits, seconds, 0),
        keyword="startup_timeout" if waits is None else "init_wait",
    )


def _copy(given: Keywords) -> CopyOptions:
    optional = checks.flag("optional", given.optional, default=False)
    cache: object = given.cache
    if cache is None:
        return CopyOptions(cache=None, optional=optional)
    if not isinstance(cache, FileCache):
        raise TypeError(f"cache must be FileCache(path), not {argument(cache)}")
    return CopyOptions(
        cache=cache,
        max_age=cache.max_age,
        wait=cache.wait,
        first=cache.first,
        sentinels_only=cache.verify == "sentinels",
        optional=optional,
    )


def _network(given: Keywords) -> NetworkOptions:
    return NetworkOptions(
        connect_timeout=checks.seconds("connect_timeout", given.connect_timeout, 10.0, 0.001),
        read_timeout=checks.seconds("read_timeout", given.read_timeout, 10.0, 0.001),
        retries=checks.count("retry_total", given.retry_total, 2),
        proxy=checks.proxy(given.proxy),
        tls=checks.verify(given.verify),
        audience=checks.text("audience", given.audience),
        user_agent=checks.text("user_agent", given.user_agent),
        headers=arguments.header_pairs(given.headers),
    )
