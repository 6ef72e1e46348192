"""What the plans of the engine share: options, a clock, chance, secrets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from appconfig_provider._azure.options import Options
from appconfig_provider._azure.rest.tracing import Environment
from appconfig_provider._fetch.backoff import FREE, Backoff
from appconfig_provider._fetch.exchange import MAX_CONCURRENCY
from appconfig_provider._live.standing import Instant, now
from appconfig_provider._plan import Headers
from appconfig_provider.protocols import Clock

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that was read, and what is owed of it; its value stays out of every repr."""

    value: str | None = field(repr=False)
    """None when it was never read, and the policy leaves it out."""
    read_at: float
    """On the monotonic clock, as `due`."""
    fixed: bool = False
    """True when its address names a version, whose value never changes."""
    due: float = math.inf
    """When it must be read, because it is owed; infinite when nothing is."""
    backoff: Backoff = FREE
    """How often it could not be renewed, and until when it is left alone."""
    trouble: str = ""
    """Why it could not be read the last time; empty when it was."""


@dataclass(frozen=True, slots=True)
class Context:
    """What plans are given instead of the world."""

    options: Options
    credential: TokenCredential | AsyncTokenCredential | None = field(repr=False)
    clock: Clock
    random: Callable[[], float]
    headers: Headers = field(repr=False)
    """What every request carries."""
    environment: Environment = field(default_factory=Environment)
    max_concurrency: int = MAX_CONCURRENCY
    """Requests under way at once, at most."""
    in_background: bool = False
    """True for a poller, whom nobody waits for."""

    def now(self) -> Instant:
        """Return now."""
        return now(self.clock)
