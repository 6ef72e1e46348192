"""The keywords of `load()`: checked once, then frozen.

`Options` keeps each keyword under its own name and adds what the engine reads (`stores`,
`selectors`, `watch`, ...), so that nothing behind this module sees an unchecked argument.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from urllib.parse import urlsplit

from appconfig_provider.callbacks import (
    Callback,
    OnError,
    OnSuccess,
    error_callbacks,
    success_callbacks,
)
from appconfig_provider.models import NO_LABEL, AccessKey, SettingSelector, Store, WatchKey

if TYPE_CHECKING:
    import ssl

    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential

_T = TypeVar("_T")

Watched: TypeAlias = "WatchKey | tuple[str, str] | str"

MIN_INTERVAL = 1.0
DEFAULT_STARTUP = 100.0

_HOST = re.compile(r"[A-Za-z0-9._:-]+")
"""A host as it goes on the wire; an international name is given in its xn-- form."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything `load()` was told; the derived fields are what the engine reads."""

    endpoint: str | None = None
    credential: TokenCredential | AsyncTokenCredential | None = field(default=None, repr=False)
    connection_string: str | None = field(default=None, repr=False)
    selects: Iterable[SettingSelector] | None = None
    trim_prefixes: Iterable[str] | None = ()
    refresh_on: Iterable[Watched] | None = ()
    refresh_interval: float | None = 30.0
    on_refresh_success: OnSuccess | None = None
    on_refresh_error: OnError | None = None
    replicas: Iterable[str] | None = ()
    startup_timeout: float | None = DEFAULT_STARTUP
    audience: str | None = None
    user_agent: str | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    connect_timeout: float | None = 10.0
    read_timeout: float | None = 10.0
    retry_total: int | None = 2
    proxy: str | None = field(default=None, repr=False)
    verify: bool | str | ssl.SSLContext | None = True

    stores: tuple[Store, ...] = field(init=False)
    selectors: tuple[SettingSelector, ...] = field(init=False)
    prefixes: tuple[str, ...] = field(init=False)
    watch: tuple[WatchKey, ...] = field(init=False)
    interval: float = field(init=False)
    success_callbacks: tuple[Callback, ...] = field(init=False, repr=False)
    error_callbacks: tuple[Callback, ...] = field(init=False, repr=False)
    extra_headers: tuple[tuple[str, str], ...] = field(init=False, repr=False)
    startup_budget: float = field(init=False)
    timeouts: tuple[float, float] = field(init=False)
    """Seconds to connect, seconds to wait for bytes."""
    retries: int = field(init=False)
    tls: bool | str | ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        derived = {
            "stores": _stores(self),
            "selectors": _selectors(self.selects),
            "prefixes": _prefixes(self.trim_prefixes),
            "watch": _watch_keys(self.refresh_on),
            "interval": _seconds("refresh_interval", self.refresh_interval, 30.0, MIN_INTERVAL),
            "success_callbacks": success_callbacks(self.on_refresh_success),
            "error_callbacks": error_callbacks(self.on_refresh_error),
            "extra_headers": _headers(self.headers),
            "startup_budget": _seconds("startup_timeout", self.startup_timeout, DEFAULT_STARTUP, 0),
            "timeouts": (
                _seconds("connect_timeout", self.connect_timeout, 10.0, 0.001),
                _seconds("read_timeout", self.read_timeout, 10.0, 0.001),
            ),
            "retries": _count("retry_total", self.retry_total, 2),
            "tls": True if self.verify is None else self.verify,
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def check_budget(self) -> float:
        """Seconds that a refresh may spend asking whether anything changed."""
        return sum(self.timeouts)

    @property
    def load_budget(self) -> float:
        """Seconds that a load found necessary by a refresh may take."""
        return self.startup_budget or DEFAULT_STARTUP


def parse_connection_string(text: str) -> Store:
    """Read `Endpoint=...;Id=...;Secret=...`, fields in any order.

    Raises:
        ValueError: a field is missing, doubled or not what it should be; the message never
            repeats the text, which holds a secret.
    """
    if not isinstance(text, str):
        raise TypeError(f"connection_string must be a str, not {type(text).__name__}")
    fields: dict[str, str] = {}
    for segment in filter(None, (part.strip() for part in text.split(";"))):
        name, separator, value = segment.partition("=")
        if not separator or name not in {"Endpoint", "Id", "Secret"} or name in fields:
            raise ValueError(_CONNECTION_STRING)
        fields[name] = value
    if len(fields) != 3 or not all(fields.values()):
        raise ValueError(_CONNECTION_STRING)
    if not fields["Id"].isascii():
        raise ValueError(_CONNECTION_STRING)
    try:
        secret = base64.b64decode(fields["Secret"], validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("connection_string: Secret is not base64; copy it again") from None
    return Store(
        _endpoint("connection_string", fields["Endpoint"]), AccessKey(fields["Id"], secret)
    )


_CONNECTION_STRING = (
    "connection_string must read 'Endpoint=https://...;Id=...;Secret=...', each field once; "
    "copy it from the store's access keys"
)


def _stores(options: Options) -> tuple[Store, ...]:
    stores = [_first_store(options)]
    for replica in _items("replicas", options.replicas, str):
        if "=" in replica.partition("://")[0]:
            stores.append(parse_connection_string(replica))
        else:
            stores.append(Store(_endpoint("replicas", replica), stores[0].access_key))
    urls = [store.url for store in stores]
    for url in urls:
        if urls.count(url) > 1:
            raise ValueError(f"replicas: {url} is given twice")
    for store in stores:
        if store.access_key is None and store.url.startswith("http://"):
            raise ValueError(
                f"{store.url}: a token must not travel over plain http; use https, or a "
                "connection string for a local emulator"
            )
    return tuple(stores)


def _first_store(options: Options) -> Store:
    if options.connection_string is not None:
        if options.endpoint is not None or options.credential is not None:
            raise ValueError("give either connection_string, or endpoint and credential, not both")
        return parse_connection_string(options.connection_string)
    if options.endpoint is None:
        raise ValueError(
            "give connection_string='Endpoint=...;Id=...;Secret=...', or endpoint='https://...' "
            "and a credential"
        )
    if options.credential is not None and not hasattr(options.credential, "get_token"):
        raise TypeError(
            f"credential must have get_token(), as those of azure.identity do; "
            f"{type(options.credential).__name__} has not"
        )
    return Store(_endpoint("endpoint", options.endpoint))


def _endpoint(name: str, text: str) -> str:
    """Return scheme, host and port in the one form that is compared, signed and sent."""
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, not {type(text).__name__}")
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(host) or parts.path.strip("/"):
        raise ValueError(f"{name}: {text!r} is not an endpoint such as https://name.azconfig.io")
    host = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, default} else "")


def _selectors(selects: Iterable[SettingSelector] | None) -> tuple[SettingSelector, ...]:
    if selects is None:
        return (SettingSelector(key_filter="*"),)
    items = _items("selects", selects, SettingSelector)
    # An equal selector counts once, at its last position: the later one wins anyway.
    return tuple(reversed(dict.fromkeys(reversed(items))))


def _prefixes(prefixes: Iterable[str] | None) -> tuple[str, ...]:
    given = {prefix for prefix in _items("trim_prefixes", prefixes, str) if prefix}
    return tuple(sorted(given, key=lambda prefix: (-len(prefix), prefix)))


def _watch_keys(refresh_on: Iterable[Watched] | None) -> tuple[WatchKey, ...]:
    if isinstance(refresh_on, WatchKey):
        raise TypeError(f"refresh_on takes a list: write [{refresh_on!r}]")
    entries = _items("refresh_on", refresh_on, object)
    return tuple(dict.fromkeys(_watch_key(entry) for entry in entries))


def _watch_key(entry: object) -> WatchKey:
    key, label = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, NO_LABEL)
    if not isinstance(key, str) or not isinstance(label, str | None):
        raise TypeError(
            f"refresh_on takes WatchKey(key, label), (key, label) or 'key' entries, not {entry!r}"
        )
    if not key:
        raise ValueError("refresh_on: a watched key must not be empty")
    if "*" in key or "*" in (label or "") or "," in (label or ""):
        raise ValueError(
            f"refresh_on: {entry!r} is a filter; a watched key and its label are exact"
        )
    return WatchKey(key, label or NO_LABEL)


def _items(name: str, given: object, kind: type[_T]) -> list[_T]:
    """Return the entries of a list argument; None is empty, a single text is a mistake."""
    if given is None:
        return []
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"{name} takes a list, not {given!r}")
    items = list(given)
    for item in items:
        if not isinstance(item, kind):
            raise TypeError(f"{name} takes {kind.__name__} entries, not {item!r}")
    return items


def _headers(headers: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    if headers is None:
        return ()
    entries: list[tuple[object, object]] = list(headers.items())
    for name, value in entries:
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"headers: name and value of {name!r} must be str")
        if any(character in name + value for character in "\r\n\0"):
            raise ValueError(f"headers: {name!r} holds a line break")
    return tuple((name.lower(), value) for name, value in headers.items())


def _seconds(name: str, given: float | None, default: float, least: float) -> float:
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {given!r}")
    if not math.isfinite(given) or given < least:
        raise ValueError(f"{name} must be at least {least:g} seconds, not {given!r}")
    return float(given)


def _count(name: str, given: int | None, default: int) -> int:
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"{name} must be a whole number, not {given!r}")
    if given < 0:
        raise ValueError(f"{name} must not be negative")
    return given
