"""What must hold: the laws, said of one refresh and what it was shown on the wire.

A published setting was in the store at some revision between the first and the last page that the
load read (its window). With sentinels more is promised: no publish was completed within the window
of a generation marked consistent, and the sentinel that is kept is not newer than the window. So,
where nobody was in the middle of a publish, the generation is the state that a publish left. A
publish that is under way while another one's sentinel moves can be seen half, and is repaired by
its own sentinel; with watched pages, or between endpoints that lag without telling each other,
only the window is promised.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError

from appconfig_provider._azure.state import State
from appconfig_provider._live.inspection import inspect
from appconfig_provider._live.source import Outcome
from appconfig_provider.aio import AzureAppConfigurationProvider
from appconfig_provider.models import FLAG_PREFIX
from tests.simulation import effort, layers
from tests.simulation.history import History
from tests.simulation.publishers import BAD
from tests.simulation.run import Run, window
from tests.simulation.scenario import READ_TIMEOUT
from tests.simulation.world import NOTHING

if TYPE_CHECKING:
    from tests.simulation.life import Call, Life


def settings_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings of a generation without its flags and its overrides."""
    return {key: value for key, value in values.items() if key.startswith(("k", "s"))}


def flags_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the flags of a generation, by their ids."""
    listed = values.get("feature_management", {}).get("feature_flags", [])
    return {flag["id"]: flag["description"] for flag in listed}


def flags_at(history: History, revision: int) -> dict[str, str]:
    """Return the flags that the store held."""
    held = history.settings(revision, (FLAG_PREFIX,))
    return {key.removeprefix(FLAG_PREFIX): value for key, value in held.items()}


def judge_start(life: Life, run: Run, state: State) -> None:
    """Judge the first load."""
    life.model.file_said = layers.held_by(run.file_held)
    if state.snapshot.stale:
        _judge_copy(life, state)
        return
    if run.last_pass():
        _judge_settings_read(life, run, state)
    else:
        life.world.counts["sentinels vouched"] += 1
        trusted = life.stage.scenario.sentinels_only
        life.rule(trusted, "a start lists the settings unless sentinels vouch for them")
        _judge_nothing_missed(life, run, state)
        return
    if state.content.flags is not None:
        _judge_flags_read(life, run, state)


def _judge_copy(life: Life, state: State) -> None:
    """Judge a start that did not come from the store."""
    scenario, disk, snapshot = life.stage.scenario, life.stage.disk, state.snapshot
    if snapshot.origin == "empty":
        life.rule(scenario.optional and not snapshot, "an empty start is wanted, and empty")
        life.rule(snapshot.version == 0, "an empty start has the version 0")
        return
    life.rule(scenario.cached and snapshot.version == 1, "a copy is served where one is kept")
    life.rule(state.kept.digest in disk.digests, "what is served was kept")
    checked = scenario.validated or scenario.mapped
    bad = checked and any(value.startswith(BAD) for value in settings_of(snapshot).values())
    life.rule(not bad, "a copy passes what every generation passes")
    success = state.attempt.success
    known = success is not None and success.boottime <= life.world.now
    life.rule(known, "a copy is as old as its last confirmation")


def judge_outcome(life: Life, run: Run, outcome: Outcome[State]) -> None:
    """Judge a refresh that came to its end, before its outcome is published."""
    before, after, error = inspect(life.provider).state, outcome.state, outcome.error
    answered = not isinstance(error, AzureError)
    _count(life, run, outcome, answered=answered)
    life.model.ends(run, answered=answered, stale=after.snapshot.stale)
    _count_healing(life, before, outcome)
    if not answered and run.heard < run.begun + 2 * READ_TIMEOUT:
        left = run.candidates[len(run.origins) :]
        life.rule(not left, f"nobody answered, and {left} were not asked")
    if outcome.changes is None:
        life.rule(
            after.snapshot is before.snapshot,
            "what is not published is not swapped in",
        )
    else:
        of_layer = outcome.changes.reason == "override"
        life.rule(answered or of_layer, "nothing is published that no endpoint answered for")
        ordered = after.snapshot.version == before.snapshot.version + 1
        life.rule(ordered, "versions count the generations")
        scenario, shown = life.stage.scenario, settings_of(after.snapshot)
        checked = scenario.validated or scenario.mapped
        bad = checked and any(value.startswith(BAD) for value in shown.values())
        life.rule(not bad, "what is refused is not published")
    layers.judge_layer(life, run, before, outcome)
    if answered:
        _judge_sentinels_kept(life, run, before, after)
        _judge_content(life, run, _of_store(outcome))
        effort.judge_effort(life, run, before)
        effort.judge_parts(life, run, before, after)
        _remember_reading(life, run, before, after)


def _count_healing(life: Life, before: State, outcome: Outcome[State]) -> None:
    after = outcome.state.snapshot
    if outcome.silent:
        life.world.counts["healed in silence"] += 1
        life.called_version = after.version
    if before.snapshot.stale and not after.stale:
        life.world.counts["healed"] += 1


def _of_store(outcome: Outcome[State]) -> Outcome[State]:
    """Return an outcome without what a file of overrides brought; `layers` judges that."""
    error = None if layers.is_of_layer(outcome.state, outcome.error) else outcome.error
    of_layer = outcome.changes is not None and outcome.changes.reason == "override"
    return replace(outcome, error=error, changes=None if of_layer else outcome.changes)


def _count(life: Life, run: Run, outcome: Outcome[State], *, answered: bool) -> None:
    counts = life.world.counts
    reason = f"{outcome.changes.reason}" if outcome.changes is not None else "nothing new"
    life.tell("refresh ends: %s, %d requests, error %r", reason, run.asked, outcome.error)
    if outcome.changes is not None:
        counts[f"published: {outcome.changes.reason}"] += 1
        counts["published"] += 1
    if not answered:
        counts["nobody answered"] += 1
    elif outcome.error is not None:
        counts["refused"] += 1
        counts["the rest published"] += outcome.changes is not None
    if answered and len(run.origins) > 1:
        counts["failover"] += 1
    counts[f"passes: {run.passes()}"] += 1
    counts["inconsistent"] += outcome.changes is not None and not outcome.state.snapshot.consistent


def _judge_content(life: Life, run: Run, outcome: Outcome[State]) -> None:
    """Judge what is served after a refresh that was answered, be it old or new."""
    before, after = inspect(life.provider).state, outcome.state
    fine = outcome.error is None and after.rejected is None
    if run.last_pass() and outcome.error is None and (outcome.changes is not None or fine):
        _judge_settings_read(life, run, after)
    elif outcome.changes is not None:
        same = settings_of(after.snapshot) == settings_of(before.snapshot)
        life.rule(same, "settings that were not read stay as they are")
    if run.of("flags") and (fine or not life.stage.scenario.moody):
        # Flags do not wait for settings that are refused: a kill switch has to work.
        _judge_flags_read(life, run, after)
    elif outcome.changes is not None and not run.of("flags"):
        same = flags_of(after.snapshot) == flags_of(before.snapshot)
        life.rule(same, "flags that were not read stay as they are")
    if fine and life.stage.scenario.sentinels and run.settings_due and not run.last_pass():
        _judge_nothing_missed(life, run, after)


def _judge_settings_read(life: Life, run: Run, state: State) -> None:
    stage = life.stage
    first, last = window(run.last_pass())
    shown = settings_of(state.snapshot)
    states = [stage.history.settings(one, ("k",)) for one in range(first, last + 1)]
    whole = shown in states
    life.world.counts["exact" if whole else "mixed in its window"] += 1
    if not whole:
        _judge_every_key(life, shown, states)
    if stage.scenario.sentinels:
        _judge_sentinels(life, state, first, last)
        settled = not any(stage.history.open[first : last + 1])
        life.world.counts["nobody publishing"] += settled
        if settled and state.snapshot.consistent:
            life.rule(whole, f"a consistent generation is what a publish left ({first}-{last})")


def _judge_every_key(life: Life, shown: dict[str, str], states: list[dict[str, str]]) -> None:
    keys = set(shown).union(*states)
    for key in sorted(keys):
        held = [state.get(key) for state in states]
        rule = f"{key} was {shown.get(key)} while pages were read, and not only {held}"
        life.rule(shown.get(key) in held, rule)


def _judge_sentinels(life: Life, state: State, first: int, last: int) -> None:
    history = life.stage.history
    for key, kept in zip(life.stage.scenario.sentinels, state.sentinels, strict=True):
        known = kept.etag is None or int(kept.etag) <= first
        life.rule(known, f"{key} as kept ({kept.etag}) was read before the data ({first})")
        if state.snapshot.consistent:
            # Between replicas that lag it may go back and forth within the second of its date.
            unmoved = history.etag(last, key) in {history.etag(first, key), *kept.before}
            rule = f"{key} did not move while pages were read ({first}-{last})"
            life.rule(unmoved, rule)


def _judge_sentinels_kept(life: Life, run: Run, before: State, after: State) -> None:
    """Judge that no sentinel goes back: what is older by its date is a replica that lags.

    Unless another one moved there: then what is kept is what the data belongs to. In a load of
    several passes it may have moved back by the last one.
    """
    moments = life.stage.history.moments
    back = moved = False
    for one, other in zip(before.sentinels, after.sentinels, strict=True):
        known = one.etag is not None and other.etag is not None
        older = known and int(moments[int(other.etag or 0)]) < int(moments[int(one.etag or 0)])
        back |= older
        moved |= one.etag != other.etag and not older
    # A load that is made whatever the sentinels say keeps them as its endpoint answered.
    moved |= run.passes() > 1 or run.heals
    life.rule(moved or not back, f"sentinels went back: {before.sentinels}, {after.sentinels}")


def _judge_flags_read(life: Life, run: Run, state: State) -> None:
    first, last = window(run.of("flags"))
    shown = flags_of(state.snapshot)
    states = [flags_at(life.stage.history, one) for one in range(first, last + 1)]
    if shown not in states:
        _judge_every_key(life, shown, states)


def _judge_nothing_missed(life: Life, run: Run, state: State) -> None:
    """Judge a check that found nothing: each sentinel was as it is kept, or older."""
    names = life.stage.scenario.sentinels
    for reading in run.of("sentinel"):
        key = reading.target.key or ""
        sentinel = state.sentinels[names.index(key)]
        kept = sentinel.etag
        seen = life.stage.history.etag(reading.revision, key)
        lagging = kept is not None and seen is not None and int(seen) < int(kept)
        lagging = lagging or seen in sentinel.before
        rule = f"{key} was {seen}, which is not {kept}: the configuration is loaded"
        life.rule(seen == kept or lagging, rule)


def _remember_reading(life: Life, run: Run, before: State, after: State) -> None:
    """Note since when what is kept has been known; what was refused is read, and not kept."""
    settings, flags = life.read_at
    fine = after.rejected is None
    if run.last_pass() and (fine or after.content.settings is not before.content.settings):
        settings = window(run.last_pass())[0]
    if run.of("flags") and (fine or after.content.flags is not before.content.flags):
        flags = window(run.of("flags"))[0]
    life.read_at = settings, flags


def judge_call(life: Life, call: Call, *, published: bool) -> None:
    """Judge what a call of `refresh()` left behind."""
    outcome, now = call.outcome, life.provider.snapshot
    if outcome is None:
        life.rule(not published and not call.called, "without an outcome nothing is published")
        if call.run is None:
            life.world.counts["nothing to do"] += 1
        else:
            life.rule(life.closed and now is call.before, "only close() makes an outcome void")
        return
    changed = outcome.changes is not None
    life.rule(published == changed, "refresh() tells whether it published")
    life.rule(now is outcome.state.snapshot, "what a refresh made is served")
    called = changed and not outcome.silent
    life.rule(call.called == called, "the callback is called once per publish")
    life.rule(call.failed == len(outcome.errors), "the error callback once per failure")
    if not life.closed:
        judge_wake(life)
    _judge_status(life, call, outcome)


def judge_wake(life: Life) -> None:
    """Judge the one number that `refresh()` compares with the clock."""
    if life.flight is not None:
        return
    provider = inspect(life.provider)
    due, wakes = life.model.due(life.endpoints), provider.wake
    # Minus infinity: an event waits in the inbox, and the next call works out what is due.
    # Or callbacks that were broken off are to be called.
    waits = bool(provider.inbox) or provider.pending_callbacks is not None
    same = wakes == due or (wakes == -math.inf and waits)
    same = same or math.isclose(due, wakes, abs_tol=NOTHING)
    life.rule(same, f"refresh() wakes up at {wakes}, and should at {due}")


def _judge_status(life: Life, call: Call, outcome: Outcome[State]) -> None:
    status, state = life.provider.status, inspect(life.provider).state
    attempt, rejected = state.attempt, state.rejected
    begun = call.run.begun if call.run else None
    life.rule(status.generation == life.provider.snapshot.version, "status: the generation")
    if call.run is not None and not call.run.remote:
        return
    life.rule(attempt.last is not None and attempt.last[0] == begun, "status: the last attempt")
    if outcome.error is None and state.overlay.error is not None:
        stands = status.last_error in state.lasting_errors
        life.rule(stands, f"status: what is wrong stands, and not {status.last_error!r}")
    elif outcome.error is not None:
        life.rule(status.last_error is outcome.error, "status: the last error")
    elif rejected is None:
        life.rule(status.last_error is None, f"status: no error, and not {status.last_error!r}")
        heard = call.run.heard if call.run else None
        confirmed = attempt.success is not None and attempt.success[0] == heard
        life.rule(confirmed, "status: the last success")
    else:
        stands = status.last_error is rejected.error
        life.rule(stands, f"status: what is refused stands, and not {status.last_error!r}")
    of_layer = layers.is_of_layer(state, outcome.error)
    if (outcome.error is not None and not of_layer) or rejected is not None:
        older = attempt.success is None or attempt.success[0] <= (begun or 0.0)
        life.rule(older, "status: what failed or was refused confirms nothing")
    free_at = life.model.free_at(life.endpoints)
    backing_off = free_at > life.world.now + NOTHING
    if abs(free_at - life.world.now) > NOTHING:
        life.rule((status.backoff_until is not None) == backing_off, "status: the back-off")


def judge_child(
    parent: AzureAppConfigurationProvider, child: AzureAppConfigurationProvider
) -> None:
    """Judge a child at its birth: what is read stays, what is locked does not."""
    assert child.snapshot is parent.snapshot, "a child keeps the generation"
    its, theirs = inspect(child).process, inspect(parent).process
    assert its.driver is not theirs.driver, "a child has connections of its own"
    assert its.flight is not theirs.flight, "a child has a flag of its own"
    assert not its.flight.locked(), "nobody refreshes in a child yet"
