"""Doing a job at the first endpoint that answers.

A job begins anew at each endpoint, with the sentinels: what one endpoint said is never put together
with what another one holds.

The order of a round: an endpoint that cannot be reached or answers 5xx is left for the next one at
once. When none is left, DNS is asked for more, if it is time to. Then the endpoint that was tried
last is asked again after 0.4 and 0.8 s, since nobody else can be: only that one, and only if it
answered 500, 502, 503 or 504. An endpoint that was alone from the beginning repeats single
requests; one that had to wait for DNS begins the job anew.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from appconfig_provider._engine.access import Access, Turn, access_to, do_job
from appconfig_provider._engine.budgets import Budget
from appconfig_provider._engine.context import Context
from appconfig_provider._engine.discovery import discover
from appconfig_provider._engine.fleet import Endpoint, Fleet
from appconfig_provider._plan import Headers, Plan, Sleep, Steps, perform, plan
from appconfig_provider._rest.backoff import FREE, Backoff
from appconfig_provider._rest.exchange import FAILED, Session, retry_pause
from appconfig_provider._rest.failures import Kind, RequestFailed
from appconfig_provider._rest.tracing import Usage, correlation_context

logger = logging.getLogger("appconfig_provider")

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds a retry on the same endpoint may wait while somebody waits for `refresh()`."""


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """An endpoint did the job."""

    result: T
    fleet: Fleet


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Nobody did; one failure per endpoint tried."""

    failures: tuple[RequestFailed, ...]
    fleet: Fleet

    @property
    def permanent(self) -> bool:
        """True when every endpoint said something that waiting does not heal."""
        return bool(self.failures) and all(failure.permanent for failure in self.failures)


@dataclass(slots=True)
class _Round:
    """One round over the endpoints: who is still to be asked, and what came of the others."""

    context: Context
    fleet: Fleet
    budget: Budget
    usage: Usage | None
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
        return Exhausted((*self.failures.values(), *unasked), replace(self.fleet, outage=True))

    def dns_is_due(self) -> bool:
        """Tell whether DNS may be asked for more endpoints now."""
        return self.fleet.discovery.until <= self.context.clock.monotonic() < self.budget.until


@plan
def first_answer(
    context: Context,
    fleet: Fleet,
    budget: Budget,
    job: Callable[[Turn], Plan[T]],
    *,
    usage: Usage | None = None,
    force: bool = False,
) -> Steps[Answered[T] | Exhausted]:
    """Try the job at each endpoint in turn, and then at those that DNS names.

    `usage` is what the content loaded so far uses; None says that there is none yet. `force` asks
    endpoints that are backing off, too. Failures of the service move on to the next endpoint; the
    last one is asked again after a pause, where its trouble may pass. Anything else (the user's
    own code, bad content) is not the endpoint's fault and is raised.
    """
    now = math.inf if force else context.clock.monotonic()
    queue = deque(fleet.in_turn(now, balanced=context.options.store.balances))
    attempts = _Round(context, fleet, budget, usage, queue)
    while True:
        # The usual case, the first of them, is spared a plan.
        fresh = bool(queue) and not attempts.failures
        candidate = queue.popleft() if fresh else (yield from _next(attempts))
        if candidate is None:
            return attempts.exhausted
        answer = yield from _attempt(attempts, candidate, job)
        if answer is not None:
            balanced = context.options.store.balances
            _tell_who_answered(fleet, answer.fleet.last, attempts.failures, balanced=balanced)
            return answer


@plan
def _next(attempts: _Round) -> Steps[Endpoint | None]:
    """Return who is to be asked next; None when nobody is left, or no time."""
    if not attempts.queue and attempts.dns_is_due():
        yield from _find_newcomers(attempts)
    if not attempts.queue and attempts.broken_off is not None:
        yield from _wait_for_last(attempts, attempts.broken_off)
    late = attempts.context.clock.monotonic() >= attempts.budget.until
    # Somebody took all the time; those who were not asked are not backed off for it, so that the
    # next refresh asks them.
    if not attempts.queue or (late and attempts.failures):
        return None
    return attempts.queue.popleft()


@plan
def _find_newcomers(attempts: _Round) -> Steps[None]:
    """Look for endpoints that are not known yet."""
    known = {endpoint.store.url for endpoint in attempts.fleet.endpoints}
    attempts.fleet = yield from discover(attempts.context, attempts.fleet, attempts.budget.until)
    named = attempts.fleet.endpoints
    attempts.queue.extend(one for one in named if one.store.url not in known)


@plan
def _wait_for_last(attempts: _Round, last: Endpoint) -> Steps[None]:
    """Put the last endpoint back after a pause, now that DNS knows nobody else."""
    attempts.broken_off = None
    failure, context = attempts.failures[last.store.url], attempts.context
    pause = retry_pause(failure, 0, context.random())
    if pause > min(PATIENCE, attempts.budget.until - context.clock.monotonic()):
        return
    yield from perform(Sleep(pause))
    attempts.retried = 1
    now = attempts.fleet.of(last.store.url)
    # With its back-off of before: a round is one failure, however often it asks.
    attempts.queue.append(replace(now, backoff=last.backoff))


@plan
def _attempt(
    attempts: _Round, candidate: Endpoint, job: Callable[[Turn], Plan[T]]
) -> Steps[Answered[T] | None]:
    """Try the job at one endpoint; None when it failed."""
    context, url = attempts.context, candidate.store.url
    attempts.broken_off = None
    session: Session | None = None
    try:
        access = yield from access_to(context, candidate.store)
        session = _session(attempts, candidate, access)
        turn = Turn(session, attempts.budget, len(attempts.queue))
        result = yield from do_job(context, candidate.store, access, turn, job)
    except RequestFailed as failure:
        _note_failure(attempts, candidate, session, failure)
        return None
    fleet = attempts.fleet.having(_after(candidate, session), last=url)
    return Answered(result, fleet)


def _note_failure(
    attempts: _Round, candidate: Endpoint, session: Session | None, failure: RequestFailed
) -> None:
    """Remember that an attempt failed; there is no session where no token was to be had."""
    context, url = attempts.context, candidate.store.url
    tokens = candidate.tokens
    if session is not None:
        if failure.status in FAILED and context.options.network.retries and not session.alone:
            attempts.broken_off = candidate
        # What an endpoint said before it failed was said all the same.
        tokens = session.tokens
        failure = _in_words(failure, session, attempts.budget)
    attempts.failures[url] = failure
    longer = _longer(context, candidate.backoff, failure)
    attempts.fleet = attempts.fleet.having(replace(candidate, backoff=longer, tokens=tokens))


def _in_words(failure: RequestFailed, session: Session, budget: Budget) -> RequestFailed:
    """Return a failure that says which budget ended the attempt, if one did."""
    late = session.clock.monotonic() >= session.deadline
    ended = failure.kind is Kind.OUT_OF_TIME or (failure.status is None and late)
    if not ended or failure.original is not None:
        return failure
    detail = str(failure).removeprefix(f"{failure.origin}: ")
    told = f"{detail}: {budget.used_up(session.deadline)}"
    worded = RequestFailed(failure.kind, failure.origin, told)
    worded.__cause__ = failure.__cause__
    return worded


def _tell_who_answered(
    before: Fleet, url: str, failures: Mapping[str, RequestFailed], *, balanced: bool
) -> None:
    """Log once that the store answers after an outage, or that another endpoint does."""
    last = before.last or before.endpoints[0].store.url
    if url != last and not balanced:
        _tell_failover(before, url, failures)
    elif before.outage and before.last:
        # What a first load waits for is no outage: it has lines of its own.
        logger.info("%s answers again", url)


def _tell_failover(before: Fleet, url: str, failures: Mapping[str, RequestFailed]) -> None:
    """Log that another endpoint answers than did before, or than was given first."""
    urls = [endpoint.store.url for endpoint in before.endpoints]
    last = before.last or urls[0]
    if url in urls and last in urls and urls.index(url) < urls.index(last):
        logger.info("%s answers again, and is asked instead of %s", url, last)
        return
    failure = failures.get(last)
    why = "it is backing off"
    if failure is not None:
        why = f"it answered {failure.status}" if failure.status else failure.kind.value
    logger.info("failover from %s to %s: %s", last, url, why)


def _after(endpoint: Endpoint, session: Session) -> Endpoint:
    """Return an endpoint as it is known to be after it answered."""
    quickest = endpoint.round_trip if math.isinf(session.quickest) else session.quickest
    return Endpoint(endpoint.store, FREE, session.tokens, quickest, endpoint.discovered)


def _unasked(endpoint: Endpoint, budget: Budget) -> RequestFailed:
    problem = f"not asked, because the endpoints before it used up {budget.allowance.told}"
    return RequestFailed(Kind.OUT_OF_TIME, endpoint.store.url, problem)


def _longer(context: Context, backoff: Backoff, failure: RequestFailed) -> Backoff:
    return backoff.after_failure(
        context.clock.monotonic(),
        interval=context.options.refresh.interval,
        jitter=context.random(),
        at_least=failure.retry_after or 0.0,
    )


def _headers(attempts: _Round, candidate: Endpoint) -> Headers:
    """Return the headers of an attempt: the usual ones and what is in use."""
    context, usage = attempts.context, attempts.usage
    failover = any(url != candidate.store.url for url in attempts.failures)
    tags = (
        *(("UsesKeyVault",) if context.options.secrets.vaults.configured else ()),
        *(("Failover",) if failover else ()),
    )
    value = correlation_context(
        context.environment,
        usage or Usage(),
        startup=usage is None,
        replicas=len(attempts.fleet.endpoints) - 1,
        balanced=context.options.store.balances,
        tags=tags,
    )
    return (*context.headers, ("correlation-context", value)) if value else context.headers


def _session(attempts: _Round, endpoint: Endpoint, access: Access) -> Session:
    """Return the session of an attempt that begins now."""
    context, now = attempts.context, attempts.context.clock.monotonic()
    return Session(
        origin=endpoint.store.url,
        sign=access.sign,
        headers=_headers(attempts, endpoint),
        deadline=attempts.budget.share(now, len(attempts.queue)),
        patience=PATIENCE,
        retries=context.options.network.retries,
        clock=context.clock,
        random=context.random,
        alone=bool(attempts.retried) or not (attempts.queue or attempts.dns_is_due()),
        retried=attempts.retried,
        tokens=dict(endpoint.tokens),
        round_trip=endpoint.round_trip,
        most_lanes=context.most_lanes,
    )
