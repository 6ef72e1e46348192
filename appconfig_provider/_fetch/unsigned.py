"""Access to a server that needs no credential: no access key, no token, no look-up of replicas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from appconfig_provider._fetch.access import AttemptStart
from appconfig_provider._fetch.endpoints import Endpoint, Endpoints
from appconfig_provider._fetch.exchange import Session
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Headers, Plan, Request, Response, done


@dataclass(frozen=True, slots=True)
class PlainService:
    """A server whose answers hold nothing that later requests need."""

    common_headers: Headers = field(default=(), repr=False)

    def headers(self) -> Headers:
        """Return the headers of every request."""
        return self.common_headers

    def learn(self, response: Response) -> None:
        """Do nothing."""

    def refusal(self, origin: str, request: Request, response: Response) -> RequestFailed:
        """Return the failure for a status that was not expected."""
        message = f"answered {response.status} to {request.name}"
        return RequestFailed(Kind.REFUSED, origin, message, status=response.status)

    def hint(self, _failure: RequestFailed, /) -> str:
        """Return nothing."""
        return ""


@dataclass(frozen=True, slots=True)
class UnsignedAccess:
    """An `EndpointAccess` that signs nothing and knows no more endpoints than it was given."""

    common_headers: Headers = field(default=(), repr=False)
    """Headers of every request."""

    def open_session(
        self, begin: Callable[[], AttemptStart], _endpoint: Endpoint, /
    ) -> Plan[Session]:
        """Return a session whose requests are not signed."""
        return done(begin().session(None, PlainService(self.common_headers)))

    def renew(self, _session: Session, _refusal: RequestFailed, /) -> Plan[bool]:
        """Return False: there is no other credential to try."""
        return done(value=False)

    def memory(self, _session: Session, /) -> Mapping[str, object]:
        """Return an empty mapping: nothing is kept for the next session."""
        return {}

    def discover(self, endpoints: Endpoints, _deadline: float, /) -> Plan[Endpoints]:
        """Return the endpoints as they are."""
        return done(endpoints)
