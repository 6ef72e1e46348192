"""What the plans get from outside (options, clock, random numbers), and the record of a secret."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from appconfig_provider._azure.options import Options
from appconfig_provider._azure.rest.tracing import Environment
from appconfig_provider._fetch.backoff import FREE, Backoff
from appconfig_provider._fetch.exchange import MAX_CONCURRENCY
from appconfig_provider._live.bindings import Bindings
from appconfig_provider._live.standing import Instant, now
from appconfig_provider._plan import Headers
from appconfig_provider.protocols import Clock

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret, and when it must be read again; its value stays out of every repr."""

    value: str | None = field(repr=False)
    """None when it was never read; then the policy leaves its keys out."""
    read_at: float
    """On the monotonic clock, as `due`."""
    fixed: bool = False
    """True when its address names a version, whose value never changes."""
    due: float = math.inf
    """When it must be read because it is owed (see `rotation`); infinite when it is not."""
    backoff: Backoff = FREE
    """How often reading it has failed, and until when it is not read."""
    trouble: str = ""
    """Why it could not be read the last time; empty when it was."""


@dataclass(frozen=True, slots=True)
class Context:
    """What plans may use instead of globals: they read no clock and no environment themselves."""

    options: Options
    credential: TokenCredential | AsyncTokenCredential | None = field(repr=False)
    clock: Clock
    random: Callable[[], float]
    headers: Headers = field(repr=False)
    """Headers of every request."""
    environment: Environment = field(default_factory=Environment)
    max_concurrency: int = MAX_CONCURRENCY
    """How many requests may be in flight at once."""
    bindings: Bindings = field(default_factory=Bindings, repr=False)
    """The bindings that a generation must fit; none at the first load."""
    in_background: bool = False
    """True for a poller: no caller waits for it."""

    def now(self) -> Instant:
        """Read all clocks."""
        return now(self.clock)
