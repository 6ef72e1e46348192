"""One refresh: from a state to the next.

Nothing moved: only the timer does. Something moved: load, convert, compare. Nobody answered: the
endpoints back off and the old generation stays. A refresh never raises; what went wrong is part of
its outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial

from appconfig_provider._engine.failover import Answered, Budget, Exhausted, Turn, first_answer
from appconfig_provider._engine.load import Loaded, load, to_values
from appconfig_provider._engine.state import Backoff, Context, Rejected, State
from appconfig_provider._engine.watch import read_sentinels
from appconfig_provider._plan import Steps, plan
from appconfig_provider._rest.failures import public
from appconfig_provider.snapshot import ChangeSet, compare, make_snapshot


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state after a refresh; `changes` when it is a new generation, `error` when it failed."""

    state: State
    changes: ChangeSet | None = None
    error: Exception | None = None


@plan
def refresh(context: Context, state: State, *, force: bool) -> Steps[Outcome]:
    """Ask the sentinels, load if one moved, and return the state that follows."""
    now, wall = context.moment()
    options = context.options
    state = replace(state, attempt=replace(state.attempt, last=(now, wall)))
    candidates = [
        endpoint for endpoint in state.endpoints if force or endpoint.backoff.until <= now
    ]
    budget = Budget(now + options.check_budget)
    try:
        answer = yield from first_answer(
            context, state.endpoints, candidates, budget, partial(_job, context, state, force)
        )
    except Exception as error:
        return _failed(state.rearmed(context.clock.monotonic(), options.interval), error)
    if isinstance(answer, Exhausted):
        return _failed(replace(state, endpoints=answer.endpoints), answer.failures[0])
    return _answered(context, state, answer)


@plan
def _job(context: Context, state: State, force: bool, turn: Turn) -> Steps[Loaded | None]:
    """Return what was loaded, or None when nothing moved."""
    options = context.options
    sentinels = yield from read_sentinels(turn.session, options.watch, state.sentinels)
    if sentinels == state.sentinels:
        return None
    rejected = state.rejected
    if rejected and rejected.sentinels == sentinels and not force:
        resting = context.clock.monotonic() < rejected.backoff.until
        if resting:
            return None
    turn.begin_load(options.load_budget)
    return (yield from load(turn.session, options, sentinels, state.selections))


def _failed(state: State, error: Exception) -> Outcome:
    shown = public(error)
    return Outcome(replace(state, attempt=replace(state.attempt, error=shown)), error=shown)


def _answered(context: Context, state: State, answer: Answered[Loaded | None]) -> Outcome:
    moment = context.moment()
    attempt = replace(state.attempt, success=moment, error=None, endpoint=answer.origin)
    state = replace(state, endpoints=answer.endpoints).rearmed(moment[0], context.options.interval)
    if answer.result is None:
        # While a newer generation stands rejected, nobody has confirmed the one being served.
        return Outcome(state if state.rejected else replace(state, attempt=attempt))
    try:
        return _published(context, replace(state, attempt=attempt), answer.result)
    except Exception as error:
        return _rejected(context, state, answer.result, error)


def _published(context: Context, state: State, loaded: Loaded) -> Outcome:
    values, problems = to_values(loaded, context.options)
    _, wall = context.moment()
    snapshot = make_snapshot(
        values,
        version=state.snapshot.version + 1,
        loaded_at=datetime.fromtimestamp(wall, timezone.utc),
        consistent=loaded.consistent,
    )
    changes = compare(state.snapshot, snapshot, "sentinel")
    following = replace(
        state,
        snapshot=snapshot,
        selections=loaded.selections,
        sentinels=loaded.sentinels,
        problems=problems,
        rejected=None,
    )
    return Outcome(following, changes)


def _rejected(context: Context, state: State, loaded: Loaded, error: Exception) -> Outcome:
    """Keep the old generation, and remember which one was refused."""
    before = state.rejected
    again = before is not None and before.sentinels == loaded.sentinels
    backoff = before.backoff if before is not None and again else Backoff()
    longer = backoff.after_failure(
        context.clock.monotonic(), interval=context.options.interval, jitter=context.random()
    )
    return _failed(replace(state, rejected=Rejected(loaded.sentinels, longer)), error)
