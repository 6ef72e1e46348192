"""The part of a refresh that is about overrides: files that changed, and what comes of it.

It follows the part that is about the store, so that new layers meet the newest content. It asks no
store: the content is that of the state. A file that cannot be used, and layers that are refused,
leave everything as it is, and are told once.
"""

from __future__ import annotations

from dataclasses import replace

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.generation import Generation, Limits, Previous, build
from appconfig_provider._azure.options import SecretPolicy
from appconfig_provider._azure.overlay import CHECK_INTERVAL
from appconfig_provider._azure.secrets.rotation import Reading, Reads
from appconfig_provider._azure.state import Reason, State
from appconfig_provider._fetch.backoff import FREE
from appconfig_provider._fetch.budget import Budget
from appconfig_provider._live.source import Outcome
from appconfig_provider._live.standing import Attempt
from appconfig_provider._plan import Steps, plan
from appconfig_provider.overrides.reading import read_again
from appconfig_provider.overrides.values import BadOverride
from appconfig_provider.snapshot import compare
from appconfig_provider.trouble import describe, public


@plan
def with_overrides(
    context: Context, before: State, outcome: Outcome[State], budget: Budget, *, force: bool
) -> Steps[Outcome[State]]:
    """Check the files of overrides; return the outcome of a refresh with what they have brought.

    `before` is the state before the refresh, whose generation is being served.
    """
    known, began = before.overlay, context.now()
    readings = yield from read_again(context.options.overrides, known.readings)
    overlay = replace(known, readings=readings)
    if outcome.state.is_empty:
        # No generation was built with the old layers: the first one is to have the newest.
        overlay = replace(overlay, served=overlay.newest)
    timers = replace(outcome.state.timers, overrides=began.monotonic + CHECK_INTERVAL)
    asked = replace(outcome, state=replace(outcome.state, overlay=overlay, timers=timers))
    checked = asked
    if overlay.newest != overlay.served and (force or _may_fit(context, before, asked.state)):
        checked = yield from _applied(context, before, asked, budget)
    checked = _told(before, checked)
    attempt = _attempt(context, before, outcome.state, checked)
    return replace(checked, state=replace(checked.state, attempt=attempt))


def _may_fit(context: Context, before: State, state: State) -> bool:
    """Tell whether layers that are not served are to be tried now."""
    fresh = state.overlay.newest != before.overlay.newest or state.content is not before.content
    return fresh or context.clock.monotonic() >= state.overlay.backoff.until


@plan
def _applied(
    context: Context, before: State, outcome: Outcome[State], budget: Budget
) -> Steps[Outcome[State]]:
    """Build a generation with the newest layers, and return it or what was wrong with it."""
    state = outcome.state
    budget.begin_reload(context.clock.monotonic())
    policy = context.options.secrets.policy or SecretPolicy.KEEP_LAST
    reads = Reads(budget.allowed, policy, Reading.OWED)
    version, layers = before.snapshot.version + 1, state.overlay.newest
    limits = Limits(version, reads, layers=layers, copy_of=state.copy_of)
    previous = Previous(state.generation.secrets, state.generation.decoded, before.snapshot)
    try:
        generation = yield from build(context, state.content, previous, limits)
    except Exception as error:
        return _refused(context, before, outcome, error, limits.log_prefix.text)
    return _published(before, outcome, generation)


def _refused(
    context: Context, before: State, outcome: Outcome[State], error: Exception, prefix: str
) -> Outcome[State]:
    """Return the outcome after a generation with the newest layers was refused.

    Callbacks get the error each time. It is logged once, and again when the layers or its words
    are others.
    """
    known, overlay = before.overlay, outcome.state.overlay
    backoff = overlay.backoff.after_failure(
        context.clock.monotonic(),
        interval=context.options.refresh.interval,
        jitter=context.random(),
    )
    what = f"{prefix}: {describe(error)}" if prefix else describe(error)
    overlay = replace(overlay, backoff=backoff, refused=public(error), refusal=what)
    refused = replace(outcome, state=replace(outcome.state, overlay=overlay))
    told = known.refusal == what and known.newest == overlay.newest
    message = "" if told else f"the new overrides were not used: {what}"
    return _with_error(refused, overlay.refused, message)


def _published(before: State, outcome: Outcome[State], generation: Generation) -> Outcome[State]:
    """Return the outcome with a generation that has the newest layers."""
    state, reason = outcome.state, Reason.OVERRIDE.value
    if outcome.changes is not None:
        reason = outcome.changes.reason
    served = before.generation
    flags = (served.flags, generation.flags)
    changes = compare(served.snapshot, generation.snapshot, reason=reason, flags=flags)
    quiet = outcome.changes is None and not changes
    if quiet:
        # The store wins for all of it. Keep the objects, so that `snapshot` stays the same one.
        generation = replace(generation, snapshot=served.snapshot, values=served.values)
    overlay = replace(
        state.overlay, served=state.overlay.newest, backoff=FREE, refused=None, refusal=""
    )
    following = replace(state.publishing(generation), overlay=overlay)
    published = replace(
        outcome,
        state=following,
        changes=None if quiet else changes,
        silent=outcome.silent and not changes,
    )
    if generation.trouble is None:
        return published
    return _with_error(published, generation.trouble, "")


def _told(before: State, outcome: Outcome[State]) -> Outcome[State]:
    """Return the outcome with what is to be told of files that are missing or broken."""
    known, overlay = before.overlay, outcome.state.overlay
    troubles = [
        one.trouble
        for one, other in zip(overlay.readings, known.readings, strict=True)
        if one.tells_more(other)
    ]
    broken = known.broken if any(one.trouble for one in overlay.readings) else None
    if troubles:
        error = BadOverride("; ".join(troubles))
        broken = public(error)
        message = f"{describe(error)}; its last good content stays in force"
        outcome = _with_error(outcome, broken, message)
    overlay = replace(overlay, broken=broken)
    return replace(outcome, state=replace(outcome.state, overlay=overlay))


def _with_error(outcome: Outcome[State], error: Exception | None, message: str) -> Outcome[State]:
    """Return an outcome with an error more; callbacks get all, and one log line has all."""
    messages = "; ".join(one for one in (outcome.message, message) if one)
    if outcome.error is None or error is None:
        return replace(outcome, error=outcome.error or error, message=messages)
    more = (*outcome.more_errors, *(() if error is outcome.error else (error,)))
    return replace(outcome, more_errors=more, message=messages)


def _attempt(context: Context, before: State, asked: State, checked: Outcome[State]) -> Attempt:
    """Return the attempt after files were checked: its error, and without a store its times.

    `asked` is the state after the part that was about the store.
    """
    state = checked.state
    attempt = state.attempt
    lasting = (None, *before.lasting_errors, *asked.lasting_errors)
    if any(attempt.error is one for one in lasting):
        attempt = replace(attempt, error=checked.error or state.lasting_error)
    # Any other error is one of the store, and stands until the store answers.
    if not state.overlay.local:
        return attempt
    instant = context.now()
    success = attempt.success if state.overlay.error else instant
    return Attempt(instant, success, attempt.error, attempt.endpoint, instant)
