"""One refresh: a function from one state to the next.

- Nothing has changed: only the timers are started anew.
- Something has changed: load it, build a generation, and compare it with the old one.
- No endpoint answered: the endpoints get a back-off, and the old generation stays.

A refresh does not raise: its outcome holds the error.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from functools import partial

from appconfig_provider._azure.budgets import check_budget
from appconfig_provider._azure.check import (
    Changed,
    Difference,
    Finding,
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
from appconfig_provider._azure.secrets.rotation import Reading, Reads, anything_wanted, still_owed
from appconfig_provider._azure.state import Due, Reason, Rejected, State
from appconfig_provider._fetch.backoff import FIRST_BACKOFF, Backoff
from appconfig_provider._fetch.budget import Budget
from appconfig_provider._fetch.failures import as_one
from appconfig_provider._fetch.first_answer import Answered, Exhausted, first_answer
from appconfig_provider._live.source import Outcome
from appconfig_provider._live.standing import Attempt, Instant
from appconfig_provider._plan import Plan, Steps, plan
from appconfig_provider.snapshot import compare
from appconfig_provider.trouble import assert_never, describe


@plan
def refresh(context: Context, state: State, *, force: bool) -> Steps[Outcome[State]]:
    """Check what is due, load what has changed, and return the next state."""
    began = context.now()
    due = state.what_is_due(began.monotonic, force=force)
    budget = check_budget(context)
    outcome = Outcome(state)
    if due.remote or not due.overrides:
        outcome = yield from _refresh_remote(context, state, due, budget, force=force)
    if due.overrides:
        # Imported here: most programs have no overrides.
        from appconfig_provider._azure.overriding import with_overrides

        outcome = yield from with_overrides(context, state, outcome, budget, force=force)
    return outcome


@plan
def _refresh_remote(
    context: Context, state: State, due: Due, budget: Budget, *, force: bool
) -> Steps[Outcome[State]]:
    """Check the store and the vaults, as far as that is due."""
    began = context.now()
    attempt = state.attempt.starting_at(began)
    found: Difference | None = None
    if due.store:
        try:
            answer = yield from _ask_the_store(context, state, due, budget, force=force)
        except Exception as error:
            # Not the endpoint's fault, so it gets no back-off. The timers are started anew, so that
            # the next attempt comes after an interval, not at once.
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
            case Changed() | Unusable() as found:
                pass
            case finding:
                assert_never(finding)
    else:
        state = replace(state.rearmed(began.monotonic, context.options, due), attempt=attempt)
    if found is None:
        if state.is_empty or not (due.secrets or due.owed):
            return Outcome(state)
        found = Changed(state.content, state.sentinels, Reason.SECRET)
    return (yield from _new_generation(context, state, found, due, budget))


def _postponed(context: Context, state: State, due: Due) -> State:
    """Return the state, its timers started anew, after an error that is not an endpoint's fault.

    A pushed event stays due: the failed attempt has not shown what it was about.
    """
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
    """Return the outcome of a round without a usable answer; its message says when the next is."""
    failed = _failed(replace(state, endpoints=answer.endpoints), as_one(answer.failures))
    pause = max(0.0, failed.state.store_at - context.clock.monotonic())
    return replace(failed, message=f"{failed.message}; next try in {pause:.0f} s")


def _answered(
    context: Context, state: State, answer: Answered[Finding], due: Due, attempt: Attempt
) -> State:
    """Return the state after an endpoint answered, before a generation is built of the answer."""
    instant, finding = context.now(), answer.result
    unchanged = isinstance(finding, Unchanged)
    cleared = isinstance(finding, Unchanged) and finding.clears_rejection
    rejected = None if cleared else state.rejected
    # An error of the store is over now. That of rejected content stays until other content is
    # published.
    error = replace(state, rejected=rejected).lasting_error
    # Only an unchanged store confirms the generation that is served. Changed content may still be
    # rejected, and while some is, the store holds other content than what is served.
    success = instant if unchanged and rejected is None else attempt.success
    attempt = Attempt(attempt.last, success, error, answer.endpoints.last, instant)
    return replace(
        state,
        endpoints=answer.endpoints,
        timers=state.timers.rearmed(instant.monotonic, context.options, due),
        rejected=rejected,
        attempt=attempt,
        flags_confirmed=_flags_confirmed(state, finding, due, instant),
    )


def _flags_confirmed(state: State, finding: Finding, due: Due, instant: Instant) -> Instant | None:
    """Return when the store last said that it has the flags that are served.

    Settings may be checked more often than flags, and be refused while the flags are the same.
    """
    if not due.flags or isinstance(finding, Unusable) or finding.content.flags is None:
        return state.flags_confirmed
    refused = isinstance(finding, Unchanged) and not finding.clears_rejection and state.rejected
    newest = refused.content if refused else finding.content
    differ = moved(state.content.flags or (), newest.flags or ())
    return state.flags_confirmed if differ else instant


@plan
def _new_generation(
    context: Context, state: State, found: Difference, due: Due, budget: Budget
) -> Steps[Outcome[State]]:
    """Build a generation of the new content, or of the old content with newer secrets."""
    limits = _limits(context, state, found, due, budget)
    try:
        if isinstance(found, Unusable):
            raise found.error
        generation = yield from build(context, found.content, _previous(state), limits)
    except Exception as error:
        rejected = _rejected(context, state, found, error)
        if limits.log_prefix.text:
            rejected = replace(rejected, message=f"{limits.log_prefix.text}: {rejected.message}")
        return (yield from _publish_the_rest(context, rejected, found, due, limits))
    return _published(state, found, generation, due)


@plan
def _without_store(
    context: Context, failed: Outcome[State], due: Due, budget: Budget, *, force: bool
) -> Steps[Outcome[State]]:
    """Read secrets after `force=True` although no endpoint answered: the vaults may answer."""
    if not (force and due.secrets):
        return failed
    state = failed.state
    same = Changed(state.content, state.sentinels, Reason.FORCED)
    limits = _limits(context, state, same, due, budget)
    return (yield from _publish_the_rest(context, failed, same, due, limits))


@plan
def _publish_the_rest(
    context: Context, failed: Outcome[State], found: Difference, due: Due, limits: Limits
) -> Steps[Outcome[State]]:
    """Publish changed flags and secrets that are due, though the new settings were rejected.

    They must not wait until the settings are right: a flag may be a kill switch, and the old
    password may not work any more. Secrets that were read for the rejected generation are used;
    those that are not published stay owed.
    """
    state = failed.state
    flags = state.content.flags if _is(found, Reason.FLAG) else found.content.flags
    flags_moved = moved(state.content.flags or (), flags or ())
    secrets, reads = state.generation.secrets, limits.reads
    late = anything_wanted(secrets, reads.reading, context.clock.monotonic())
    if not state.is_empty and not _is(found, Reason.SECRET) and (flags_moved or late):
        reason = Reason.FLAG if flags_moved else Reason.SECRET
        rest = Changed(replace(state.content, flags=flags), state.sentinels, reason)
        limits = replace(limits, copy_of=state.copy_of)
        with suppress(Exception):
            generation = yield from build(context, rest.content, _previous(state), limits)
            published = _published(state, rest, generation, due)
            following = replace(published.state, attempt=state.attempt)
            return replace(failed, state=following, changes=published.changes)
    return replace(failed, state=state.with_secrets(still_owed(context, secrets, reads)))


def _is(found: Difference, *reasons: Reason) -> bool:
    return isinstance(found, Changed) and found.reason in reasons


def _previous(state: State) -> Previous:
    generation = state.generation
    return Previous(generation.secrets, generation.decoded, state.snapshot, generation.held_flags)


def _limits(context: Context, state: State, found: Difference, due: Due, budget: Budget) -> Limits:
    # Secrets, mapper and `validate` have the time that the reload has left. Where there was none
    # (only secrets are due), it begins here; a second call does nothing.
    budget.begin_reload(context.clock.monotonic())
    policy = context.options.secrets.policy or SecretPolicy.KEEP_LAST
    reads = Reads(budget.allowed, policy, _reading(state, found, due))
    copy_of = None if _is(found, Reason.CACHE) else state.copy_of
    version = state.snapshot.version + 1
    return Limits(version, reads, layers=state.overlay.served, copy_of=copy_of)


def _reading(state: State, found: Difference, due: Due) -> Reading:
    """Return which secrets are read for new content, whether it can be used or not."""
    moved_on = _is(found, Reason.SENTINEL) or found.sentinels != state.sentinels
    if moved_on or (due.secrets and due.forced):
        return Reading.EVERY
    if due.secrets:
        return Reading.HEALTHY
    aged = isinstance(found, Unusable) or found.reason is Reason.PAGE
    return Reading.AGED if aged else Reading.OWED


def _published(state: State, found: Changed, generation: Generation, due: Due) -> Outcome[State]:
    before = state.generation
    changes = compare(
        before.snapshot,
        generation.snapshot,
        reason=(due.cause or found.reason).value,
        flags=(before.flags, generation.flags),
    )
    quiet = found.reason is Reason.SECRET and not changes
    if quiet:
        # The secrets have the same values. Keep the objects, so that `snapshot` stays the same one.
        generation = replace(generation, snapshot=before.snapshot, values=before.values)
    following = replace(
        state.publishing(generation),
        content=found.content,
        sentinels=found.sentinels,
        rejected=_still_rejected(state, found),
    )
    if due.flags and found.content.flags is not None and found.reason is not Reason.SECRET:
        following = replace(following, flags_confirmed=following.attempt.answered)
    if not generation.snapshot.stale:
        following = replace(following, timers=replace(following.timers, heal=math.inf))
    following = replace(following, attempt=_after(state, following, found))
    silent = _is(found, Reason.CACHE) and not changes
    return Outcome(following, None if quiet else changes, generation.trouble, silent=silent)


def _still_rejected(state: State, found: Changed) -> Rejected | None:
    """Return the rejected content that is still in the store after something was published."""
    rejected = state.rejected
    if rejected is None or _is(found, Reason.SENTINEL, Reason.PAGE, Reason.CACHE):
        return None
    if found.reason is not Reason.FLAG:
        return rejected
    # Keep the newest pages of flags, so that the next check requests them with their ETags.
    newer = replace(rejected, content=replace(rejected.content, flags=found.content.flags))
    return None if rejected.only_flags else newer


def _after(state: State, following: State, found: Changed) -> Attempt:
    """Return the attempt after something was published: its error, and when it was confirmed."""
    attempt = following.attempt
    if following.rejected is None and found.reason is not Reason.SECRET:
        attempt = replace(attempt, success=attempt.answered)
    error = following.lasting_error
    if error is None and found.reason is Reason.SECRET and attempt.error is not state.unread:
        # Only vaults were asked. If the store failed before, that error still stands.
        return attempt
    return replace(attempt, error=error)


def _rejected(
    context: Context, state: State, found: Difference, error: Exception
) -> Outcome[State]:
    """Return the outcome of content that was rejected: the old generation stays.

    The state remembers the rejected content, so that the same content is not tried all the time.
    """
    if _is(found, Reason.SECRET):
        # No content was rejected: the old content stays valid, only secrets could not be read.
        failed = _failed(state, error)
        return replace(failed, state=replace(failed.state, unread=failed.error))
    before, content, sentinels = state.rejected, found.content, found.sentinels
    only_flags = _is(found, Reason.FLAG)
    if only_flags and before is not None and not before.only_flags:
        # The settings that were rejected before still are; now the flags are, too.
        content, sentinels = replace(before.content, flags=content.flags), before.sentinels
        only_flags = False
    again = (
        before is not None and before.sentinels == sentinels and same_pages(before.content, content)
    )
    backoff = before.backoff if before is not None and again else Backoff()
    backoff = backoff.after_failure(
        context.clock.monotonic(),
        interval=context.options.refresh.interval,
        jitter=context.random(),
    )
    failed = _failed(state, error)
    rejected = Rejected(
        sentinels, content, backoff, failed.state.attempt.error or error, only_flags
    )
    return replace(failed, state=replace(failed.state, rejected=rejected))
