"""Doing a job at the first endpoint that answers.

A job begins anew at each endpoint, so that answers of two endpoints are never mixed.

The order of a round:

1. The endpoints are tried in order. One that cannot be reached or answers 5xx is left at once.
2. When all have failed, the source looks for more endpoints, if a look-up is due.
3. When there are none, the endpoint that was tried last is tried again after 0.4 s, if it answered
   500, 502, 503 or 504: the job begins anew there. Its requests may be repeated now, the first time
   after 0.8 s (see `exchange`).

Where there is only one endpoint and no look-up is due, its requests may be repeated from the start,
after 0.4 and 0.8 s, so step 3 is not needed.
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
    """No endpoint did the job."""

    failures: tuple[RequestFailed, ...]
    """One of each endpoint that was a candidate in this round."""
    endpoints: Endpoints

    @property
    def permanent(self) -> bool:
        """True when every endpoint failed in a way that waiting does not heal."""
        return bool(self.failures) and all(failure.permanent for failure in self.failures)


@dataclass(slots=True)
class _Round:
    """One round over the endpoints: those still to try, and the failures of the others."""

    access: EndpointAccess
    rules: RoundRules
    endpoints: Endpoints
    budget: Budget
    queue: deque[Endpoint]
    failures: dict[str, RequestFailed] = field(default_factory=dict)
    """By the endpoint's address, in the order of the attempts."""
    to_retry: Endpoint | None = None
    """The endpoint that was tried last, as it was before that, if it may be tried once more."""
    retried: int = 0
    """How many of its retries the endpoint of step 3 has used."""

    @property
    def exhausted(self) -> Exhausted:
        """The result of a round in which no endpoint did the job."""
        not_tried = [_not_tried(endpoint, self.budget) for endpoint in self.queue]
        failures = (*self.failures.values(), *not_tried)
        return Exhausted(failures, replace(self.endpoints, outage=True))

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
    """Try the job at each endpoint, and then at those that a look-up finds.

    `force` also tries endpoints that are backing off. A `RequestFailed` leads to the next endpoint.
    Any other exception (of the user's own code, or of bad content) is not the endpoint's fault and
    is raised.
    """
    now = math.inf if force else rules.clock.monotonic()
    queue = deque(endpoints.candidates(now, balanced=rules.balanced))
    attempts = _Round(access, rules, endpoints, budget, queue)
    while True:
        # The first endpoint needs no plan to be chosen; this saves time in almost every refresh.
        is_first = bool(queue) and not attempts.failures
        candidate = queue.popleft() if is_first else (yield from _next(attempts))
        if candidate is None:
            return attempts.exhausted
        answer = yield from _try_endpoint(attempts, candidate, job)
        if answer is not None:
            failures, balanced = attempts.failures, rules.balanced
            _log_who_answered(endpoints, answer.endpoints.last, failures, balanced=balanced)
            return answer


@plan
def _next(attempts: _Round) -> Steps[Endpoint | None]:
    """Return the endpoint to try next; None when none is left, or no time."""
    if not attempts.queue and attempts.look_up_is_due():
        yield from _look_up_more(attempts)
    if not attempts.queue and attempts.to_retry is not None:
        yield from _queue_again(attempts, attempts.to_retry)
    late = attempts.rules.clock.monotonic() >= attempts.budget.until
    # Endpoints that are still in the queue get no back-off, so the next refresh tries them.
    if not attempts.queue or (late and attempts.failures):
        return None
    return attempts.queue.popleft()


@plan
def _look_up_more(attempts: _Round) -> Steps[None]:
    """Look up endpoints, and add those to the queue that were not known yet."""
    known = {endpoint.store.url for endpoint in attempts.endpoints.all}
    attempts.endpoints = yield from attempts.access.discover(
        attempts.endpoints, attempts.budget.until
    )
    found = attempts.endpoints.all
    attempts.queue.extend(one for one in found if one.store.url not in known)


@plan
def _queue_again(attempts: _Round, last: Endpoint) -> Steps[None]:
    """Put the endpoint that was tried last into the queue again, after a pause that must fit."""
    attempts.to_retry = None
    failure, rules = attempts.failures[last.store.url], attempts.rules
    pause = retry_pause(failure, 0, rules.random())
    if pause > min(MAX_RETRY_WAIT, attempts.budget.until - rules.clock.monotonic()):
        return
    yield from perform(Sleep(pause))
    attempts.retried = 1
    now = attempts.endpoints.by_url(last.store.url)
    # With the back-off it had before: a round counts as one failure, however often it tries.
    attempts.queue.append(replace(now, backoff=last.backoff))


@plan
def _try_endpoint(
    attempts: _Round, candidate: Endpoint, job: Callable[[EndpointAttempt], Plan[T]]
) -> Steps[Answered[T] | None]:
    """Try the job at one endpoint; return None, and remember the failure, when it failed."""
    access, budget, untried = attempts.access, attempts.budget, len(attempts.queue)
    attempts.to_retry = None
    session: Session | None = None
    try:
        session = yield from access.open_session(
            lambda: _attempt_start(attempts, candidate), candidate
        )
        result = yield from _do_job(access, EndpointAttempt(session, budget, untried), job)
    except RequestFailed as failure:
        _note_failure(attempts, candidate, session, failure)
        return None
    quickest = candidate.round_trip if math.isinf(session.quickest) else session.quickest
    memory = access.memory(session)
    healthy = Endpoint(candidate.store, FREE, memory, quickest, candidate.discovered)
    return Answered(result, attempts.endpoints.replaced(healthy, last=candidate.store.url))


def _attempt_start(attempts: _Round, endpoint: Endpoint) -> AttemptStart:
    now, url = attempts.rules.clock.monotonic(), endpoint.store.url
    return AttemptStart(
        rules=attempts.rules,
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
    """Do the job at one endpoint.

    It begins again, once each: on new connections when answers were displaced, and with a new token
    when a 401 refused the first one.
    """
    session = attempt.session
    token_renewed = False
    while True:
        try:
            return (yield from job(attempt))
        except RequestFailed as failure:
            if not session.displaced and (yield from _displaced(session.origin, failure)):
                session.displaced = True  # the driver uses new connections from now on
            elif failure.status != 401 or token_renewed:
                raise
            else:
                token_renewed = True
                if not (yield from access.renew(session, failure)):
                    raise
        session.deadline = attempt.budget.share(session.clock.monotonic(), attempt.untried)


@plan
def _displaced(origin: str, failure: RequestFailed) -> Steps[bool]:
    """Tell whether answers may have been displaced: read as the answers to other requests."""
    if failure.kind is not Kind.MALFORMED:
        return failure.kind is Kind.UNSOLICITED
    try:
        # An answer that cannot be understood may belong to another request. Then the right one is
        # still waiting on a connection.
        yield from perform(VerifyConnections(origin))
    except RequestFailed:
        return True
    return False


def _note_failure(
    attempts: _Round, candidate: Endpoint, session: Session | None, failure: RequestFailed
) -> None:
    """Remember that an attempt failed; `session` is None when none could be opened."""
    rules, memory = attempts.rules, candidate.memory
    if session is not None:
        if failure.status in FAILED and rules.retries and not session.alone:
            attempts.to_retry = candidate
        # Sync tokens of earlier answers count, though a later request failed.
        memory = attempts.access.memory(session)
        failure = _naming_budget(failure, session, attempts.budget)
    attempts.failures[candidate.store.url] = failure
    backoff = candidate.backoff.after_failure(
        rules.clock.monotonic(),
        interval=rules.interval,
        jitter=rules.random(),
        at_least=failure.retry_after or 0.0,
    )
    attempts.endpoints = attempts.endpoints.replaced(
        replace(candidate, backoff=backoff, memory=memory)
    )


def _naming_budget(failure: RequestFailed, session: Session, budget: Budget) -> RequestFailed:
    """Return the failure; if a budget ended the attempt, with a message that names the budget."""
    late = session.clock.monotonic() >= session.deadline
    ended = failure.kind is Kind.OUT_OF_TIME or (failure.status is None and late)
    if not ended or failure.original is not None:
        return failure
    detail = str(failure).removeprefix(f"{failure.origin}: ")
    message = f"{detail}: {budget.used_up(session.deadline)}"
    named = RequestFailed(failure.kind, failure.origin, message)
    named.__cause__ = failure.__cause__
    return named


def _log_who_answered(
    before: Endpoints, url: str, failures: Mapping[str, RequestFailed], *, balanced: bool
) -> None:
    """Log that the store answers again after an outage, or that another endpoint answered.

    `before` are the endpoints as they were before the round. Endpoints that take turns
    (`balanced`) change all the time, so that is not logged.
    """
    last = before.last or before.all[0].store.url
    if url != last and not balanced:
        _log_failover(before, url, failures)
    elif before.outage and before.last:
        # Not in a first load (`last` is empty then): it logs lines of its own while it waits.
        logger.info("%s answers again", url)


def _log_failover(before: Endpoints, url: str, failures: Mapping[str, RequestFailed]) -> None:
    """Log that another endpoint answered than the last time; at first, than the first one given."""
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


def _not_tried(endpoint: Endpoint, budget: Budget) -> RequestFailed:
    problem = f"not asked, because the endpoints before it used up {budget.allowance.message}"
    return RequestFailed(Kind.OUT_OF_TIME, endpoint.store.url, problem)
