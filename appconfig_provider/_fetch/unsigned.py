"""Getting in where everybody is let in: no key, no token, and nothing to look up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from appconfig_provider._fetch.access import AttemptStart, RoundRules
from appconfig_provider._fetch.endpoints import Endpoint, Endpoints
from appconfig_provider._fetch.exchange import MAX_RETRY_WAIT, Session
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Headers, Plan, Request, Response, done
from appconfig_provider.texts import printable


@dataclass(frozen=True, slots=True)
class PlainService:
    """A server that teaches nothing."""

    sent: Headers = field(default=(), repr=False)

    def headers(self) -> Headers:
        """Return what every request carries."""
        return self.sent

    def learn(self, response: Response) -> None:
        """Learn nothing."""

    def refusal(self, origin: str, request: Request, response: Response) -> RequestFailed:
        """Return the failure for a status that was not expected."""
        asked = printable(f"{request.method} {request.target}")
        message = f"answered {response.status} to {asked}"
        return RequestFailed(Kind.REFUSED, origin, message, status=response.status)


@dataclass(frozen=True, slots=True)
class UnsignedAccess:
    """Gets in without a signature."""

    rules: RoundRules
    sent: Headers = field(default=(), repr=False)
    """What every request carries."""

    def open_session(
        self, begin: Callable[[], AttemptStart], endpoint: Endpoint, /
    ) -> Plan[Session]:
        """Return a session that signs nothing."""
        begun, rules = begin(), self.rules
        session = Session(
            origin=endpoint.store.url,
            sign=None,
            service=PlainService(self.sent),
            deadline=begun.deadline,
            patience=MAX_RETRY_WAIT,
            retries=rules.retries,
            clock=rules.clock,
            random=rules.random,
            alone=begun.alone,
            retried=begun.retried,
            round_trip=endpoint.round_trip,
        )
        return done(session)

    def renew(self, _session: Session, _refusal: RequestFailed, /) -> Plan[bool]:
        """Say that there is no other way in."""
        return done(value=False)

    def memory(self, _session: Session, /) -> Mapping[str, object]:
        """Return nothing."""
        return {}

    def discover(self, endpoints: Endpoints, _deadline: float, /) -> Plan[Endpoints]:
        """Return the endpoints as they are."""
        return done(endpoints)
