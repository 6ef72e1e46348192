"""How a source gets in at its endpoints, and what an attempt at one of them has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from appconfig_provider._fetch.budget import Budget
from appconfig_provider._fetch.endpoints import Endpoint, Endpoints
from appconfig_provider._fetch.exchange import Session
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider._plan import Plan
from appconfig_provider.protocols import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStart:
    """What a session at an endpoint begins with."""

    endpoint: Endpoint
    deadline: float
    """On the monotonic clock, once requests may be sent."""
    failover: bool
    """True when another endpoint has failed before in this round."""
    known: int
    """How many endpoints there are."""
    alone: bool
    """True when there is no other endpoint to ask."""
    retried: int
    """How many of its retries the endpoint already had in this round."""


class EndpointAccess(Protocol):
    """How a source gets in at its endpoints."""

    def open_session(
        self, begin: Callable[[], AttemptStart], endpoint: Endpoint, /
    ) -> Plan[Session]:
        """Return a session; `begin` is called once whatever may take time is done.

        Raises:
            RequestFailed: it cannot get in.
        """
        ...

    def renew(self, session: Session, refusal: RequestFailed, /) -> Plan[bool]:
        """Get in by other means after a refusal, and say whether there were any.

        Raises:
            RequestFailed: it cannot get in.
        """
        ...

    def memory(self, session: Session, /) -> Mapping[str, object]:
        """Return what an endpoint told in a session, for the next one."""
        ...

    def discover(self, endpoints: Endpoints, deadline: float, /) -> Plan[Endpoints]:
        """Return the endpoints with those that a look-up names."""
        ...


@dataclass(frozen=True, slots=True)
class RoundRules:
    """How a source wants its endpoints asked."""

    clock: Clock
    random: Callable[[], float]
    interval: float
    """Seconds between checks; no first back-off is longer."""
    retries: int
    balanced: bool = False
    """True when endpoints take turns."""


@dataclass(frozen=True, slots=True)
class EndpointAttempt:
    """An attempt at one endpoint: the session to use, and how to ask for the time of a load."""

    session: Session
    budget: Budget
    untried: int
    """How many endpoints have not been tried yet."""

    def begin_reload(self) -> None:
        """Give the session the time of a reload; called when the check found a change."""
        now = self.session.clock.monotonic()
        self.budget.begin_reload(now)
        self.session.deadline = self.budget.share(now, self.untried)
