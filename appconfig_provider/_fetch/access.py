"""What a source must provide to talk to its endpoints, and what one attempt at an endpoint has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from appconfig_provider._fetch.budget import Budget
from appconfig_provider._fetch.endpoints import Endpoint, Endpoints
from appconfig_provider._fetch.exchange import MAX_CONCURRENCY, Service, Session
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider._plan import Plan, Signer
from appconfig_provider.protocols import Clock


@dataclass(frozen=True, slots=True)
class RoundRules:
    """The rules of a source for trying its endpoints."""

    clock: Clock
    random: Callable[[], float]
    interval: float
    """Seconds between checks. The first back-off is not longer than that."""
    retries: int
    balanced: bool = False
    """True when endpoints take turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStart:
    """The facts about a round with which a session at an endpoint begins."""

    rules: RoundRules
    endpoint: Endpoint
    deadline: float
    """On the monotonic clock; nothing is sent after it."""
    failover: bool
    """True when another endpoint has failed before in this round."""
    known: int
    """How many endpoints there are."""
    alone: bool
    """True when there is no other endpoint to try."""
    retried: int
    """How many of its retries the endpoint has already used in this round."""

    def session(
        self,
        sign: Signer | None,
        service: Service,
        max_concurrency: int = MAX_CONCURRENCY,
    ) -> Session:
        """Return the session of the attempt."""
        rules = self.rules
        return Session(
            origin=self.endpoint.store.url,
            sign=sign,
            service=service,
            deadline=self.deadline,
            retries=rules.retries,
            clock=rules.clock,
            random=rules.random,
            alone=self.alone,
            retried=self.retried,
            round_trip=self.endpoint.round_trip,
            max_concurrency=max_concurrency,
        )


class EndpointAccess(Protocol):
    """Authenticates at the endpoints of a source, and looks up more of them."""

    def open_session(
        self, begin: Callable[[], AttemptStart], endpoint: Endpoint, /
    ) -> Plan[Session]:
        """Return a session.

        `begin` is called last, after all that may take time (such as getting a token): it reads the
        clock for the deadline.

        Raises:
            RequestFailed: there is no token.
        """
        ...

    def renew(self, session: Session, refusal: RequestFailed, /) -> Plan[bool]:
        """Get another token after a 401; return False where there is none to get.

        Raises:
            RequestFailed: the credential gave none.
        """
        ...

    def memory(self, session: Session, /) -> Mapping[str, object]:
        """Return what the next session at this endpoint needs of this one, such as sync tokens."""
        ...

    def discover(self, endpoints: Endpoints, deadline: float, /) -> Plan[Endpoints]:
        """Return the endpoints, with those that a look-up has found."""
        ...


@dataclass(frozen=True, slots=True)
class EndpointAttempt:
    """An attempt at one endpoint: the session to use, and the budget that limits it."""

    session: Session
    budget: Budget
    untried: int
    """How many endpoints have not been tried yet."""

    def begin_reload(self) -> None:
        """Give the session the time of a reload; called when a check has found a change."""
        now = self.session.clock.monotonic()
        self.budget.begin_reload(now)
        self.session.deadline = self.budget.share(now, self.untried)
