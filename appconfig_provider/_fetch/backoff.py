"""Back-off: how long nothing is sent to something that failed. All back-offs are computed here."""

from __future__ import annotations

import math
from dataclasses import dataclass

FIRST_BACKOFF = 30.0
"""Seconds after the first failure, if the refresh interval is not shorter."""
MAX_BACKOFF = 600.0
"""Seconds, also where a server asks for more."""

_MAX_DOUBLINGS = 32
"""A bound for the exponent: an outage may last for years, and `2.0 ** 1024` is an OverflowError."""


def doubled(first: float, failures: int, jitter: float) -> float:
    """Return the pause after a number of failures: doubled by each, and up to a quarter longer.

    `first` is the pause after one failure, in seconds; `jitter` is from 0 to 1.
    """
    return first * 2.0 ** min(failures - 1, _MAX_DOUBLINGS) * (1 + jitter / 4)


@dataclass(frozen=True, slots=True)
class Backoff:
    """The back-off of an endpoint, of DNS, of a secret, or of a generation that was rejected.

    Doubling, jittered, capped, and reset by success.
    """

    failures: int = 0
    until: float = -math.inf
    """On the monotonic clock; minus infinity when there is no back-off."""

    def after_failure(
        self, now: float, *, interval: float, jitter: float, at_least: float = 0.0
    ) -> Backoff:
        """Return the next, longer back-off; `jitter` is from 0 to 1, times are in seconds."""
        failures = self.failures + 1
        pause = doubled(min(FIRST_BACKOFF, interval), failures, jitter)
        return Backoff(failures, now + min(max(pause, at_least), MAX_BACKOFF))


FREE = Backoff()
"""The back-off of what did not fail."""
