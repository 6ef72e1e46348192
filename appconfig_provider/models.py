"""The public data classes: watched keys, polling, settings, status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import Enum
from typing import NamedTuple, TypeAlias

from appconfig_provider.selectors import NO_LABEL, SettingSelector
from appconfig_provider.trouble import shown as shown_error

FLAG_PREFIX = ".appconfig.featureflag/"
"""The prefix of the keys of feature flags."""

JsonValue: TypeAlias = (
    "str | int | float | bool | Mapping[str, JsonValue] | Sequence[JsonValue] | None"
)
"""A value of the configuration: text, or what a JSON setting holds."""


class WatchKey(NamedTuple):
    """A sentinel: when this key is changed, added or deleted, everything is loaded again.

    Key and label are exact; `load()` refuses filters with `*`.
    """

    key: str
    label: str = NO_LABEL

    def __repr__(self) -> str:
        """Return the expression that makes it, without a label where there is none."""
        label = "" if self.label == NO_LABEL else f", {self.label!r}"
        return f"WatchKey({self.key!r}{label})"


@dataclass(frozen=True, slots=True)
class Polling:
    """Who checks whether anything changed: calls of `refresh()`, a thread or task, or reads.

    Made by `Polling.manual()`, `Polling.auto()` and `Polling.lazy()`.
    """

    automatic: bool = False
    interval: float | None = None
    init_wait: float | None = None
    on_read: bool = False

    def __post_init__(self) -> None:
        if self.automatic and self.on_read:
            raise ValueError("Polling.auto() and Polling.lazy() exclude each other")
        manual = not (self.automatic or self.on_read)
        if (manual and self.interval is not None) or (
            not self.automatic and self.init_wait is not None
        ):
            raise ValueError(
                "only Polling.auto(interval=..., init_wait=...) and Polling.lazy(ttl) take numbers"
            )

    @classmethod
    def manual(cls) -> Polling:
        """Check only when the program calls `refresh()`; the default."""
        return cls()

    @classmethod
    def auto(cls, interval: float | None = None, init_wait: float | None = None) -> Polling:
        """Check in the background, as soon as anything is due.

        `interval` replaces `refresh_interval`, and `init_wait` (how long `load()` may take)
        replaces `startup_timeout`. Both are in seconds; None leaves these keywords as they are.
        """
        return cls(automatic=True, interval=interval, init_wait=init_wait)

    @classmethod
    def lazy(cls, ttl: float) -> Polling:
        """Check when somebody reads and anything is due; nothing runs in the background.

        `ttl` is in seconds, and replaces `refresh_interval`. With threads, one of the readers
        refreshes before it returns, and the others go on with the current generation. In `aio` a
        read starts a task, and returns from the current generation.
        """
        return cls(interval=ttl, on_read=True)


@dataclass(slots=True)
class ConfigurationSetting:
    """A setting for a `configuration_mapper`: a private copy, which it may change."""

    key: str
    label: str | None = None
    value: str | None = field(default=None, repr=False)
    content_type: str | None = None
    tags: dict[str, str | None] = field(default_factory=dict)
    etag: str | None = None
    last_modified: datetime | None = None
    locked: bool = False


class Drop(Enum):
    """What a mapper returns to leave a setting out."""

    DROP = "drop"


DROP = Drop.DROP

Mapped: TypeAlias = "ConfigurationSetting | Drop | None"
"""What a mapper returns; None keeps the setting, with the changes that were made to it."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key of a store; the secret stays out of every repr."""

    id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Store:
    """One endpoint of a store, and its access key unless a credential is used."""

    url: str
    access_key: AccessKey | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a value came from; never the value itself."""

    key: str
    """The key of the setting in the store, before a prefix was trimmed; that of an override."""
    label: str | None
    content_type: str | None
    tags: Mapping[str, str | None]
    origin: str
    """`store`, `snapshot`, `secret` or `override`."""
    selector: SettingSelector | None
    """The selector that found it; None for a value of several settings, and for an override."""
    snapshot_name: str | None = None
    """The snapshot it was found in, by a selector or a snapshot reference."""
    secret_id: str | None = None
    """The address of the secret that a Key Vault reference points to."""
    shadows: tuple[Explanation, ...] = ()
    """The other settings of the same key; the one that would win without it comes first."""
    override: str | None = None
    """Which override it is: its place in the list that `load()` got, and what it was read from."""


@dataclass(frozen=True, slots=True)
class Status:
    """How the provider is doing; cheap enough for a health endpoint. Times are UTC."""

    generation: int
    last_attempt: datetime | None
    last_success: datetime | None
    last_error: Exception | None
    age: float
    """Seconds since the store last confirmed this generation, in an earlier run maybe; a suspend of
    the machine counts. Infinite when that is not known. Without a store
    (`OverrideBehaviour.LOCAL_ONLY`) it is 0."""
    stale: bool
    """True while a copy of an earlier run is served that no store has confirmed since. It says
    nothing about age (see `age`)."""
    endpoint: str
    backoff_until: datetime | None
    """When the first back-off ends, while all endpoints are backing off; else None."""
    requests_sent: int
    overdue: float | None = None
    """By how many seconds a running refresh is past its limit, if it is (a callback may hang)."""
    cache_error: Exception | None = None
    """Why the cache could not be written the last time; None when it was, or there is none."""

    def __repr__(self) -> str:
        """Show only the type of the last error where its text may quote a value."""
        named = ((one.name, getattr(self, one.name)) for one in fields(self))
        shown = (
            f"{name}={shown_error(value) if name.endswith('_error') else repr(value)}"
            for name, value in named
        )
        return f"Status({', '.join(shown)})"

    def healthy(self, max_age: float) -> bool:
        """Tell whether the store confirmed the configuration within `max_age` seconds.

        A copy of an earlier run counts as well, from the time of its last confirmation.
        """
        return self.age <= max_age
