"""The cache that a program shares with other processes, as the runtime's `Cache`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from appconfig_provider.configcat.fetching.keys import cache_key_of
from appconfig_provider.protocols import Stored


@dataclass(frozen=True, slots=True)
class SharedCache:
    """A program's cache, with the SDK key that names what is this client's in it."""

    cache: Any = field(repr=False)
    """Anything with `get(key)` and `set(key, value)`."""
    sdk_key: str = field(repr=False)
