"""When a request has to be over, for every step that its connection takes.

httpcore limits each step on its own, and some steps not at all (the handshake with a SOCKS proxy).
A server that sends one byte now and then never breaks such a limit. So each connection has a
`Deadline`, which is set anew for each request, and every connect, read, write and handshake asks it
how much time is left.
"""

from __future__ import annotations

import math
from time import monotonic


class DeadlinePassed(TimeoutError):
    """The time of a whole request is used up."""


class Deadline:
    """When the current request of a connection must be over.

    It is measured in real time, also where a test has given the engine another clock.
    """

    __slots__ = ("_ended", "_until")

    def __init__(self) -> None:
        self._until = -math.inf
        self._ended = False

    def begin(self, seconds: float) -> None:
        """Give the next request this many seconds."""
        self._until = monotonic() + seconds

    def end(self) -> None:
        """Give no request any time from now on; may be called from any thread."""
        self._ended = True

    @property
    def passed(self) -> bool:
        """True when no time is left."""
        return self._ended or monotonic() >= self._until

    def limit(self, timeout: float | None) -> float:
        """Return the seconds that a step may take: its own limit, but not more than is left.

        Raises:
            DeadlinePassed: nothing is left.
        """
        left = self._until - monotonic()
        if left <= 0 or self._ended:
            raise DeadlinePassed("the time allowed is used up")
        return left if timeout is None else min(timeout, left)
