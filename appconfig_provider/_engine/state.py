"""What the provider knows, as one frozen value.

Everything a reader or the next refresh needs is in `State`, and a refresh is a function from one
state to the next. The provider publishes it with a single assignment; that is why readers need no
lock and can never see half a refresh.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from appconfig_provider._plan import Headers
from appconfig_provider._rest.responses import Page, SyncToken
from appconfig_provider._settings.layering import Problem
from appconfig_provider.models import Store
from appconfig_provider.options import Options
from appconfig_provider.protocols import Clock
from appconfig_provider.snapshot import ConfigurationSnapshot

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential

FIRST_BACKOFF = 30.0
LONGEST_BACKOFF = 600.0


class Sentinel(NamedTuple):
    """A watched key as it was last seen; without an ETag it does not exist."""

    etag: str | None
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long something that failed is left alone: doubling, jittered, capped, reset by success.

    The one implementation; it belongs to an endpoint or to a generation that was rejected.
    """

    failures: int = 0
    until: float = -math.inf

    def after_failure(
        self, now: float, *, interval: float, jitter: float, at_least: float = 0.0
    ) -> Backoff:
        """Return the next, longer back-off; `jitter` is from 0 to 1, times are in seconds."""
        failures = self.failures + 1
        first = min(FIRST_BACKOFF, interval)
        # The exponent is bounded because a float is: an outage may last for years.
        pause = first * 2 ** min(failures - 1, 32) * (1 + jitter / 4)
        return Backoff(failures, now + min(max(pause, at_least), LONGEST_BACKOFF))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A store, how it has been behaving, and the sync tokens it gave."""

    store: Store
    backoff: Backoff = Backoff()
    tokens: Mapping[str, SyncToken] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What happened lately, for `status`. Moments are (monotonic, seconds since 1970)."""

    last: tuple[float, float] | None = None
    success: tuple[float, float] | None = None
    error: Exception | None = None
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """One generation and everything that belongs to it."""

    snapshot: ConfigurationSnapshot
    selections: tuple[tuple[Page, ...], ...]
    """The pages of each selector, with their ETags."""
    sentinels: tuple[Sentinel, ...]
    """As read *before* the data, one per watched key."""
    problems: frozenset[Problem]
    endpoints: tuple[Endpoint, ...]
    check_at: float
    """When the interval has passed, on the monotonic clock; infinite when nothing is watched."""
    rejected: Rejected | None = None
    attempt: Attempt = Attempt()
    due: float = field(init=False)
    """The one number that `refresh()` looks at: timer passed and some endpoint free."""

    def __post_init__(self) -> None:
        free = min(endpoint.backoff.until for endpoint in self.endpoints)
        object.__setattr__(self, "due", max(self.check_at, free))

    def rearmed(self, now: float, interval: float) -> State:
        """Return the state with its timer started anew."""
        return self if math.isinf(self.check_at) else replace(self, check_at=now + interval)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A generation that was loaded and refused: what its sentinels said, and when to try again."""

    sentinels: tuple[Sentinel, ...]
    backoff: Backoff


@dataclass(frozen=True, slots=True)
class Context:
    """What plans are given instead of the world: options, a clock, a source of chance."""

    options: Options
    credential: TokenCredential | AsyncTokenCredential | None
    clock: Clock
    random: Callable[[], float]
    headers: Headers
    """What every request carries."""

    def moment(self) -> tuple[float, float]:
        """Return now, on the monotonic clock and since 1970."""
        return self.clock.monotonic(), self.clock.time()
