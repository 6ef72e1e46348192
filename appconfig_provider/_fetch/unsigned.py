"""Getting in where everybody is let in: no key, no token, and nothing to look up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from appconfig_provider._fetch.endpoints import Endpoint, Fleet
from appconfig_provider._fetch.exchange import MAX_RETRY_WAIT, Session
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._fetch.gate import Manners, Visit
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
        told = f"answered {response.status} to {asked}"
        return RequestFailed(Kind.REFUSED, origin, told, status=response.status)


@dataclass(frozen=True, slots=True)
class OpenGate:
    """Gets in without a signature."""

    manners: Manners
    sent: Headers = field(default=(), repr=False)
    """What every request carries."""

    def enter(self, visit: Callable[[], Visit], endpoint: Endpoint, /) -> Plan[Session]:
        """Return a session that signs nothing."""
        begun, manners = visit(), self.manners
        session = Session(
            origin=endpoint.store.url,
            sign=None,
            service=PlainService(self.sent),
            deadline=begun.deadline,
            patience=MAX_RETRY_WAIT,
            retries=manners.retries,
            clock=manners.clock,
            random=manners.random,
            alone=begun.alone,
            retried=begun.retried,
            round_trip=endpoint.round_trip,
        )
        return done(session)

    def enter_again(self, _session: Session, _refusal: RequestFailed, /) -> Plan[bool]:
        """Say that there is no other way in."""
        return done(value=False)

    def memory(self, _session: Session, /) -> Mapping[str, object]:
        """Return nothing."""
        return {}

    def discover(self, fleet: Fleet, _deadline: float, /) -> Plan[Fleet]:
        """Return the endpoints as they are."""
        return done(fleet)
