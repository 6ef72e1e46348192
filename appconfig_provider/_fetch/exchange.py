"""One request, from signing to result: send it, learn from the answer, retry or give up.

What differs between services (headers of every request, what is kept of an answer, the message of a
refusal) is left to the session's `Service`.

A retry on the same endpoint happens only for statuses that heal by themselves, and only after a
wait of at most `max_retry_wait`. An endpoint that asks for fewer requests (408, 429) is asked again
after that wait; one that fails (5xx) only where there is no other endpoint. Errors of the network
are not retried here: another endpoint, or a later round, is more likely to succeed.
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
"""Statuses that ask the client to wait; another endpoint of the store would answer the same."""
FAILED = frozenset({500, 502, 503, 504})
"""Statuses of an endpoint that fails; another endpoint may answer."""
FIRST_PAUSE = 0.4
"""Seconds before the first retry; doubled before each following one."""

MAX_RETRY_WAIT = 2.0
"""Seconds that a retry on the same endpoint may wait. A longer wait becomes a back-off, so that the
caller of `refresh()` need not wait for it."""

MAX_CONCURRENCY = 32
"""Requests that one provider may have in flight at the same time."""
BACKGROUND_CONCURRENCY = 8
"""The same for a poller: nobody waits for its answers, and the program needs the processor."""
SECONDS_PER_REQUEST = 0.0007
"""Processor time of one request, in seconds. Measured: with this value loads were quickest at round
trips of 0 to 50 ms."""

READ = frozenset({200, 304})
"""Statuses that are accepted where something is read, with an ETag or without."""
READ_OR_ABSENT = frozenset({200, 304, 404})
"""Statuses that are accepted where something may be missing."""


class Service(Protocol):
    """What differs between the services that a session may talk to."""

    def headers(self) -> Headers:
        """Return what the next request carries besides its own headers."""
        ...

    def learn(self, response: Response) -> None:
        """Keep what later requests need of an answer, whatever its status."""
        ...

    def refusal(self, origin: str, request: Request, response: Response) -> RequestFailed:
        """Return the failure for a status that was not accepted; it says what to do about it."""
        ...

    def hint(self, failure: RequestFailed, /) -> str:
        """Return what to do about a request without an answer; empty where nothing is known."""
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
    retries: int
    """Retries of each request, at most."""
    clock: Clock
    random: Callable[[], float]
    max_retry_wait: float = MAX_RETRY_WAIT
    """The longest wait, in seconds, before a retry on this endpoint."""
    alone: bool = True
    """True when there is no other endpoint to try, so that a 5xx is retried at this one."""
    retried: int = 0
    """How many of the retries were already used by earlier sessions of the round."""
    displaced: bool = False
    """True once answers may have been displaced (read as the answers to other requests). The job
    began again then, and it does so only once."""
    round_trip: float = math.inf
    """Seconds that an answer of this endpoint took in an earlier session; infinite if none came."""
    quickest: float = math.inf
    """Seconds that the quickest answer took in this session; infinite if none came yet."""
    max_concurrency: int = MAX_CONCURRENCY
    """Halved by each 429."""

    @property
    def concurrency(self) -> int:
        """How many requests may be in flight at once, given how long an answer takes."""
        known = self.round_trip if math.isinf(self.quickest) else self.quickest
        return min(self.max_concurrency, concurrency_for(known))

    def learn(self, response: Response, seconds: float) -> None:
        """Adapt the concurrency to an answer, and let the service keep what it needs of it."""
        self.quickest = min(self.quickest, seconds)
        if response.status == 429:
            self.max_concurrency = max(1, self.concurrency // 2)
        self.service.learn(response)


def concurrency_for(round_trip: float) -> int:
    """Return how many requests at once are useful; more would only wait for the processor."""
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
        RequestFailed: no accepted answer within the session's retries and deadline, or the server
            asked for a longer wait than `max_retry_wait`.
    """
    for attempt in range(session.retried, session.retries + 1):
        # Built anew each time: the last answer may have brought a newer sync token.
        whole = Request(
            request.method,
            request.origin,
            request.target,
            (*session.service.headers(), *request.headers),
            request.body,
            request.shown,
        )
        began = session.clock.monotonic()
        try:
            response = yield from perform(Send(whole, session.sign, session.deadline))
        except RequestFailed as unanswered:
            hint = session.service.hint(unanswered)
            if not hint:
                raise
            raise unanswered.with_hint(hint) from unanswered.__cause__
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
    """Return the seconds to wait before the next try, or None when there is to be none."""
    retryable = THROTTLED | FAILED if session.alone else THROTTLED
    if failure.status not in retryable or attempt == session.retries:
        return None
    pause = retry_pause(failure, attempt, session.random())
    left = session.deadline - session.clock.monotonic()
    return pause if pause <= min(session.max_retry_wait, left) else None


def retry_pause(failure: RequestFailed, attempt: int, jitter: float) -> float:
    """Return the seconds before another attempt; `jitter` is from 0 to 1."""
    if failure.retry_after is not None:
        return failure.retry_after
    return doubled(FIRST_PAUSE, attempt + 1, jitter)
