"""What programs implement for a ConfigCat client, and what it raises."""

from __future__ import annotations

from typing import Any


class ConfigCache:
    """A store for the downloaded config that several processes may share.

    A client takes an instance, or a class that it calls without arguments. It reads the cache when
    it starts and when it would ask the server, never for each value. All of ConfigCat's SDKs store
    the same text under the same key.
    """

    def get(self, key: str) -> Any:
        """Return what is stored under a key; None if nothing is."""

    def set(self, key: str, value: str) -> None:
        """Store a text under a key."""


class ConfigCatClientException(Exception):
    """A client cannot be made of these arguments."""
