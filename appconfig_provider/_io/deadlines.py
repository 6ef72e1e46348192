"""When a request has to be over, for every step that its connection takes.

httpcore limits single steps, and some not at all (the handshake with a SOCKS proxy). A server that
sends a byte now and then stays within any such limit. So each connection has a `Deadline` of its
own, which is set anew for each request, and every connect, read, write and handshake asks it how
much time is left.
"""

from __future__ import annotations

import math
from time import monotonic


class DeadlinePassed(TimeoutError):
    """The time of a whole request is used up."""


class Deadline:
    """The end of the request that a connection serves; real time, whatever clock the engine has."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = -math.inf

    def begin(self, seconds: float) -> None:
        """Give the next request this many seconds."""
        self._until = monotonic() + seconds

    @property
    def passed(self) -> bool:
        """True when no time is left."""
        return monotonic() >= self._until

    def cut(self, timeout: float | None) -> float:
        """Return the seconds that a step may take: its own limit, but not more than is left.

        Raises:
            DeadlinePassed: nothing is left.
        """
        left = self._until - monotonic()
        if left <= 0:
            raise DeadlinePassed("the time allowed is used up")
        return left if timeout is None else min(timeout, left)
