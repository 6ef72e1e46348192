"""The rounds of a first load: try every endpoint, wait, try again, until the budget is used up."""

from __future__ import annotations

import logging
from functools import partial
from itertools import count

from appconfig_provider._azure.budgets import startup_keyword
from appconfig_provider._azure.context import Context
from appconfig_provider._azure.endpoints.access import StoreAccess, rules
from appconfig_provider._azure.endpoints.discovery import discover
from appconfig_provider._azure.endpoints.order import first_endpoints
from appconfig_provider._azure.first_generation import MIN_WAIT, WINDOWS, NotInTime
from appconfig_provider._azure.listing.content import Known, Loaded
from appconfig_provider._azure.listing.load import load
from appconfig_provider._fetch.access import EndpointAttempt
from appconfig_provider._fetch.backoff import FIRST_BACKOFF, Backoff
from appconfig_provider._fetch.budget import Budget
from appconfig_provider._fetch.failures import as_one
from appconfig_provider._fetch.first_answer import Answered, Exhausted, first_answer
from appconfig_provider._plan import Plan, Sleep, Steps, perform, plan

logger = logging.getLogger("appconfig_provider")


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
    window = next((pause for until, pause in WINDOWS if elapsed < until), None)
    if window is None:
        late = Backoff(attempt - 1).after_failure(0.0, interval=FIRST_BACKOFF, jitter=0.0)
        window = late.until
    # At most half of the time that is left, so that a short budget is not used up by one wait.
    return max(wanted, min(window, left / 2))
