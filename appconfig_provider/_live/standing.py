"""What the runtime knows of a source: its attempts, and the time by three clocks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from appconfig_provider.protocols import Clock


class Instant(NamedTuple):
    """A instant, by three clocks; in seconds."""

    monotonic: float
    """What timers, budgets and back-offs are measured by; may not count a suspend."""
    wall: float
    """Since 1970; may be set, so that nothing is measured by it."""
    boottime: float
    """Never goes back, and counts a suspend: what ages are measured by."""


def now(clock: Clock) -> Instant:
    """Return the time."""
    return Instant(clock.monotonic(), clock.time(), clock.boottime())


@dataclass(frozen=True, slots=True)
class Attempt:
    """What happened lately, for `status`."""

    last: Instant | None = None
    success: Instant | None = None
    """When the store last confirmed what is served, which a refused generation does not."""
    error: Exception | None = field(default=None, repr=False)
    endpoint: str = ""
    """The endpoint that answered last."""
    answered: Instant | None = None
    """When it did, whatever became of the answer."""

    def again(self, instant: Instant) -> Attempt:
        """Return what is known when another attempt begins."""
        return Attempt(instant, self.success, self.error, self.endpoint, self.answered)


NEVER_TRIED = Attempt()


@dataclass(frozen=True, slots=True)
class Standing:
    """How a source is doing, as the runtime sees it."""

    attempt: Attempt
    due: float
    """When the next refresh has something to do, on the monotonic clock; infinite is never."""
    backoff_until: float = -math.inf
    """When an endpoint may be asked again, on the monotonic clock."""
    errors: tuple[Exception, ...] = field(default=(), repr=False)
    """Those that are kept for `status`, now or later."""
