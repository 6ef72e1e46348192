"""The rounds of a first load: try every endpoint, wait, try again, until the budget is used up."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from itertools import count

from appconfig_provider._azure.budgets import startup_keyword
from appconfig_provider._azure.context import Context
from appconfig_provider._azure.endpoints.access import StoreAccess, rules
from appconfig_provider._azure.endpoints.discovery import discover
from appconfig_provider._azure.endpoints.order import first_endpoints
from appconfig_provider._azure.generation import Generation, Limits, Previous, build
from appconfig_provider._azure.listing.content import Content, Known, Loaded
from appconfig_provider._azure.listing.load import load
from appconfig_provider._azure.options import SecretPolicy
from appconfig_provider._azure.rest.refusals import public
from appconfig_provider._azure.secrets.rotation import Reading, Reads, Secrets
from appconfig_provider._azure.settings.references import UnresolvedReference
from appconfig_provider._fetch.access import EndpointAttempt
from appconfig_provider._fetch.backoff import FIRST_BACKOFF, Backoff
from appconfig_provider._fetch.budget import Allowed, Budget
from appconfig_provider._fetch.failures import OutOfTime, as_one
from appconfig_provider._fetch.first_answer import Answered, Exhausted, first_answer
from appconfig_provider._plan import Plan, Sleep, Steps, perform, plan
from appconfig_provider.trouble import EngineError

logger = logging.getLogger("appconfig_provider")

_WINDOWS = ((100.0, 5.0), (200.0, 10.0), (600.0, 30.0))
"""Pairs of seconds: until the first number has passed since the start, rounds are the second number
apart. All official providers use these numbers."""

MIN_WAIT = 0.5
"""Seconds. With less time left there is no further attempt: it could hardly succeed."""


class NotInTime(EngineError):
    """The start-up budget is used up; `causes` are the errors of the attempts."""

    def __init__(self, message: str, causes: Sequence[EngineError], budget: str = "") -> None:
        # Each cause may end with the name of the budget; the message names it only once.
        texts = [str(cause).removesuffix(f": {budget} was used up") for cause in causes]
        super().__init__(f"{message}: {'; '.join(texts)}")
        self.causes = causes

    def as_public(self) -> Exception:
        from appconfig_provider.errors import StartupTimeout

        # The causes are not chained: a traceback for each would hide the message, which has all.
        return StartupTimeout(str(self), [public(cause) for cause in self.causes])


class NobodyAnswered(NotInTime):
    """Every endpoint failed until the budget was used up; has the last failure of each."""

    def __init__(self, answer: Exhausted, budget: str) -> None:
        super().__init__(f"no usable answer within {budget}", answer.failures, budget)
        self.failures = answer.failures
        self.endpoints = answer.endpoints


@plan
def load_first(
    context: Context, known: Known, budget: Budget, began: float
) -> Steps[Answered[Loaded]]:
    """Load from the first endpoint that answers; ask all of them, round by round, until one does.

    Raises:
        RequestFailed: every endpoint of a round answered 400, 401, 403 or 404.
        NobodyAnswered: the budget is used up.
    """
    options = context.options
    endpoints = first_endpoints(options)
    if options.store.balances and began >= endpoints.discovery.until:
        endpoints = yield from discover(context, endpoints, budget.until)
    job = partial(_load, context, known)
    for attempt in count(1):
        answer = yield from first_answer(
            StoreAccess(context), rules(context), endpoints, budget, job, force=True
        )
        if isinstance(answer, Answered):
            return answer
        if answer.permanent:
            raise as_one(answer.failures)
        endpoints = answer.endpoints
        pause = _pause(context, answer, began, attempt)
        if pause is None:
            raise NobodyAnswered(answer, startup_keyword(options))
        logger.warning(
            "no endpoint gave a usable answer yet; next try in %.1f s: %s",
            pause,
            str(as_one(answer.failures)),
        )
        yield from perform(Sleep(pause))
    raise AssertionError("the loop ends by returning or raising")


def _load(context: Context, known: Known, attempt: EndpointAttempt) -> Plan[Loaded]:
    return load(attempt.session, context.options, known)


def _pause(context: Context, answer: Exhausted, began: float, attempt: int) -> float | None:
    """Return the seconds until the next round, or None when no round fits into the budget."""
    elapsed = context.clock.monotonic() - began
    left = context.options.startup.seconds - elapsed
    wanted = min(failure.retry_after or 0.0 for failure in answer.failures)
    if left < MIN_WAIT or wanted >= left:
        return None
    window = next((pause for until, pause in _WINDOWS if elapsed < until), None)
    if window is None:
        late = Backoff(attempt - 1).after_failure(0.0, interval=FIRST_BACKOFF, jitter=0.0)
        window = late.until
    # At most half of the time that is left, so that a short budget is not used up by one wait.
    return max(wanted, min(window, left / 2))


@plan
def first_generation(
    context: Context, content: Content, allowed: Allowed, copy_of: datetime | None = None
) -> Steps[Generation]:
    """Build the first generation; `copy_of` is when the content of a copy was loaded.

    After a passing error of a vault only the secrets are read again; the content stays.
    """
    options = context.options
    policy = options.secrets.policy or SecretPolicy.RAISE
    read: Secrets = {}
    while True:
        limits = Limits(1, Reads(allowed, policy, Reading.OWED), copy_of=copy_of)
        try:
            return (yield from build(context, content, Previous(read), limits))
        except OutOfTime as failure:
            raise NotInTime("not loaded in time", (failure,)) from failure
        except UnresolvedReference as failure:
            if failure.out_of_time:
                raise NotInTime("not loaded in time", (failure,)) from failure
            left = allowed.until - context.clock.monotonic()
            if not failure.may_heal or left < MIN_WAIT or not options.startup.seconds:
                raise
            yield from perform(Sleep(min(_WINDOWS[0][1], left / 2)))
            read = {**read, **limits.reads.results.found}
