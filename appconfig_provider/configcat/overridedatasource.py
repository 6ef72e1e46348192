"""Local settings, and how they and those of the server are put together."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class OverrideBehaviour(IntEnum):
    """Which settings count where local ones and the server's have the same key."""

    LocalOnly = 0
    """Only the local ones; nothing is ever sent."""
    LocalOverRemote = 1
    """Both; the local one of a key wins."""
    RemoteOverLocal = 2
    """Both; the server's one of a key wins."""


class OverrideDataSource:
    """Local settings; a program may derive a source of its own."""

    def __init__(self, override_behaviour: OverrideBehaviour) -> None:
        """Take how the settings and those of the server are put together."""
        self._override_behaviour = OverrideBehaviour(override_behaviour)

    def get_behaviour(self) -> OverrideBehaviour:
        """Return how they are put together."""
        return self._override_behaviour

    def get_overrides(self) -> Mapping[str, Any] | None:
        """Return the local settings as a config: `{"f": {...}}`, or `{"flags": {key: value}}`.

        It is called when a client starts, and then at most once a second; None means: none.
        """
        return None


class FlagOverrides:
    """What makes an `OverrideDataSource` for a client."""

    def create_data_source(self, log: logging.Logger) -> OverrideDataSource:
        """Return the source."""
        raise NotImplementedError
