"""The first load: try every endpoint, wait, try again, until the budget is used up."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from functools import partial
from itertools import count

from appconfig_provider._engine.failover import Answered, Budget, Exhausted, Turn, first_answer
from appconfig_provider._engine.load import Loaded, load, to_values
from appconfig_provider._engine.state import Attempt, Context, Endpoint, State
from appconfig_provider._plan import Plan, Sleep, Steps, ask, plan
from appconfig_provider._rest.failures import EngineError, RequestFailed, public
from appconfig_provider.snapshot import make_snapshot

_WINDOWS = ((100.0, 5.0), (200.0, 10.0), (600.0, 30.0))
"""Until so many seconds have passed, wait so many seconds between rounds (as all providers do)."""


class NobodyAnswered(EngineError):
    """The start-up budget is used up; holds the last failure of each endpoint."""

    def __init__(self, failures: tuple[RequestFailed, ...], budget: float) -> None:
        told = "; ".join(str(failure) for failure in failures)
        super().__init__(f"no endpoint answered within startup_timeout={budget:g} s: {told}")
        self.failures = failures

    def as_public(self) -> Exception:
        from appconfig_provider.errors import StartupTimeout

        error = StartupTimeout(str(self), [public(failure) for failure in self.failures])
        error.__cause__ = error.causes[0] if error.causes else self
        return error


@plan
def start(context: Context) -> Steps[State]:
    """Return the first state.

    Raises:
        RequestFailed: every endpoint of a round said 400, 401, 403 or 404.
        NobodyAnswered: the budget is used up.
    """
    options = context.options
    began = context.clock.monotonic()
    deadline = began + options.load_budget
    endpoints = tuple(Endpoint(store) for store in options.stores)
    for attempt in count(1):
        job = partial(_load, context)
        answer = yield from first_answer(context, endpoints, endpoints, Budget(deadline), job)
        if isinstance(answer, Answered):
            return _first_state(context, answer)
        if answer.permanent:
            raise answer.failures[0]
        endpoints = answer.endpoints
        pause = _pause(context, answer, began, attempt)
        if pause is None:
            raise NobodyAnswered(answer.failures, options.startup_budget)
        yield from ask(Sleep(pause))
    raise AssertionError("the loop ends by returning or raising")


def _load(context: Context, turn: Turn) -> Plan[Loaded]:
    return load(turn.session, context.options)


def _pause(context: Context, answer: Exhausted, began: float, attempt: int) -> float | None:
    """Return the seconds until the next round, or None when no round fits into the budget."""
    elapsed = context.clock.monotonic() - began
    left = context.options.startup_budget - elapsed
    wanted = min(failure.retry_after or 0.0 for failure in answer.failures)
    if left < 0.5 or wanted >= left:
        return None
    late = min(30.0 * 2 ** min(attempt - 1, 32), 600.0)
    window = next((pause for until, pause in _WINDOWS if elapsed < until), late)
    # A short budget is not wasted on one long wait: half of what is left keeps time for a try.
    return max(wanted, min(window, left / 2))


def _first_state(context: Context, answer: Answered[Loaded]) -> State:
    options = context.options
    values, problems = to_values(answer.result, options)
    now, wall = context.moment()
    snapshot = make_snapshot(
        values,
        version=1,
        loaded_at=datetime.fromtimestamp(wall, timezone.utc),
        consistent=answer.result.consistent,
    )
    return State(
        snapshot=snapshot,
        selections=answer.result.selections,
        sentinels=answer.result.sentinels,
        problems=problems,
        endpoints=answer.endpoints,
        check_at=now + options.interval if options.watch else math.inf,
        attempt=Attempt(last=(now, wall), success=(now, wall), endpoint=answer.origin),
    )
