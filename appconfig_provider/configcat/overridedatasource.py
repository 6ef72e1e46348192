"""How local settings and those of the server are put together."""

from __future__ import annotations

from enum import IntEnum


class OverrideBehaviour(IntEnum):
    """Which settings count where local ones and the server's have the same key."""

    LocalOnly = 0
    """Only the local ones; nothing is ever sent."""
    LocalOverRemote = 1
    """Both; the local one of a key wins."""
    RemoteOverLocal = 2
    """Both; the server's one of a key wins."""
