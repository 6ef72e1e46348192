"""One refresh: from a state to the next.

Nothing moved: only timers do. Something moved: load, build, compare. Nobody answered: the endpoints
back off and the old generation stays. A refresh never raises; what went wrong is part of its
outcome.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

from appconfig_provider._azure.budgets import check_budget
from appconfig_provider._azure.check import (
    Changed,
    Finding,
    News,
    Unchanged,
    Unusable,
    check,
    same_pages,
)
from appconfig_provider._azure.context import Context
from appconfig_provider._azure.endpoints.access import StoreAccess, rules
from appconfig_provider._azure.generation import Generation, Limits, Previous, build
from appconfig_provider._azure.listing.pages import moved
from appconfig_provider._azure.options import SecretPolicy
from appconfig_provider._azure.rest.refusals import public
from appconfig_provider._azure.secrets.rotation import Reading, Reads, anything_wanted, owing
from appconfig_provider._azure.state import Due, Reason, Rejected, State
from appconfig_provider._fetch.backoff import FIRST_BACKOFF, Backoff
from appconfig_provider._fetch.budget import Budget
from appconfig_provider._fetch.failures import as_one
from appconfig_provider._fetch.first_answer import Answered, Exhausted, first_answer
from appconfig_provider._live.source import Outcome
from appconfig_provider._live.standing import Attempt
from appconfig_provider._plan import Plan, Steps, plan
from appconfig_provider.snapshot import compare
from appconfig_provider.trouble import assert_never, describe


@plan
def refresh(context: Context, state: State, *, force: bool) -> Steps[Outcome[State]]:
    """Check what is due, load what moved, and return the state that follows."""
    began = context.now()
    due = state.what_is_due(began.monotonic, force=force)
    attempt = state.attempt.starting_at(began)
    budget = check_budget(context)
    news: News | None = None
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
        state = _answered(context, state, answer, due, attempt)
        match answer.result:
            case Unchanged(content):
                state = state if content is state.content else replace(state, content=content)
            case Changed() | Unusable() as news:
                pass
            case finding:
                assert_never(finding)
    else:
        state = replace(state.rearmed(began.monotonic, context.options, due), attempt=attempt)
    if news is None:
        if not (due.secrets or due.owed):
            return Outcome(state)
        news = Changed(state.content, state.sentinels, Reason.SECRET)
    return (yield from _new_generation(context, state, news, due, budget))


def _postponed(context: Context, state: State, due: Due) -> State:
    """Return the state after an attempt that failed by itself; a pushed event stays pending."""
    later = context.clock.monotonic()
    following = state.rearmed(later, context.options, due)
    soon = later + min(FIRST_BACKOFF, context.options.refresh.interval)
    push, secrets = max(state.timers.push, soon), following.timers.secrets
    if due.secrets:
        secrets = max(state.timers.secrets, soon)
    return replace(following, timers=replace(following.timers, push=push, secrets=secrets))


def _ask_the_store(
    context: Context, state: State, due: Due, budget: Budget, *, force: bool
) -> Plan[Answered[Finding] | Exhausted]:
    job = partial(check, context, state, due, force)
    access = StoreAccess(context, state.generation.usage)
    return first_answer(access, rules(context), state.endpoints, budget, job, force=force)


def _failed(state: State, error: Exception) -> Outcome[State]:
    shown = public(error)
    following = replace(state, attempt=replace(state.attempt, error=shown))
    return Outcome(following, error=shown, message=describe(error))


def _nobody_answered(context: Context, state: State, answer: Exhausted) -> Outcome[State]:
    """Return the outcome of a round without a usable answer; its words say how long the wait is."""
    failed = _failed(replace(state, endpoints=answer.endpoints), as_one(answer.failures))
    pause = max(0.0, failed.state.store_at - context.clock.monotonic())
    return replace(failed, message=f"{failed.message}; next try in {pause:.0f} s")


def _answered(
    context: Context, state: State, answer: Answered[Finding], due: Due, attempt: Attempt
) -> State:
    """Return what is known now that somebody answered, before anything new is built of it."""
    instant, finding = context.now(), answer.result
    unchanged = isinstance(finding, Unchanged)
    cleared = isinstance(finding, Unchanged) and finding.clears_rejection
    rejected = None if cleared else state.rejected
    # An outage is over now; what was refused stands until something else is published.
    error = rejected.error if rejected else state.unread
    # What moved may be refused yet; and while something stands refused, nobody has confirmed the
    # generation being served.
    success = instant if unchanged and rejected is None else attempt.success
    attempt = Attempt(attempt.last, success, error, answer.endpoints.last, instant)
    return replace(
        state,
        endpoints=answer.endpoints,
        timers=state.timers.rearmed(instant.monotonic, context.options, due),
        rejected=rejected,
        attempt=attempt,
    )


@plan
def _new_generation(
    context: Context, state: State, news: News, due: Due, budget: Budget
) -> Steps[Outcome[State]]:
    """Build a generation of what was found, or of the old content with newer secrets."""
    limits = _limits(context, state, news, due, budget)
    try:
        if isinstance(news, Unusable):
            raise news.error
        generation = yield from build(context, news.content, _previous(state), limits)
    except Exception as error:
        rejected = _rejected(context, state, news, error)
        if limits.blame.message:
            rejected = replace(rejected, message=f"{limits.blame.message}: {rejected.message}")
        return (yield from _the_rest(context, rejected, news, due, limits))
    return _published(state, news, generation, due)


@plan
def _without_store(
    context: Context, failed: Outcome[State], due: Due, budget: Budget, *, force: bool
) -> Steps[Outcome[State]]:
    """Read the secrets that were forced, though no endpoint answered."""
    if not (force and due.secrets):
        return failed
    state = failed.state
    same = Changed(state.content, state.sentinels, Reason.FORCED)
    limits = _limits(context, state, same, due, budget)
    return (yield from _the_rest(context, failed, same, due, limits))


@plan
def _the_rest(
    context: Context, failed: Outcome[State], news: News, due: Due, limits: Limits
) -> Steps[Outcome[State]]:
    """Publish what has nothing to do with settings that were rejected.

    Flags that came along and secrets whose time it is must not wait for them: a kill switch has to
    work while somebody's new setting is wrong, and the old password may be gone. Secrets that were
    read for the rejected generation count; those that are not published stay owed.
    """
    state = failed.state
    flags = state.content.flags if _is(news, Reason.FLAG) else news.content.flags
    flags_moved = moved(state.content.flags or (), flags or ())
    secrets, reads = state.generation.secrets, limits.reads
    late = anything_wanted(secrets, reads.reading, context.clock.monotonic())
    if not _is(news, Reason.SECRET) and (flags_moved or late):
        reason = Reason.FLAG if flags_moved else Reason.SECRET
        rest = Changed(replace(state.content, flags=flags), state.sentinels, reason)
        with suppress(Exception):
            generation = yield from build(context, rest.content, _previous(state), limits)
            rescued = _published(state, rest, generation, due)
            following = replace(rescued.state, attempt=state.attempt)
            return replace(failed, state=following, changes=rescued.changes)
    return replace(failed, state=state.having_secrets(owing(context, secrets, reads)))


def _is(news: News, *reasons: Reason) -> bool:
    return isinstance(news, Changed) and news.reason in reasons


def _previous(state: State) -> Previous:
    return Previous(state.generation.secrets, state.generation.decoded)


def _limits(context: Context, state: State, news: News, due: Due, budget: Budget) -> Limits:
    # What follows the load has what the load has left; secrets alone are a reload, too.
    budget.begin_reload(context.clock.monotonic())
    policy = context.options.secrets.policy or SecretPolicy.KEEP_LAST
    reads = Reads(budget.allowed, policy, _reading(state, news, due))
    return Limits(state.snapshot.version + 1, reads)


def _reading(state: State, news: News, due: Due) -> Reading:
    """Return which secrets are read for what was found, whether it can be used or not."""
    moved_on = _is(news, Reason.SENTINEL) or news.sentinels != state.sentinels
    if moved_on or (due.secrets and due.forced):
        return Reading.EVERY
    if due.secrets:
        return Reading.HEALTHY
    aged = isinstance(news, Unusable) or news.reason is Reason.PAGE
    return Reading.AGED if aged else Reading.OWED


def _published(state: State, news: Changed, generation: Generation, due: Due) -> Outcome[State]:
    before = state.generation
    changes = compare(
        before.snapshot,
        generation.snapshot,
        reason=(due.cause or news.reason).value,
        flags=(before.flags, generation.flags),
    )
    quiet = news.reason is Reason.SECRET and not changes
    if quiet:
        # The secrets were read and are the same: what readers hold stays the same object.
        generation = replace(generation, snapshot=before.snapshot, values=before.values)
    following = replace(
        state,
        generation=generation,
        values=generation.values,
        snapshot=generation.snapshot,
        content=news.content,
        sentinels=news.sentinels,
        unread=_unread(state, generation),
        rejected=_still_rejected(state, news),
    )
    following = replace(following, attempt=_after(state, following, news))
    return Outcome(following, None if quiet else changes, generation.trouble)


def _still_rejected(state: State, news: Changed) -> Rejected | None:
    """Return what stands refused after something was published."""
    rejected = state.rejected
    if rejected is None or _is(news, Reason.SENTINEL, Reason.PAGE):
        return None
    if news.reason is not Reason.FLAG:
        return rejected
    # The pages of flags are remembered as they are now, so that they are asked for by their ETags.
    newer = replace(rejected, content=replace(rejected.content, flags=news.content.flags))
    return None if rejected.only_flags else newer


def _unread(state: State, generation: Generation) -> Exception | None:
    """Return why secrets are still owed, if some could not be renewed."""
    failing = any(secret.backoff.failures for secret in generation.secrets.values())
    return generation.trouble or (state.unread if failing else None)


def _after(state: State, following: State, news: Changed) -> Attempt:
    """Return the attempt now that something was published: what stands, and what is confirmed."""
    attempt = following.attempt
    if following.rejected is None and news.reason is not Reason.SECRET:
        attempt = replace(attempt, success=attempt.answered)
    error = following.rejected.error if following.rejected else following.unread
    if error is None and news.reason is Reason.SECRET and attempt.error is not state.unread:
        # Nothing was heard of the store: what it failed with has not been healed by a vault.
        return attempt
    return replace(attempt, error=error)


def _rejected(context: Context, state: State, news: News, error: Exception) -> Outcome[State]:
    """Keep the old generation, and remember which one was refused."""
    if _is(news, Reason.SECRET):
        # The generation being served is as good as ever; only its secrets could not be renewed.
        failed = _failed(state, error)
        return replace(failed, state=replace(failed.state, unread=failed.error))
    before, content, sentinels = state.rejected, news.content, news.sentinels
    only_flags = _is(news, Reason.FLAG)
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
