"""Checks of the arguments of `load()`; each returns the argument in the form that the engine uses.

A wrong type is a `TypeError`, a wrong value a `ValueError`. Both name the keyword and say what to
write instead.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from appconfig_provider import checks
from appconfig_provider.models import AccessKey, Store, WatchKey
from appconfig_provider.selectors import NO_LABEL, SettingSelector
from appconfig_provider.texts import argument, holds_secret, sendable

if TYPE_CHECKING:
    pass

Watched: TypeAlias = "WatchKey | tuple[str, str] | str"
RefreshOn: TypeAlias = "WatchKey | str | Iterable[Watched]"
"""One sentinel, or several. A plain tuple of two strings means two keys, not a key and a label."""

_HOST = re.compile(r"[A-Za-z0-9._:-]+")
"""A host as it is sent; an international name must be given in its xn-- form."""


def parse_connection_string(text: str, name: str = "connection_string") -> Store:
    """Read `Endpoint=...;Id=...;Secret=...`, fields in any order.

    Raises:
        ValueError: a field is missing, repeated or malformed. Neither the message nor a chained
            error quotes the text, because it holds a secret.
    """
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, not {type(text).__name__}")
    if not text.strip():
        raise ValueError(f"{name} is empty; is the environment variable set?")
    mistake = (
        f"{name} must read 'Endpoint=https://...;Id=...;Secret=...', each field once; "
        "copy it from the store's access keys"
    )
    fields: dict[str, str] = {}
    for segment in filter(None, (part.strip() for part in text.split(";"))):
        field, separator, value = segment.partition("=")
        if not separator or field not in {"Endpoint", "Id", "Secret"} or field in fields:
            raise ValueError(mistake)
        fields[field] = value
    if len(fields) != 3 or not all(fields.values()) or not fields["Id"].isascii():
        raise ValueError(mistake)
    secret = _decoded(fields["Secret"])
    if secret is None:
        raise ValueError(f"{name}: Secret is not base64; copy it again")
    return Store(_endpoint(name, fields["Endpoint"]), AccessKey(fields["Id"], secret))


def _decoded(secret: str) -> bytes | None:
    if not secret.isascii():
        return None
    try:
        return base64.b64decode(secret, validate=True)
    except binascii.Error:
        return None


def stores(
    endpoint: str | None,
    credential: object | None,
    connection_string: str | None,
    replicas: Iterable[str] | None,
) -> tuple[Store, ...]:
    """Return the endpoints in the order in which they are tried."""
    found = [_first_store(endpoint, credential, connection_string)]
    for replica in checks.items("replicas", replicas, str):
        if "=" in replica.partition("://")[0]:
            found.append(parse_connection_string(replica, "replicas"))
        else:
            found.append(Store(_endpoint("replicas", replica), found[0].access_key))
    urls = [store.url for store in found]
    for store in found:
        if urls.count(store.url) > 1:
            raise ValueError(f"replicas: {store.url} is given twice")
        if store.access_key is None and store.url.startswith("http://"):
            raise ValueError(
                f"{store.url}: a token must not travel over plain http; use https, or a "
                "connection string for a local emulator"
            )
    return tuple(found)


def _first_store(
    endpoint: str | None, credential: object | None, connection_string: str | None
) -> Store:
    if connection_string is not None:
        if endpoint is not None or credential is not None:
            raise ValueError("give either connection_string, or endpoint and credential, not both")
        return parse_connection_string(connection_string)
    if endpoint is None:
        raise ValueError(
            "give connection_string='Endpoint=...;Id=...;Secret=...', or endpoint='https://...' "
            "and a credential; is the environment variable set?"
        )
    if credential is not None and not hasattr(credential, "get_token"):
        raise TypeError(
            f"credential must have get_token(), as those of azure.identity do; "
            f"{type(credential).__name__} has not"
        )
    return Store(_endpoint("endpoint", endpoint))


def _endpoint(name: str, text: str) -> str:
    """Return scheme, host and port, normalised so that equal endpoints are equal texts."""
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, not {type(text).__name__}")
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.hostname or ""
    more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(host) or more:
        if "Secret=" in text and name == "endpoint":
            raise ValueError("endpoint is a connection string; write load(connection_string=...)")
        # The error does not quote the text: it may be a connection string or a secret.
        raise ValueError(
            f"{name}: an endpoint reads https://name.azconfig.io, and nothing more; it begins with "
            "https:// or, on this machine, http://"
        )
    host = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, default} else "")


def selectors(name: str, given: Iterable[SettingSelector] | None) -> tuple[SettingSelector, ...]:
    """Return the selectors; None selects every setting without a label, an empty list nothing."""
    if given is None:
        return (SettingSelector(key_filter="*"),)
    # Equal selectors count once. The last position is kept, because later settings win.
    return tuple(reversed(dict.fromkeys(reversed(checks.items(name, given, SettingSelector)))))


def prefixes(given: Iterable[str] | None) -> tuple[str, ...]:
    """Return the prefixes to trim, longest first."""
    wanted = {prefix for prefix in checks.items("trim_prefixes", given, str) if prefix}
    return tuple(sorted(wanted, key=lambda prefix: (-len(prefix), prefix)))


def watch_keys(refresh_on: RefreshOn | None) -> tuple[WatchKey, ...]:
    """Return the sentinels; each of the three spellings becomes a WatchKey."""
    alone = isinstance(refresh_on, WatchKey | str)
    entries = [refresh_on] if alone else checks.items("refresh_on", refresh_on, object)
    return tuple(dict.fromkeys(_watch_key(entry) for entry in entries))


def _watch_key(entry: object) -> WatchKey:
    key, label = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, NO_LABEL)
    if not isinstance(key, str) or not isinstance(label, str | None):
        raise TypeError(
            "refresh_on takes WatchKey(key, label), (key, label) or 'key' entries, "
            f"not {argument(entry)}"
        )
    if holds_secret(key) or holds_secret(label or ""):
        # It would be sent in a URL, and servers and proxies log URLs.
        raise ValueError("refresh_on holds an access key or a connection string")
    if not key:
        raise ValueError("refresh_on: a watched key must not be empty")
    if not sendable(key) or not sendable(label or ""):
        raise ValueError(f"refresh_on: {entry!r} holds half of a character, which cannot be sent")
    if "*" in key or "*" in (label or "") or "," in (label or ""):
        raise ValueError(
            f"refresh_on: {entry!r} is a filter; a watched key and its label are exact"
        )
    return WatchKey(key, label or NO_LABEL)


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OUR_HEADERS = frozenset(
    {"authorization", "connection", "content-length", "host", "if-match", "if-none-match"}
    | {"sync-token", "transfer-encoding", "x-ms-content-sha256", "x-ms-date"}
)


def header_pairs(headers: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """Return headers with their names in lower case; headers that the provider sets are refused."""
    if headers is None:
        return ()
    given: object = headers
    if not isinstance(given, Mapping):
        raise TypeError(f"headers must map names to values, not {type(headers).__name__}")
    entries: list[tuple[object, object]] = list(given.items())
    return tuple(_header(name, value) for name, value in entries)


def _header(name: object, value: object) -> tuple[str, str]:
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(f"headers: name and value of {argument(name)} must be str")
    if not _HEADER_NAME.fullmatch(name) or not checks.HEADER_VALUE.fullmatch(value):
        raise ValueError(f"headers: {argument(name)} or its value cannot stand in an HTTP header")
    if name.lower() in _OUR_HEADERS:
        raise ValueError(f"headers: {name!r} is set by the provider; leave it out")
    return name.lower(), value
