"""The options of a provider, frozen in groups: what the engine gets.

Each group is for one part of the engine. `keywords` makes them of the arguments of `load()`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from appconfig_provider._azure.vaults import Vaults
from appconfig_provider._live.callbacks import Callback
from appconfig_provider.models import Store, WatchKey
from appconfig_provider.protocols import Cache
from appconfig_provider.selectors import SettingSelector

if TYPE_CHECKING:
    import ssl

    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential

    from appconfig_provider.overrides.declared import Overrides

DEFAULT_STARTUP = 100.0


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
    on_read: bool
    """True when reads check."""
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
    within: float = DEFAULT_STARTUP
    """How long the attempts may take where `seconds` is 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOptions:
    """What is kept between runs, and what a start does with it; times in seconds."""

    cache: Cache | None
    max_age: float | None = None
    """A copy that was not confirmed for longer is refused; None accepts any."""
    wait: float = 0.0
    """How long the store may take to answer before the copy is served."""
    first: bool = False
    """True when the copy is served at once, and the first refresh asks the store."""
    sentinels_only: bool = False
    """True when a start asks only for the sentinels, unless one of them moved."""
    optional: bool = False
    """True when a start without store and copy gives an empty generation."""


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
    copy: CopyOptions
    overrides: tuple[Overrides, ...] = ()
    local: bool = False
    """True when there is no store: the overrides are the whole configuration."""

    @property
    def needs_credential(self) -> bool:
        """True when `load()` makes a credential: the store has no key, and none was passed."""
        store = self.store
        given = store.credential is not None or store.endpoints[0].access_key is not None
        return not given and not self.local

    @property
    def watches_files(self) -> bool:
        """True when a file of overrides may change."""
        return any(one.watched for one in self.overrides)

    @property
    def watches_anything(self) -> bool:
        """True when a refresh has anything to check."""
        refresh, secrets = self.refresh, self.secrets
        settings = bool(refresh.watch) or refresh.watch_pages
        rotating = secrets.interval is not None and secrets.vaults.configured
        return settings or refresh.flag_interval is not None or rotating or self.watches_files

    @property
    def check_budget(self) -> float:
        """Seconds that a refresh may spend asking whether anything changed."""
        return self.network.connect_timeout + self.network.read_timeout

    @property
    def load_budget(self) -> float:
        """Seconds that the first load may take, or a reload by a poller."""
        return self.startup.seconds or self.startup.within
