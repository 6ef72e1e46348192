"""The keywords of `load()`: checked once, then frozen.

`Options` keeps each keyword under its own name and adds what the engine reads (`stores`,
`selectors`, `watch`, ...), so that nothing behind this module sees an unchecked argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from appconfig_provider import arguments
from appconfig_provider.arguments import RefreshOn
from appconfig_provider.callbacks import (
    Callback,
    OnError,
    OnSuccess,
    error_callbacks,
    success_callbacks,
)
from appconfig_provider.models import Polling, SettingSelector, Store, WatchKey
from appconfig_provider.vaults import (
    AzureAppConfigurationKeyVaultOptions,
    ClientConfigs,
    SecretResolver,
    Vaults,
    check_vaults,
)

if TYPE_CHECKING:
    import ssl

    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential

MIN_INTERVAL = 1.0
DEFAULT_STARTUP = 100.0
DEFAULT_PUSH_DELAY = 30.0
CONSISTENCIES = ("point_in_time",)
SECRET_POLICIES = ("raise", "keep_last", "omit")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything `load()` was told; the derived fields are what the engine reads."""

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
    refresh_interval: float | None = 30.0
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

    stores: tuple[Store, ...] = field(init=False)
    discovers: bool = field(init=False)
    """True when DNS may be asked for replicas."""
    balances: bool = field(init=False)
    """True when endpoints take turns."""
    selectors: tuple[SettingSelector, ...] = field(init=False)
    flag_selectors: tuple[SettingSelector, ...] | None = field(init=False)
    """None when feature flags are not loaded."""
    prefixes: tuple[str, ...] = field(init=False)
    vaults: Vaults = field(init=False, repr=False)
    watch: tuple[WatchKey, ...] = field(init=False)
    watch_pages: bool = field(init=False)
    """True when every selected page is watched instead of sentinels."""
    interval: float = field(init=False)
    flag_interval: float | None = field(init=False)
    """None when flags are not refreshed."""
    secret_interval: float | None = field(init=False)
    """None when secrets are not rotated on their own."""
    success_callbacks: tuple[Callback, ...] = field(init=False, repr=False)
    error_callbacks: tuple[Callback, ...] = field(init=False, repr=False)
    pinned: bool = field(init=False)
    """True when all pages of a load are to show one moment."""
    polls: bool = field(init=False)
    """True when the provider looks by itself."""
    longest_push_delay: float = field(init=False)
    extra_headers: tuple[tuple[str, str], ...] = field(init=False, repr=False)
    startup_budget: float = field(init=False)
    timeouts: tuple[float, float] = field(init=False)
    """Seconds to connect, seconds to wait for bytes."""
    retries: int = field(init=False)
    tls: bool | str | ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        for part in (self._where(), self._what(), self._when(), self._how()):
            for name, value in part.items():
                object.__setattr__(self, name, value)
        if self.polls and not self.looks:
            raise ValueError(
                "polling=Polling.auto() has nothing to look at; pass refresh_on=[...] (without "
                "refresh_enabled=False), refresh_enabled=True to watch every selected page, or "
                "feature_flag_enabled=True and feature_flag_refresh_enabled=True"
            )

    def _where(self) -> dict[str, object]:
        switch = arguments.flag
        return {
            "discovers": switch(
                "replica_discovery_enabled", self.replica_discovery_enabled, default=True
            ),
            "balances": switch(
                "load_balancing_enabled", self.load_balancing_enabled, default=False
            ),
            "stores": arguments.stores(
                self.endpoint, self.credential, self.connection_string, self.replicas
            ),
            "vaults": check_vaults(
                self.keyvault_credential,
                self.keyvault_client_configs,
                self.secret_resolver,
                self.key_vault_options,
            ),
        }

    def _what(self) -> dict[str, object]:
        flags = arguments.flag("feature_flag_enabled", self.feature_flag_enabled, default=False)
        flag_selectors = arguments.selectors("feature_flag_selectors", self.feature_flag_selectors)
        arguments.choice("secret_policy", self.secret_policy, SECRET_POLICIES)
        arguments.choice("consistency", self.consistency, CONSISTENCIES)
        arguments.function("configuration_mapper", self.configuration_mapper)
        arguments.function("validate", self.validate)
        return {
            "pinned": self.consistency is not None,
            "selectors": arguments.selectors("selects", self.selects),
            "prefixes": arguments.prefixes(self.trim_prefixes),
            "flag_selectors": flag_selectors if flags else None,
        }

    def _when(self) -> dict[str, object]:
        watch = arguments.watch_keys(self.refresh_on)
        seconds = arguments.seconds
        polling = arguments.polling(self.polling)
        interval = seconds("refresh_interval", self.refresh_interval, 30.0, MIN_INTERVAL)
        interval = seconds(
            "polling=Polling.auto(interval=...)", polling.interval, interval, MIN_INTERVAL
        )
        enabled = arguments.flag("refresh_enabled", self.refresh_enabled, default=bool(watch))
        flags = arguments.flag(
            "feature_flag_refresh_enabled", self.feature_flag_refresh_enabled, default=False
        )
        own = seconds(
            "feature_flag_refresh_interval",
            self.feature_flag_refresh_interval,
            interval,
            MIN_INTERVAL,
        )
        rotation = self.secret_refresh_interval
        return {
            "polls": polling.automatic,
            "watch": watch if enabled else (),
            "watch_pages": enabled and not watch,
            "interval": interval,
            "flag_interval": own if flags and self.feature_flag_enabled else None,
            "secret_interval": None
            if rotation is None
            else seconds("secret_refresh_interval", rotation, 60.0, MIN_INTERVAL),
            "longest_push_delay": seconds("push_delay", self.push_delay, DEFAULT_PUSH_DELAY, 0),
            "success_callbacks": success_callbacks(self.on_refresh_success),
            "error_callbacks": error_callbacks(self.on_refresh_error),
        }

    def _how(self) -> dict[str, object]:
        seconds = arguments.seconds
        return {
            "extra_headers": arguments.header_pairs(self.headers),
            "startup_budget": seconds(
                "polling=Polling.auto(init_wait=...)",
                arguments.polling(self.polling).init_wait,
                seconds("startup_timeout", self.startup_timeout, DEFAULT_STARTUP, 0),
                0,
            ),
            "timeouts": (
                seconds("connect_timeout", self.connect_timeout, 10.0, 0.001),
                seconds("read_timeout", self.read_timeout, 10.0, 0.001),
            ),
            "retries": arguments.count("retry_total", self.retry_total, 2),
            "tls": arguments.verify(self.verify),
            "proxy": arguments.proxy(self.proxy),
            "audience": arguments.text("audience", self.audience),
            "user_agent": arguments.text("user_agent", self.user_agent),
        }

    @property
    def looks(self) -> bool:
        """True when a refresh has anything to look at."""
        settings = bool(self.watch) or self.watch_pages
        secrets = self.secret_interval is not None and self.vaults.configured
        return settings or self.flag_interval is not None or secrets

    @property
    def check_budget(self) -> float:
        """Seconds that a refresh may spend asking whether anything changed."""
        return sum(self.timeouts)

    @property
    def load_budget(self) -> float:
        """Seconds that a load found necessary by a refresh may take."""
        return self.startup_budget or DEFAULT_STARTUP
