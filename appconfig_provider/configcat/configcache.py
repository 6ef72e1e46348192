"""Caches of a config that ConfigCat's SDK brings along."""

from __future__ import annotations

from typing import Any

from appconfig_provider.configcat.interfaces import ConfigCache


class NullConfigCache(ConfigCache):
    """A cache that keeps nothing."""

    def get(self, key: str) -> Any:
        """Return None."""

    def set(self, key: str, value: str) -> None:
        """Forget the text."""


class InMemoryConfigCache(ConfigCache):
    """A cache in memory; clients that are given the same one share what they download."""

    def __init__(self) -> None:
        """Make an empty one."""
        self._value: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """Return what is stored under a key; None if nothing is."""
        return self._value.get(key)

    def set(self, key: str, value: str) -> None:
        """Store a text under a key."""
        self._value[key] = value
