"""The keywords of `load()`: checked once, then frozen in groups.

`Keywords` holds the arguments as the caller wrote them. `Keywords.checked` makes `Options` of them,
and the engine gets only these. Each group is for one part of the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from appconfig_provider import checks
from appconfig_provider._azure import arguments
from appconfig_provider._azure.arguments import RefreshOn
from appconfig_provider._azure.vaults import (
    AzureAppConfigurationKeyVaultOptions,
    ClientConfigs,
    SecretResolver,
    Vaults,
    check_vaults,
)
from appconfig_provider._live.callbacks import (
    Callback,
    OnError,
    OnSuccess,
    error_callbacks,
    success_callbacks,
)
from appconfig_provider.models import Polling, SettingSelector, Store, WatchKey

if TYPE_CHECKING:
    import ssl

    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential

MIN_INTERVAL = 1.0
DEFAULT_INTERVAL = 30.0
DEFAULT_STARTUP = 100.0
DEFAULT_PUSH_DELAY = 30.0
CONSISTENCIES = ("point_in_time",)


class SecretPolicy(Enum):
    """What happens to a generation when one of its secrets cannot be read."""

    RAISE = "raise"
    """It is not published."""
    KEEP_LAST = "keep_last"
    """It is published with the last value of the secret."""
    OMIT = "omit"
    """It is published without the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """The endpoints of the store, and the credential for them."""

    endpoints: tuple[Store, ...]
    credential: TokenCredential | AsyncTokenCredential | None = field(repr=False)
    discovers: bool
    """True when DNS may be asked for replicas."""
    balances: bool
    """True when endpoints take turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which settings are loaded, and what is done with them."""

    settings: tuple[SettingSelector, ...]
    flags: tuple[SettingSelector, ...] | None
    """None when feature flags are not loaded."""
    prefixes: tuple[str, ...]
    """Prefixes to trim from keys, longest first."""
    mapper: Callable[..., object] | None
    validate: Callable[..., object] | None
    pinned: bool
    """True when all pages of a load are to show one point in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretOptions:
    """How Key Vault references are resolved."""

    vaults: Vaults = field(repr=False)
    policy: SecretPolicy | None
    """None means `raise` at start, `keep_last` afterwards."""
    interval: float | None
    """None when secrets are read again only by reloads of settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshOptions:
    """What is watched, and how often; times in seconds."""

    watch: tuple[WatchKey, ...]
    watch_pages: bool
    """True when all selected pages are watched, instead of sentinels."""
    interval: float
    flag_interval: float | None
    """None when flags are not refreshed."""
    polls: bool
    """True when a poller checks in the background."""
    push_delay: float
    """The longest random delay after a pushed event."""
    switched_off: bool
    """True for `refresh_enabled=False`: the user wants nothing to be watched."""
    flags_not_loaded: bool
    """True when flags should be refreshed but are not loaded, which is a mistake to warn about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """How requests are sent, and their headers; times in seconds."""

    connect_timeout: float
    read_timeout: float
    retries: int
    proxy: str | None = field(repr=False)
    tls: bool | str | ssl.SSLContext
    audience: str | None
    user_agent: str | None
    headers: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """How long the first load may take."""

    seconds: float
    """0 means one attempt at each endpoint."""
    keyword: str
    """The keyword that gave the number, for errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """The user's functions that are called after a refresh."""

    success: tuple[Callback, ...] = field(repr=False)
    error: tuple[Callback, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """All arguments of `load()`, checked."""

    store: StoreOptions
    selection: Selection
    secrets: SecretOptions
    refresh: RefreshOptions
    startup: Startup
    network: NetworkOptions
    callbacks: Callbacks

    @property
    def watches_anything(self) -> bool:
        """True when a refresh has anything to check."""
        refresh, secrets = self.refresh, self.secrets
        settings = bool(refresh.watch) or refresh.watch_pages
        rotating = secrets.interval is not None and secrets.vaults.configured
        return settings or refresh.flag_interval is not None or rotating

    @property
    def check_budget(self) -> float:
        """Seconds that a refresh may spend asking whether anything changed."""
        return self.network.connect_timeout + self.network.read_timeout

    @property
    def load_budget(self) -> float:
        """Seconds that the first load may take, or a reload by a poller."""
        return self.startup.seconds or DEFAULT_STARTUP


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
        options = Options(
            store=_store(self),
            secrets=_secrets(self),
            selection=_selection(self),
            refresh=_refresh(self),
            startup=_startup(self),
            network=_network(self),
            callbacks=Callbacks(
                success=success_callbacks(self.on_refresh_success),
                error=error_callbacks(self.on_refresh_error),
            ),
        )
        if options.refresh.polls and not options.watches_anything:
            raise ValueError(
                "polling=Polling.auto() has nothing to check; pass refresh_on=[...] (without "
                "refresh_enabled=False), refresh_enabled=True to watch every selected page, or "
                "feature_flag_enabled=True and feature_flag_refresh_enabled=True"
            )
        return options


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
    polling = checks.polling(given.polling)
    interval = seconds("refresh_interval", given.refresh_interval, DEFAULT_INTERVAL, MIN_INTERVAL)
    interval = seconds(
        "polling=Polling.auto(interval=...)", polling.interval, interval, MIN_INTERVAL
    )
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
        push_delay=seconds("push_delay", given.push_delay, DEFAULT_PUSH_DELAY, 0),
        switched_off=given.refresh_enabled is False,
        flags_not_loaded=flags and not _loads_flags(given),
    )


def _startup(given: Keywords) -> Startup:
    waits = checks.polling(given.polling).init_wait
    seconds = checks.seconds("startup_timeout", given.startup_timeout, DEFAULT_STARTUP, 0)
    return Startup(
        seconds=checks.seconds("polling=Polling.auto(init_wait=...)", waits, seconds, 0),
        keyword="startup_timeout" if waits is None else "init_wait",
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
