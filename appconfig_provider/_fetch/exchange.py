"""One request, from signing to judgement: send, learn from the answer, retry or give up.

What is particular about a service (headers of every request, what an answer teaches, the words of
a refusal) is asked of the session's `Service`.

A retry on the same endpoint happens only for statuses that heal by themselves, and only after a
wait that fits the session's patience. A store that asks for less (408, 429) is waited for; one that
fails (5xx) is asked again only where no other endpoint is left. Trouble on the network is not
retried here: the next endpoint, or the next round, is the better second try.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from appconfig_provider._fetch.backoff import doubled
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider._fetch.waiting import retry_after
from appconfig_provider._plan import (
    Headers,
    Plan,
    Request,
    Response,
    Send,
    Signer,
    Sleep,
    Steps,
    perform,
    plan,
)
from appconfig_provider.protocols import Clock

THROTTLED = frozenset({408, 429})
"""Statuses by which an endpoint asks for patience; the others would say the same."""
FAILED = frozenset({500, 502, 503, 504})
"""Statuses of an endpoint in trouble; another one may be well."""
FIRST_PAUSE = 0.4
"""Seconds before the first retry; doubled before each following one."""

MAX_RETRY_WAIT = 2.0
"""Seconds a retry on the same endpoint may wait while somebody waits for `refresh()`."""

MAX_CONCURRENCY = 32
"""Requests that one provider has under way at the same time, at most."""
BACKGROUND_CONCURRENCY = 8
"""The same where nobody waits for the answers, but others want the processor."""
SECONDS_PER_REQUEST = 0.0007
"""Seconds of work that a request costs this machine; found best over distances of 0 to 50 ms."""

READ = frozenset({200, 304})
READ_OR_ABSENT = frozenset({200, 304, 404})


class Service(Protocol):
    """What is particular about the service that a session talks to."""

    def headers(self) -> Headers:
        """Return what the next request carries besides its own headers."""
        ...

    def learn(self, response: Response) -> None:
        """Remember what an answer teaches, whatever its status."""
        ...

    def refusal(self, origin: str, request: Request, response: Response) -> RequestFailed:
        """Return the failure for a status that was not accepted, in words that say what to do."""
        ...


@dataclass(slots=True, kw_only=True)
class Session:
    """One attempt at one endpoint: what its requests share, and what they learn.

    Its fields change while it runs; only the plans of this one attempt touch it, and plans step on
    a single thread.
    """

    origin: str
    sign: Signer | None = field(repr=False)
    """None sends requests unsigned."""
    service: Service
    deadline: float
    """On the monotonic clock; a refresh that finds work moves it."""
    patience: float
    """The longest wait, in seconds, before a retry on this endpoint."""
    retries: int
    """Retries of each request, at most."""
    clock: Clock
    random: Callable[[], float]
    alone: bool = True
    """True when there is no other endpoint to ask, so that this one is asked again after a 5xx."""
    retried: int = 0
    """How many of the retries the endpoint already had in an earlier session of the round."""
    displaced: bool = False
    """True once answers may have been taken for others: what they said is not believed."""
    round_trip: float = math.inf
    """Seconds that an answer of this endpoint took before, if one came."""
    quickest: float = math.inf
    """Seconds that the quickest answer took in this session."""
    max_concurrency: int = MAX_CONCURRENCY
    """Halved each time the store asks for less."""

    @property
    def concurrency(self) -> int:
        """How many requests may be under way at once, by what the answers take."""
        known = self.round_trip if math.isinf(self.quickest) else self.quickest
        return min(self.max_concurrency, concurrency_for(known))

    def learn(self, response: Response, seconds: float) -> None:
        """Remember how quickly an answer came and whether it asks for less, and what it teaches."""
        self.quickest = min(self.quickest, seconds)
        if response.status == 429:
            self.max_concurrency = max(1, self.concurrency // 2)
        self.service.learn(response)


def concurrency_for(round_trip: float) -> int:
    """Return how many requests at once pay; more only wait for their turn on the processor."""
    return max(1, round(min(MAX_CONCURRENCY, round_trip / SECONDS_PER_REQUEST)))


def read(
    session: Session,
    target: str,
    etag: str | None,
    accepted: frozenset[int] = READ,
    headers: Headers = (),
) -> Plan[Response]:
    """GET a target, conditionally when an ETag is given; raises as `exchange`."""
    condition = (("if-none-match", f'"{etag}"'),) if etag is not None else ()
    return exchange(session, Request("GET", session.origin, target, headers + condition), accepted)


@plan
def exchange(session: Session, request: Request, accepted: frozenset[int]) -> Steps[Response]:
    """Send a request until an accepted status comes back.

    Raises:
        RequestFailed: no accepted answer within the session's retries, patience and deadline.
    """
    for attempt in range(session.retried, session.retries + 1):
        # Built anew each time: an answer may have taught the service newer headers.
        whole = Request(
            request.method,
            request.origin,
            request.target,
            (*session.service.headers(), *request.headers),
            request.body,
        )
        began = session.clock.monotonic()
        response = yield from perform(Send(whole, session.sign, session.deadline))
        session.learn(response, session.clock.monotonic() - began)
        if response.status in accepted:
            return response
        failure = _refusal(session, request, response)
        pause = _pause(session, failure, attempt)
        if pause is None:
            raise failure
        yield from perform(Sleep(pause))
    raise AssertionError("the last attempt returns or raises")


def _refusal(session: Session, request: Request, response: Response) -> RequestFailed:
    failure = session.service.refusal(session.origin, request, response)
    failure.challenge = response.headers.get("www-authenticate")
    failure.retry_after = retry_after(response, session.clock.time())
    return failure


def _pause(session: Session, failure: RequestFailed, attempt: int) -> float | None:
    """Return the seconds to wait before the next try, or None when there should be none."""
    retried = THROTTLED | FAILED if session.alone else THROTTLED
    if failure.status not in retried or attempt == session.retries:
        return None
    pause = retry_pause(failure, attempt, session.random())
    left = session.deadline - session.clock.monotonic()
    return pause if pause <= min(session.patience, left) else None


def retry_pause(failure: RequestFailed, attempt: int, jitter: float) -> float:
    """Return the seconds before another attempt; `jitter` is from 0 to 1."""
    if failure.retry_after is not None:
        return failure.retry_after
    return doubled(FIRST_PAUSE, attempt + 1, jitter)
