"""What the plans of the engine share: options, a clock, chance, endpoints, sentinels, secrets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from appconfig_provider._plan import Headers
from appconfig_provider._rest.responses import SyncToken
from appconfig_provider._rest.tracing import Environment
from appconfig_provider.models import Store
from appconfig_provider.options import Options
from appconfig_provider.protocols import Clock

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential

FIRST_BACKOFF = 30.0
LONGEST_BACKOFF = 600.0


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that was read, and when (monotonic); its value stays out of every repr."""

    value: str = field(repr=False)
    read_at: float


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
class Context:
    """What plans are given instead of the world."""

    options: Options
    credential: TokenCredential | AsyncTokenCredential | None
    clock: Clock
    random: Callable[[], float]
    headers: Headers = field(repr=False)
    """What every request carries."""
    environment: Environment = field(default_factory=Environment)

    def moment(self) -> tuple[float, float]:
        """Return now, on the monotonic clock and since 1970."""
        return self.clock.monotonic(), self.clock.time()
