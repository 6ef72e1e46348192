"""What the runtime knows of a source: its last attempt to refresh, and when the next one is due."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from appconfig_provider.protocols import Clock


class Instant(NamedTuple):
    """One point in time as three clocks show it, in seconds."""

    monotonic: float
    """For timers, budgets and back-offs. On some systems it stands still during a suspend."""
    wall: float
    """Since 1970. Somebody may set this clock, so no length of time is measured by it."""
    boottime: float
    """For ages: it never goes back, and it counts the time of a suspend."""


def now(clock: Clock) -> Instant:
    """Read all three clocks."""
    return Instant(clock.monotonic(), clock.time(), clock.boottime())


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last attempt to refresh, and the last success, for `status`."""

    last: Instant | None = None
    """When the last attempt began."""
    success: Instant | None = None
    """When the source last confirmed the values that are served now. An answer whose content was
    rejected (by `validate`, for example) does not count."""
    error: Exception | None = field(default=None, repr=False)
    """The error that `status.last_error` shows; None when nothing is wrong."""
    endpoint: str = ""
    """The endpoint that answered last."""
    answered: Instant | None = None
    """When it answered, even if its content was rejected afterwards."""

    def starting_at(self, instant: Instant) -> Attempt:
        """Return the record for a new attempt, which keeps all but the time of the last one."""
        return Attempt(instant, self.success, self.error, self.endpoint, self.answered)


NEVER_TRIED = Attempt()


@dataclass(frozen=True, slots=True)
class Standing:
    """What the runtime reads of a source's state: how it is doing, and when to call it next."""

    attempt: Attempt
    due: float
    """When the next refresh has something to do, on the monotonic clock; infinite means never."""
    backoff_until: float = -math.inf
    """When the first back-off of an endpoint ends, on the monotonic clock."""
    errors: tuple[Exception, ...] = field(default=(), repr=False)
    """All errors that the state keeps: the one that `status` shows, and those it may show later.
    Their tracebacks are dropped once the callbacks have returned."""
    local: bool = False
    """True when nobody outside of this process has to confirm the values: their age is 0."""
    cache_error: Exception | None = field(default=None, repr=False)
    """Why what is kept between runs could not be written the last time."""
    flags: Instant | None = None
    """When the source last confirmed the feature flags that are served now; None where they are
    confirmed with everything else."""
