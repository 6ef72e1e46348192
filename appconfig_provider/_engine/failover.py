"""Doing a job at the first endpoint that answers.

A job begins anew at each endpoint, with the sentinels: what one endpoint said is never put together
with what another one holds.
"""

from __future__ import annotations

import base64
import math
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from appconfig_provider._engine.context import Context
from appconfig_provider._engine.discovery import discover
from appconfig_provider._engine.fleet import FREE, Backoff, Endpoint, Fleet
from appconfig_provider._plan import AcquireToken, Headers, Plan, Steps, ask, plan
from appconfig_provider._rest.exchange import Session
from appconfig_provider._rest.failures import Kind, RequestFailed
from appconfig_provider._rest.signing import access_key_signer, token_scope, token_signer
from appconfig_provider._rest.tracing import Usage, correlation_context
from appconfig_provider.models import Store
from appconfig_provider.texts import printable

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds a retry on the same endpoint may wait while somebody waits for `refresh()`."""


@dataclass(slots=True)
class Budget:
    """When a job must be over, on the monotonic clock; moved once, when a check finds work."""

    until: float
    extended: bool = False

    def extend(self, until: float) -> None:
        """Allow the load that a check found necessary its own time; the first word counts."""
        if not self.extended:
            self.until = until
            self.extended = True

    def share(self, now: float, untried: int) -> float:
        """Return the deadline of an attempt, so that endpoints not tried yet get their turn."""
        return now + (self.until - now) / (untried + 1)


@dataclass(frozen=True, slots=True)
class Turn:
    """An endpoint's turn: the session to use, and how to ask for the time of a whole load."""

    session: Session
    budget: Budget
    untried: int

    def begin_load(self, seconds: float) -> None:
        """Give the session the time of a load; called when the check found a change."""
        now = self.session.clock.monotonic()
        self.budget.extend(now + seconds)
        self.session.deadline = self.budget.share(now, self.untried)


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
    endpoints that are backing off, too. Failures of the service move on to the next endpoint.
    Anything else (the user's own code, bad content) is not the endpoint's fault and is raised.
    """
    now = math.inf if force else context.clock.monotonic()
    queue = deque(fleet.in_turn(now, balanced=context.options.balances))
    failures: list[RequestFailed] = []
    while True:
        if not queue:
            fleet, newcomers = yield from _newcomers(context, fleet, budget)
            queue.extend(newcomers)
        if not queue:
            return Exhausted(tuple(failures), fleet)
        if failures and context.clock.monotonic() >= budget.until:
            # Somebody took all the time; those who were not asked are not backed off for it, so
            # that the next refresh asks them.
            return Exhausted((*failures, *map(_unasked, queue)), fleet)
        candidate = queue.popleft()
        headers = _headers(context, fleet, usage, failover=bool(failures))
        session = _session(context, candidate, headers)
        try:
            turn = Turn(session, budget, len(queue))
            result = yield from _taken(context, candidate.store, turn, job)
        except RequestFailed as failure:
            failures.append(failure)
            longer = _longer(context, candidate.backoff, failure)
            # What an endpoint said before it failed was said all the same.
            fleet = fleet.having(replace(candidate, backoff=longer, tokens=session.tokens))
        else:
            fleet = fleet.having(_after(candidate, session), last=candidate.store.url)
            return Answered(result, fleet)


@plan
def _newcomers(
    context: Context, fleet: Fleet, budget: Budget
) -> Steps[tuple[Fleet, list[Endpoint]]]:
    """Look for endpoints that are not known yet, when it is time to."""
    now = context.clock.monotonic()
    if now < fleet.discovery.until or now >= budget.until:
        return fleet, []
    known = {endpoint.store.url for endpoint in fleet.endpoints}
    fleet = yield from discover(context, fleet, budget.until)
    return fleet, [one for one in fleet.endpoints if one.store.url not in known]


def _after(endpoint: Endpoint, session: Session) -> Endpoint:
    """Return an endpoint as it is known to be after it answered."""
    quickest = endpoint.round_trip if math.isinf(session.quickest) else session.quickest
    return Endpoint(endpoint.store, FREE, session.tokens, quickest, endpoint.discovered)


def _unasked(endpoint: Endpoint) -> RequestFailed:
    problem = "not asked, because the endpoints before it used up the time"
    return RequestFailed(Kind.OUT_OF_TIME, endpoint.store.url, problem)


def _longer(context: Context, backoff: Backoff, failure: RequestFailed) -> Backoff:
    return backoff.after_failure(
        context.clock.monotonic(),
        interval=context.options.interval,
        jitter=context.random(),
        at_least=failure.retry_after or 0.0,
    )


def _headers(context: Context, fleet: Fleet, usage: Usage | None, *, failover: bool) -> Headers:
    """Return the headers of an attempt: the usual ones and what is in use."""
    tags = (
        *(("UsesKeyVault",) if context.options.vaults.configured else ()),
        *(("Failover",) if failover else ()),
    )
    value = correlation_context(
        context.environment,
        usage or Usage(),
        startup=usage is None,
        replicas=len(fleet.endpoints) - 1,
        balanced=context.options.balances,
        tags=tags,
    )
    return (*context.headers, ("correlation-context", value)) if value else context.headers


@plan
def _taken(context: Context, store: Store, turn: Turn, job: Callable[[Turn], Plan[T]]) -> Steps[T]:
    """Do the job at one endpoint; once more with a new token when the first one is refused."""
    session, token = turn.session, None
    refusal: RequestFailed | None = None
    while True:
        if store.access_key is not None:
            session.sign = access_key_signer(store.access_key)
        else:
            token = yield from _token(context, store, token, refusal)
            session.sign = token_signer(token)
        session.deadline = turn.budget.share(context.clock.monotonic(), turn.untried)
        try:
            return (yield from job(turn))
        except RequestFailed as failure:
            if failure.status != 401 or token is None or refusal is not None:
                raise
            refusal = failure


def _session(context: Context, endpoint: Endpoint, headers: Headers) -> Session:
    """Return the session of a turn, which has yet to be told how to sign and until when."""
    return Session(
        origin=endpoint.store.url,
        sign=None,
        headers=headers,
        deadline=-math.inf,
        patience=PATIENCE,
        retries=context.options.retries,
        clock=context.clock,
        random=context.random,
        tokens=dict(endpoint.tokens),
        round_trip=endpoint.round_trip,
        most_lanes=context.most_lanes,
    )


@plan
def _token(
    context: Context, store: Store, refused: str | None, refusal: RequestFailed | None
) -> Steps[str]:
    """Ask the credential for a token; its refusal counts as the endpoint's 401."""
    credential = context.credential
    if credential is None:
        raise AssertionError("every store has an access key, or there is a credential")
    claims = claims_of(refusal.challenge) if refusal is not None and refusal.challenge else None
    scope = token_scope(store.url, context.options.audience)
    try:
        token = yield from ask(AcquireToken(credential, scope, refused, claims))
    except Exception as error:
        raise _credential_failure(store.url, error) from error
    return token.token


def _credential_failure(origin: str, error: Exception) -> Exception:
    """Return a credential's azure error as an endpoint's failure, anything else as it is."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError

    if not isinstance(error, AzureError):
        return error
    refused = isinstance(error, ClientAuthenticationError)
    kind = Kind.REFUSED if refused else Kind.UNREACHABLE
    text = f"the credential gave no token ({type(error).__name__}: {printable(error)})"
    failure = RequestFailed(kind, origin, text, status=401 if refused else None)
    failure.original = error
    return failure


def claims_of(challenge: str) -> str | None:
    """Return what a 401 wants the next token to hold (continuous access evaluation)."""
    match = re.search(r'claims="([^"]+)"', challenge)
    if match is None:
        return None
    try:
        return base64.urlsafe_b64decode(match[1] + "==").decode("utf-8")
    except ValueError:
        return None
