"""Origins: scheme, host and port of a server, such as `https://contoso.azconfig.io`."""

from __future__ import annotations

from urllib.parse import urlsplit

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(origin: str) -> bool:
    """Tell whether an origin is on this machine."""
    return (urlsplit(origin).hostname or "") in _LOOPBACK


def host_of(origin: str) -> str:
    """Return the Host header of an origin, which never has a default port."""
    return origin.partition("://")[2]
