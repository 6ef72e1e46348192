"""Doing a job at the first endpoint that answers.

A job begins anew at each endpoint: what one endpoint said is never put together with what another
one holds.

The order of a round: an endpoint that cannot be reached or answers 5xx is left for the next one at
once. When none is left, the source is asked for more, if it is time to. Then the endpoint that was
tried last is asked again after 0.4 and 0.8 s, since nobody else can be: only that one, and only if
it answered 500, 502, 503 or 504. An endpoint that was alone from the beginning repeats single
requests; one that had to wait for a look-up begins the job anew.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from appconfig_provider._fetch.access import (
    AttemptStart,
    EndpointAccess,
    EndpointAttempt,
    RoundRules,
)
from appconfig_provider._fetch.backoff import FREE
from appconfig_provider._fetch.budget import Budget
from appconfig_provider._fetch.endpoints import Endpoint, Endpoints
from appconfig_provider._fetch.exchange import FAILED, MAX_RETRY_WAIT, Session, retry_pause
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Plan, Sleep, Steps, VerifyConnections, perform, plan

logger = logging.getLogger("appconfig_provider")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """An endpoint did the job."""

    result: T
    endpoints: Endpoints


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Nobody did; one failure per endpoint tried."""

    failures: tuple[RequestFailed, ...]
    endpoints: Endpoints

    @property
    def permanent(self) -> bool:
        """True when every endpoint said something that waiting does not heal."""
        return bool(self.failures) and all(failure.permanent for failure in self.failures)


@dataclass(slots=True)
class _Round:
    """One round over the endpoints: who is still to be asked, and what came of the others."""

    access: EndpointAccess
    rules: RoundRules
    endpoints: Endpoints
    budget: Budget
    queue: deque[Endpoint]
    failures: dict[str, RequestFailed] = field(default_factory=dict)
    """By endpoint, in the order of the attempts."""
    broken_off: Endpoint | None = None
    """The endpoint tried last, as it was before, if it said 5xx and was not asked again yet."""
    retried: int = 0

    @property
    def exhausted(self) -> Exhausted:
        """What is known when nobody did the job."""
        unasked = [_unasked(endpoint, self.budget) for endpoint in self.queue]
        return Exhausted((*self.failures.values(), *unasked), replace(self.endpoints, outage=True))

    def look_up_is_due(self) -> bool:
        """Tell whether the source may be asked for more endpoints now."""
        return self.endpoints.discovery.until <= self.rules.clock.monotonic() < self.budget.until


@plan
def first_answer(
    access: EndpointAccess,
    rules: RoundRules,
    endpoints: Endpoints,
    budget: Budget,
    job: Callable[[EndpointAttempt], Plan[T]],
    *,
    force: bool = False,
) -> Steps[Answered[T] | Exhausted]:
    """Try the job at each endpoint in turn, and then at those that a look-up names.

    `force` asks endpoints that are backing off, too. Failures of the service move on to the next
    endpoint; the last one is asked again after a pause, where its trouble may pass. Anything else
    (the user's own code, bad content) is not the endpoint's fault and is raised.
    """
    now = math.inf if force else rules.clock.monotonic()
    queue = deque(endpoints.candidates(now, balanced=rules.balanced))
    attempts = _Round(access, rules, endpoints, budget, queue)
    while True:
        # The usual case, the first of them, is spared a plan.
        fresh = bool(queue) and not attempts.failures
        candidate = queue.popleft() if fresh else (yield from _next(attempts))
        if candidate is None:
            return attempts.exhausted
        answer = yield from _try_endpoint(attempts, candidate, job)
        if answer is not None:
            failures, balanced = attempts.failures, rules.balanced
            _tell_who_answered(endpoints, answer.endpoints.last, failures, balanced=balanced)
            return answer


@plan
def _next(attempts: _Round) -> Steps[Endpoint | None]:
    """Return who is to be asked next; None when nobody is left, or no time."""
    if not attempts.queue and attempts.look_up_is_due():
        yield from _find_newcomers(attempts)
    if not attempts.queue and attempts.broken_off is not None:
        yield from _wait_for_last(attempts, attempts.broken_off)
    late = attempts.rules.clock.monotonic() >= attempts.budget.until
    # Somebody took all the time; those who were not asked are not backed off for it, so that the
    # next refresh asks them.
    if not attempts.queue or (late and attempts.failures):
        return None
    return attempts.queue.popleft()


@plan
def _find_newcomers(attempts: _Round) -> Steps[None]:
    """Look for endpoints that are not known yet."""
    known = {endpoint.store.url for endpoint in attempts.endpoints.all}
    attempts.endpoints = yield from attempts.access.discover(
        attempts.endpoints, attempts.budget.until
    )
    named = attempts.endpoints.all
    attempts.queue.extend(one for one in named if one.store.url not in known)


@plan
def _wait_for_last(attempts: _Round, last: Endpoint) -> Steps[None]:
    """Put the last endpoint back after a pause, now that nobody else is known."""
    attempts.broken_off = None
    failure, rules = attempts.failures[last.store.url], attempts.rules
    pause = retry_pause(failure, 0, rules.random())
    if pause > min(MAX_RETRY_WAIT, attempts.budget.until - rules.clock.monotonic()):
        return
    yield from perform(Sleep(pause))
    attempts.retried = 1
    now = attempts.endpoints.of(last.store.url)
    # With its back-off of before: a round is one failure, however often it asks.
    attempts.queue.append(replace(now, backoff=last.backoff))


@plan
def _try_endpoint(
    attempts: _Round, candidate: Endpoint, job: Callable[[EndpointAttempt], Plan[T]]
) -> Steps[Answered[T] | None]:
    """Try the job at one endpoint; None when it failed."""
    access, budget, untried = attempts.access, attempts.budget, len(attempts.queue)
    attempts.broken_off = None
    session: Session | None = None
    try:
        session = yield from access.open_session(lambda: _visit(attempts, candidate), candidate)
        result = yield from _do_job(access, EndpointAttempt(session, budget, untried), job)
    except RequestFailed as failure:
        _note_failure(attempts, candidate, session, failure)
        return None
    quickest = candidate.round_trip if math.isinf(session.quickest) else session.quickest
    memory = access.memory(session)
    well = Endpoint(candidate.store, FREE, memory, quickest, candidate.discovered)
    return Answered(result, attempts.endpoints.having(well, last=candidate.store.url))


def _visit(attempts: _Round, endpoint: Endpoint) -> AttemptStart:
    now, url = attempts.rules.clock.monotonic(), endpoint.store.url
    return AttemptStart(
        endpoint=endpoint,
        deadline=attempts.budget.share(now, len(attempts.queue)),
        failover=any(failed != url for failed in attempts.failures),
        known=len(attempts.endpoints.all),
        alone=bool(attempts.retried) or not (attempts.queue or attempts.look_up_is_due()),
        retried=attempts.retried,
    )


@plan
def _do_job(
    access: EndpointAccess, attempt: EndpointAttempt, job: Callable[[EndpointAttempt], Plan[T]]
) -> Steps[T]:
    """Do the job at one endpoint; once more by other means when the first ones are refused."""
    session = attempt.session
    refused = False
    while True:
        try:
            return (yield from job(attempt))
        except RequestFailed as failure:
            if not session.displaced and (yield from _displaced(session.origin, failure)):
                session.displaced = True  # the driver uses new connections from now on
            elif failure.status != 401 or refused:
                raise
            else:
                refused = True
                if not (yield from access.renew(session, failure)):
                    raise
        session.deadline = attempt.budget.share(session.clock.monotonic(), attempt.untried)


@plan
def _displaced(origin: str, failure: RequestFailed) -> Steps[bool]:
    """Tell whether answers of an endpoint may have been taken for others."""
    if failure.kind is not Kind.MALFORMED:
        return failure.kind is Kind.UNASKED
    try:
        # What makes no sense may be the answer to something else.
        yield from perform(VerifyConnections(origin))
    except RequestFailed:
        return True
    return False


def _note_failure(
    attempts: _Round, candidate: Endpoint, session: Session | None, failure: RequestFailed
) -> None:
    """Remember that an attempt failed; there is no session where nobody was let in."""
    rules, memory = attempts.rules, candidate.memory
    if session is not None:
        if failure.status in FAILED and rules.retries and not session.alone:
            attempts.broken_off = candidate
        # What an endpoint said before it failed was said all the same.
        memory = attempts.access.memory(session)
        failure = _in_words(failure, session, attempts.budget)
    attempts.failures[candidate.store.url] = failure
    longer = candidate.backoff.after_failure(
        rules.clock.monotonic(),
        interval=rules.interval,
        jitter=rules.random(),
        at_least=failure.retry_after or 0.0,
    )
    attempts.endpoints = attempts.endpoints.having(
        replace(candidate, backoff=longer, memory=memory)
    )


def _in_words(failure: RequestFailed, session: Session, budget: Budget) -> RequestFailed:
    """Return a failure that says which budget ended the attempt, if one did."""
    late = session.clock.monotonic() >= session.deadline
    ended = failure.kind is Kind.OUT_OF_TIME or (failure.status is None and late)
    if not ended or failure.original is not None:
        return failure
    detail = str(failure).removeprefix(f"{failure.origin}: ")
    message = f"{detail}: {budget.used_up(session.deadline)}"
    worded = RequestFailed(failure.kind, failure.origin, message)
    worded.__cause__ = failure.__cause__
    return worded


def _tell_who_answered(
    before: Endpoints, url: str, failures: Mapping[str, RequestFailed], *, balanced: bool
) -> None:
    """Log once that the store answers after an outage, or that another endpoint does."""
    last = before.last or before.all[0].store.url
    if url != last and not balanced:
        _tell_failover(before, url, failures)
    elif before.outage and before.last:
        # What a first load waits for is no outage: it has lines of its own.
        logger.info("%s answers again", url)


def _tell_failover(before: Endpoints, url: str, failures: Mapping[str, RequestFailed]) -> None:
    """Log that another endpoint answers than did before, or than was given first."""
    urls = [endpoint.store.url for endpoint in before.all]
    last = before.last or urls[0]
    if url in urls and last in urls and urls.index(url) < urls.index(last):
        logger.info("%s answers again, and is asked instead of %s", url, last)
        return
    failure = failures.get(last)
    why = "it is backing off"
    if failure is not None:
        why = f"it answered {failure.status}" if failure.status else failure.kind.value
    logger.info("failover from %s to %s: %s", last, url, why)


def _unasked(endpoint: Endpoint, budget: Budget) -> RequestFailed:
    problem = f"not asked, because the endpoints before it used up {budget.allowance.message}"
    return RequestFailed(Kind.OUT_OF_TIME, endpoint.store.url, problem)
