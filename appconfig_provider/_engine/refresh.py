"""One refresh: from a state to the next.

Nothing moved: only timers do. Something moved: load, build, compare. Nobody answered: the endpoints
back off and the old generation stays. A refresh never raises; what went wrong is part of its
outcome.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from appconfig_provider._engine.budgets import Budget, check_budget
from appconfig_provider._engine.check import CONFIRMED, SAME, Found, check, same_pages
from appconfig_provider._engine.context import Context
from appconfig_provider._engine.failover import Answered, Exhausted, first_answer
from appconfig_provider._engine.generation import Generation, Held, Terms, build
from appconfig_provider._engine.pages import moved
from appconfig_provider._engine.rotation import Reading, Reads, anything_wanted, owing
from appconfig_provider._engine.state import Attempt, Due, Rejected, State
from appconfig_provider._plan import Plan, Steps, plan
from appconfig_provider._rest.backoff import FIRST_BACKOFF, Backoff
from appconfig_provider._rest.failures import as_one
from appconfig_provider.snapshot import ChangeSet, compare
from appconfig_provider.trouble import public, told


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state after a refresh; `changes` when it is a new generation, `error` when it failed."""

    state: State
    changes: ChangeSet | None = None
    error: Exception | None = field(default=None, repr=False)
    told: str = ""
    """What a log line may say of the error; empty where a problem of a setting tells of it."""

    @property
    def quiet(self) -> bool:
        """True when there is nothing to call anybody back about."""
        return self.changes is None and self.error is None


@plan
def refresh(context: Context, state: State, *, force: bool) -> Steps[Outcome]:
    """Look at what is due, load what moved, and return the state that follows."""
    began = context.moment()
    now = began.monotonic
    due = state.what_is_due(now, force=force)
    attempt = state.attempt.again(began)
    budget = check_budget(context)
    found: Found | None = None
    if due.store:
        try:
            answer = yield from _ask_the_store(context, state, due, budget, force=force)
        except Exception as error:
            # Not the endpoint's fault, so no back-off; every attempt moves the timers.
            later = _postponed(context, replace(state, attempt=attempt), due)
            failed = _failed(later, error)
            return (yield from _without_store(context, failed, due, budget, force=force))
        if isinstance(answer, Exhausted):
            failed = _nobody_answered(context, replace(state, attempt=attempt), answer)
            return (yield from _without_store(context, failed, due, budget, force=force))
        found = answer.result
        state = _answered(context, state, answer, due, attempt)
    else:
        state = replace(state.rearmed(now, context.options, due), attempt=attempt)
    if found is not None and found.reason in {SAME, CONFIRMED}:
        same, found = found.content, None
        state = state if same is state.content else replace(state, content=same)
    if found is None and not (due.secrets or due.owed):
        return Outcome(state)
    return (yield from _new_generation(context, state, found, due, budget))


def _postponed(context: Context, state: State, due: Due) -> State:
    """Return the state after an attempt that failed by itself; a pushed event stays wanted."""
    later = context.clock.monotonic()
    following = state.rearmed(later, context.options, due)
    soon = later + min(FIRST_BACKOFF, context.options.refresh.interval)
    push, secrets = max(state.timers.push, soon), following.timers.secrets
    if due.secrets:
        secrets = max(state.timers.secrets, soon)
    return replace(following, timers=replace(following.timers, push=push, secrets=secrets))


def _ask_the_store(
    context: Context, state: State, due: Due, budget: Budget, *, force: bool
) -> Plan[Answered[Found] | Exhausted]:
    job = partial(check, context, state, due, force)
    return first_answer(context, state.fleet, budget, job, usage=state.usage, force=force)


def _failed(state: State, error: Exception) -> Outcome:
    shown = public(error)
    following = replace(state, attempt=replace(state.attempt, error=shown))
    return Outcome(following, error=shown, told=told(error))


def _nobody_answered(context: Context, state: State, answer: Exhausted) -> Outcome:
    """Return the outcome of a round without a usable answer; its words say how long the wait is."""
    failed = _failed(replace(state, fleet=answer.fleet), as_one(answer.failures))
    pause = max(0.0, failed.state.store_at - context.clock.monotonic())
    return replace(failed, told=f"{failed.told}; next try in {pause:.0f} s")


def _answered(
    context: Context, state: State, answer: Answered[Found], due: Due, attempt: Attempt
) -> State:
    """Return what is known now that somebody answered, before anything new is built of it."""
    moment, reason = context.moment(), answer.result.reason
    rejected = None if reason == CONFIRMED else state.rejected
    # An outage is over now; what was refused stands until something else is published.
    error = rejected.error if rejected else state.unread
    # What moved may be refused yet; and while something stands refused, nobody has confirmed the
    # generation being served.
    confirmed = rejected is None and reason in {SAME, CONFIRMED}
    success = moment if confirmed else attempt.success
    attempt = Attempt(attempt.last, success, error, answer.fleet.last, moment)
    return replace(
        state,
        fleet=answer.fleet,
        timers=state.timers.rearmed(moment.monotonic, context.options, due),
        rejected=rejected,
        attempt=attempt,
    )


@plan
def _new_generation(
    context: Context, state: State, found: Found | None, due: Due, budget: Budget
) -> Steps[Outcome]:
    """Build a generation from what was found, or from the old content with newer secrets."""
    if found is None:
        found = Found(state.content, state.sentinels, "secret")
    terms = _terms(context, state, found, due, budget)
    try:
        if found.refused is not None:
            raise found.refused
        generation = yield from build(context, found.content, _held(state), terms)
    except Exception as error:
        rejected = _rejected(context, state, found, error)
        if terms.blame.told:
            rejected = replace(rejected, told=f"{terms.blame.told}: {rejected.told}")
        return (yield from _the_rest(context, rejected, found, due, terms))
    return _published(state, found, generation, due)


@plan
def _without_store(
    context: Context, failed: Outcome, due: Due, budget: Budget, *, force: bool
) -> Steps[Outcome]:
    """Do what was forced for secrets all the same, though no endpoint answered."""
    if not (force and due.secrets):
        return failed
    found = Found(failed.state.content, failed.state.sentinels, "outage")
    terms = _terms(context, failed.state, found, due, budget)
    return (yield from _the_rest(context, failed, found, due, terms))


@plan
def _the_rest(
    context: Context, failed: Outcome, found: Found, due: Due, terms: Terms
) -> Steps[Outcome]:
    """Publish what has nothing to do with settings that were rejected.

    Flags that came along and secrets whose time it is must not wait for them: a kill switch has to
    work while somebody's new setting is wrong, and the old password may be gone. Secrets that were
    read for the rejected generation count; those that are not published stay owed.
    """
    state = failed.state
    flags = state.content.flags if found.reason == "flag" else found.content.flags
    flags_moved = moved(state.content.flags or (), flags or ())
    late = anything_wanted(state.secrets, terms.reads.reading, context.clock.monotonic())
    if found.reason != "secret" and (flags_moved or late):
        reason = "flag" if flags_moved else "secret"
        rest = Found(replace(state.content, flags=flags), state.sentinels, reason)
        with suppress(Exception):
            generation = yield from build(context, rest.content, _held(state), terms)
            rescued = _published(state, rest, generation, due)
            following = replace(rescued.state, attempt=state.attempt)
            return replace(failed, state=following, changes=rescued.changes)
    secrets = owing(context, state.secrets, terms.reads)
    return replace(failed, state=replace(state, secrets=secrets))


def _held(state: State) -> Held:
    return Held(state.secrets, state.decoded)


def _terms(context: Context, state: State, found: Found, due: Due, budget: Budget) -> Terms:
    # What follows the load has what the load has left; secrets alone are a reload, too.
    budget.begin_reload(context.clock.monotonic())
    policy = context.options.secrets.policy or "keep_last"
    reads = Reads(budget.allowed, policy, _reading(state, found, due))
    return Terms(state.snapshot.version + 1, reads)


def _reading(state: State, found: Found, due: Due) -> Reading:
    """Return which secrets are read for what was found, whether it can be used or not."""
    moved_on = found.reason == "sentinel" or found.sentinels != state.sentinels
    if moved_on or (due.secrets and due.forced):
        return Reading.EVERY
    if due.secrets:
        return Reading.HEALTHY
    return Reading.AGED if found.reason in {"page", "refused"} else Reading.OWED


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
        unread=_unread(state, generation),
    )
    following = replace(following, rejected=_still_rejected(state, found))
    following = replace(following, attempt=_after(state, following, found))
    if found.reason == "secret" and not changes:
        return Outcome(following, error=generation.trouble)
    published = replace(following, snapshot=generation.snapshot, values=generation.values)
    return Outcome(published, changes, generation.trouble)


def _still_rejected(state: State, found: Found) -> Rejected | None:
    """Return what stands refused after something was published."""
    rejected = state.rejected
    if rejected is None or found.reason in {"sentinel", "page"}:
        return None
    if found.reason != "flag":
        return rejected
    # The pages of flags are remembered as they are now, so that they are asked for by their ETags.
    newer = replace(rejected, content=replace(rejected.content, flags=found.content.flags))
    return None if rejected.only_flags else newer


def _unread(state: State, generation: Generation) -> Exception | None:
    """Return why secrets are still owed, if some could not be renewed."""
    failing = any(secret.backoff.failures for secret in generation.secrets.values())
    return generation.trouble or (state.unread if failing else None)


def _after(state: State, following: State, found: Found) -> Attempt:
    """Return the attempt now that something was published: what stands, and what is confirmed."""
    attempt = following.attempt
    if following.rejected is None and found.reason != "secret":
        attempt = replace(attempt, success=attempt.answered)
    error = following.rejected.error if following.rejected else following.unread
    if error is None and found.reason == "secret" and attempt.error is not state.unread:
        # Nothing was heard of the store: what it failed with has not been healed by a vault.
        return attempt
    return replace(attempt, error=error)


def _rejected(context: Context, state: State, found: Found, error: Exception) -> Outcome:
    """Keep the old generation, and remember which one was refused."""
    if found.reason == "secret":
        # The generation being served is as good as ever; only its secrets could not be renewed.
        failed = _failed(state, error)
        return replace(failed, state=replace(failed.state, unread=failed.error))
    before, content, sentinels = state.rejected, found.content, found.sentinels
    only_flags = found.reason == "flag"
    if only_flags and before is not None and not before.only_flags:
        # Settings that were refused before are refused still.
        content, sentinels = replace(before.content, flags=content.flags), before.sentinels
        only_flags = False
    again = (
        before is not None and before.sentinels == sentinels and same_pages(before.content, content)
    )
    backoff = before.backoff if before is not None and again else Backoff()
    longer = backoff.after_failure(
        context.clock.monotonic(),
        interval=context.options.refresh.interval,
        jitter=context.random(),
    )
    failed = _failed(state, error)
    rejected = Rejected(sentinels, content, longer, failed.state.attempt.error or error, only_flags)
    return replace(failed, state=replace(failed.state, rejected=rejected))
