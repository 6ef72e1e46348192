"""What an origin says: scheme, host and port, as in `https://contoso.azconfig.io`."""

from __future__ import annotations


def host_of(origin: str) -> str:
    """Return the Host header of an origin; default ports are already gone from it."""
    return origin.partition("://")[2]
