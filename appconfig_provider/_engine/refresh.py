"""One refresh: from a state to the next.

Nothing moved: only timers do. Something moved: load, build, compare. Nobody answered: the endpoints
back off and the old generation stays. A refresh never raises; what went wrong is part of its
outcome.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

from appconfig_provider._engine.access import Turn
from appconfig_provider._engine.budgets import Budget, check_budget
from appconfig_provider._engine.context import Context
from appconfig_provider._engine.failover import Answered, Exhausted, first_answer
from appconfig_provider._engine.fleet import FIRST_BACKOFF, Backoff
from appconfig_provider._engine.generation import Generation, Held, Terms, build
from appconfig_provider._engine.load import Content, lister, load_after, with_references
from appconfig_provider._engine.pages import Lister, Selections, moved
from appconfig_provider._engine.secrets import FRESH
from appconfig_provider._engine.state import Attempt, Due, Rejected, State
from appconfig_provider._engine.watch import read_sentinels
from appconfig_provider._plan import Plan, Steps, plan, together
from appconfig_provider._rest.failures import RequestFailed
from appconfig_provider._rest.responses import Sentinel
from appconfig_provider.options import Options
from appconfig_provider.snapshot import ChangeSet, compare
from appconfig_provider.trouble import EngineError, public, told


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state after a refresh; `changes` when it is a new generation, `error` when it failed."""

    state: State
    changes: ChangeSet | None = None
    error: Exception | None = None
    told: str = ""
    """What a log line may say of the error."""

    @property
    def quiet(self) -> bool:
        """True when there is nothing to call anybody back about."""
        return self.changes is None and self.error is None


@dataclass(frozen=True, slots=True)
class Found:
    """What the store said: content that moved and why it was loaded, or that it cannot be used."""

    content: Content
    sentinels: tuple[Sentinel, ...]
    reason: str
    refused: EngineError | None = None


CONFIRMED = Found(Content(), (), "confirmed")
"""The store holds what is being served, though something newer was rejected before."""


SAME = "same"
"""The reason of content that holds what is being served, though perhaps in other pages."""


@plan
def refresh(context: Context, state: State, *, force: bool) -> Steps[Outcome]:
    """Look at what is due, load what moved, and return the state that follows."""
    now, _ = began = context.moment()
    due = state.what_is_due(now, force=force)
    attempt = state.attempt.again(began)
    budget = check_budget(context)
    found: Found | None = None
    if due.store:
        try:
            answer = yield from _ask_the_store(context, state, due, budget, force=force)
        except Exception as error:
            # Not the endpoint's fault, so no back-off; every attempt moves the timers.
            return _failed(_postponed(context, replace(state, attempt=attempt), due), error)
        if isinstance(answer, Exhausted):
            tried = replace(state, fleet=answer.fleet, attempt=attempt)
            return _failed(tried, answer.failures[0])
        found = answer.result
        state = _answered(context, state, answer, due, attempt)
    else:
        state = replace(state.rearmed(now, context.options, due), attempt=attempt)
    if found is not None and found.reason == SAME:
        same, found = found.content, None
        state = state if same is state.content else replace(state, content=same)
    if (found is None or found is CONFIRMED) and not due.secrets:
        return Outcome(state)
    return (yield from _new_generation(context, state, found, due, budget))


def _postponed(context: Context, state: State, due: Due) -> State:
    """Return the state after an attempt that failed by itself; a pushed event stays wanted."""
    later = context.clock.monotonic()
    following = state.rearmed(later, context.options, due)
    soon = later + min(FIRST_BACKOFF, context.options.interval)
    push = max(state.timers.push, soon)
    return replace(following, timers=replace(following.timers, push=push))


def _ask_the_store(
    context: Context, state: State, due: Due, budget: Budget, *, force: bool
) -> Plan[Answered[Found] | Exhausted]:
    job = partial(_look, context, state, due, force)
    return first_answer(context, state.fleet, budget, job, usage=state.usage, force=force)


@plan
def _look(context: Context, state: State, due: Due, force: bool, turn: Turn) -> Steps[Found]:
    """Ask everything that is due in one batch; return what was found."""
    options = context.options
    reader: Lister | None = None
    if due.flags or (due.settings and options.watch_pages):
        # Here the check is the load: pages that changed come with the answer.
        turn.begin_reload()
        reader = yield from lister(turn.session, options, state.sentinels)
    watch, held = (options.watch, state.sentinels) if due.settings else ((), ())
    listed, sentinels = state.content, state.sentinels
    asked = read_sentinels(turn.session, watch, held)
    try:
        if reader is None:
            seen = yield from asked
        else:
            listings = _listings(reader, options, due, state.content)
            seen, listed = yield from _both(asked, listings)
        sentinels = seen if due.settings else state.sentinels
        resting = not force and _resting(context, state.rejected)
        if sentinels != state.sentinels and not _known_bad(
            state.rejected, sentinels, resting=resting
        ):
            turn.begin_reload()
            # One moment for all: flags that were listed before it was chosen are asked again.
            again = due.flags and options.pinned
            loaded = yield from load_after(turn.session, options, sentinels, listed, flags=again)
            return Found(loaded.content, loaded.sentinels, "sentinel")
        if reader is None:
            return Found(listed, state.sentinels, SAME)
        pages = due.settings and options.watch_pages
        return (yield from _listed(reader, state, listed, resting=resting, pages_asked=pages))
    except RequestFailed:
        raise
    except EngineError as error:
        return Found(listed, sentinels, "refused", refused=error)


@plan
def _both(
    sentinels: Plan[tuple[Sentinel, ...]], listings: Plan[Content]
) -> Steps[tuple[tuple[Sentinel, ...], Content]]:
    jobs: list[Plan[object]] = [sentinels, listings]
    seen, listed = yield from together(jobs)
    return seen, listed  # type: ignore[return-value]  # `together` is typed for plans of a kind


@plan
def _listings(reader: Lister, options: Options, due: Due, known: Content) -> Steps[Content]:
    """List what is watched by pages; the rest stays as it is known."""
    jobs: list[Plan[Selections]] = []
    pages = due.settings and options.watch_pages
    if pages:
        jobs.append(reader.settings(options.selectors, known.settings))
    if due.flags and options.flag_selectors is not None:
        jobs.append(reader.flags(options.flag_selectors, known.flags or ()))
    listed = list((yield from together(jobs)))
    settings = listed.pop(0) if pages else known.settings
    return replace(known, settings=settings, flags=listed.pop(0) if listed else known.flags)


@plan
def _listed(
    reader: Lister, state: State, listed: Content, *, resting: bool, pages_asked: bool
) -> Steps[Found]:
    """Return what the listed pages changed, if anything."""
    settings = moved(state.content.settings, listed.settings)
    flags = moved(state.content.flags or (), listed.flags or ())
    rejected = state.rejected
    if not settings and not flags:
        # Watching pages, this is the served content again: whatever was rejected is gone.
        if rejected and pages_asked:
            return CONFIRMED
        return Found(listed, state.sentinels, SAME)
    if rejected and resting and _same_pages(rejected.content, listed):
        return Found(state.content, state.sentinels, SAME)
    content = (yield from with_references(reader, listed)) if settings else listed
    return Found(content, state.sentinels, "page" if settings else "flag")


def _same_pages(one: Content, other: Content) -> bool:
    return one.settings == other.settings and one.flags == other.flags


def _resting(context: Context, rejected: Rejected | None) -> bool:
    return rejected is not None and context.clock.monotonic() < rejected.backoff.until


def _known_bad(
    rejected: Rejected | None, sentinels: tuple[Sentinel, ...], *, resting: bool
) -> bool:
    return rejected is not None and resting and rejected.sentinels == sentinels


def _failed(state: State, error: Exception) -> Outcome:
    shown = public(error)
    following = replace(state, attempt=replace(state.attempt, error=shown))
    return Outcome(following, error=shown, told=told(error))


def _answered(
    context: Context, state: State, answer: Answered[Found], due: Due, attempt: Attempt
) -> State:
    """Return what is known now that somebody answered, before anything new is built of it."""
    now, _ = moment = context.moment()
    rejected = None if answer.result is CONFIRMED else state.rejected
    # An outage is over now; what was refused stands until something else is published.
    error = rejected.error if rejected else None
    if rejected and answer.result.reason == SAME:
        # While a newer generation stands rejected, nobody has confirmed the one being served.
        attempt = Attempt(attempt.last, attempt.success, error, attempt.endpoint)
    else:
        attempt = Attempt(attempt.last, moment, error, answer.fleet.last)
    return replace(
        state,
        fleet=answer.fleet,
        timers=state.timers.rearmed(now, context.options, due),
        rejected=rejected,
        attempt=attempt,
    )


@plan
def _new_generation(
    context: Context, state: State, found: Found | None, due: Due, budget: Budget
) -> Steps[Outcome]:
    """Build a generation from what was found, or from the old content with newer secrets."""
    if found is None or found is CONFIRMED:
        found = Found(state.content, state.sentinels, "secret")
    try:
        if found.refused is not None:
            raise found.refused
        terms = _terms(context, state, found, due, budget)
        generation = yield from build(context, found.content, _held(state), terms)
    except Exception as error:
        rejected = _rejected(context, state, found, error)
        return (yield from _the_rest(context, rejected, found, due, budget))
    return _published(state, found, generation, due)


@plan
def _the_rest(
    context: Context, rejected: Outcome, found: Found, due: Due, budget: Budget
) -> Steps[Outcome]:
    """Publish what has nothing to do with settings that were rejected.

    Flags that came along and secrets whose time it is must not wait for them: a kill switch has to
    work while somebody's new setting is wrong.
    """
    state = rejected.state
    flags = found.content.flags
    flags_moved = moved(state.content.flags or (), flags or ())
    if found.reason in {"flag", "secret"} or not (flags_moved or due.secrets):
        return rejected
    reason = "flag" if flags_moved else "secret"
    rest = Found(replace(state.content, flags=flags), state.sentinels, reason)
    try:
        terms = _terms(context, state, rest, due, budget)
        generation = yield from build(context, rest.content, _held(state), terms)
    except Exception:
        return rejected
    following = _published(state, rest, generation, due)
    return replace(following, error=rejected.error, told=rejected.told)


def _held(state: State) -> Held:
    return Held(state.secrets, state.decoded)


def _terms(context: Context, state: State, found: Found, due: Due, budget: Budget) -> Terms:
    # What follows the load has what the load has left; secrets alone are a reload, too.
    budget.begin_reload(context.clock.monotonic())
    max_age = FRESH if found.reason in {"sentinel", "page"} else math.inf
    return Terms(
        version=state.snapshot.version + 1,
        allowed=budget.allowed,
        secret_policy=context.options.secret_policy or "keep_last",
        secret_max_age=-math.inf if due.secrets else max_age,
    )


def _published(state: State, found: Found, generation: Generation, due: Due) -> Outcome:
    changes = compare(
        state.snapshot,
        generation.snapshot,
        reason=due.cause or found.reason,
        flags=(state.flags, generation.flags),
    )
    following = replace(
        state,
        content=found.content,
        sentinels=found.sentinels,
        flags=generation.flags,
        secrets=generation.secrets,
        decoded=generation.decoded,
        problems=generation.problems,
        usage=generation.usage,
    )
    if found.reason in {"sentinel", "page"} or (found.reason == "flag" and _only_flags(state)):
        following = replace(following, rejected=None)
    if following.rejected is None:
        following = replace(following, attempt=replace(following.attempt, error=None))
    if found.reason == "secret" and not changes:
        return Outcome(following)
    published = replace(following, snapshot=generation.snapshot, values=generation.values)
    return Outcome(published, changes)


def _only_flags(state: State) -> bool:
    """Tell whether what stands refused holds the settings being served: newer flags replace it."""
    rejected = state.rejected
    return (
        rejected is not None
        and rejected.sentinels == state.sentinels
        and not moved(state.content.settings, rejected.content.settings)
    )


def _rejected(context: Context, state: State, found: Found, error: Exception) -> Outcome:
    """Keep the old generation, and remember which one was refused."""
    if found.reason == "secret":
        # The generation being served is as good as ever; only its secrets could not be renewed.
        return _failed(state, error)
    before = state.rejected
    again = (
        before is not None
        and before.sentinels == found.sentinels
        and _same_pages(before.content, found.content)
    )
    backoff = before.backoff if before is not None and again else Backoff()
    longer = backoff.after_failure(
        context.clock.monotonic(), interval=context.options.interval, jitter=context.random()
    )
    shown = public(error)
    rejected = Rejected(found.sentinels, found.content, longer, shown)
    return _failed(replace(state, rejected=rejected), shown)
