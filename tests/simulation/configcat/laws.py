"""What must hold of ConfigCat's clients: the laws, said of one request, one refresh, one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appconfig_provider._live.source import Outcome
from appconfig_provider._plan import Response, Send
from appconfig_provider.configcat.fetching.state import State
from tests.simulation.configcat.attempts import Attempt
from tests.simulation.configcat.scenario import AUTO, LAZY, MANUAL
from tests.simulation.run import Run
from tests.simulation.world import NOTHING

if TYPE_CHECKING:
    from tests.simulation.configcat.life import Life

MOST_REQUESTS = 3
"""For one file, in one refresh."""
MILLISECONDS = 0.002
"""Times of configs are kept in whole milliseconds."""


def judge_request(life: Life, run: Run, send: Send) -> None:
    """Judge a request: whether it may be sent at all, and now."""
    life.rule(not life.closed, "nothing is sent after close()")
    life.rule(not life.client.switch.offline, "nothing is sent offline")
    life.rule(not life.local_only, "nothing is sent with local settings only")
    if not isinstance(run, Attempt) or run is not life.flight:
        life.rule(held=False, rule="only refreshes send")
        return
    file = send.request.target.rpartition("/")[2]
    run.files.append(file)
    most = run.files.count(file) <= MOST_REQUESTS and len(set(run.files)) <= 2
    life.rule(most, f"too many requests in one refresh: {run.files}")
    early = run.may_send_at - run.begun
    life.rule(early <= MILLISECONDS, f"nothing may be sent before {run.may_send_at}")


def judge_outcome(life: Life, run: Attempt, outcome: Outcome[State]) -> None:
    """Judge what a refresh came to: the one swap, and that what is good stays."""
    before, after, changes = run.before, outcome.state, outcome.changes
    assert before is not None
    servers = life.stage.servers
    run.judged_by(lambda answer: servers.number_of(answer) is not None)
    went_offline = life.client.switch.offline
    if run.succeeded is not None and not went_offline:
        same = after.result.is_success == run.succeeded
        life.rule(same, f"the result is that of the last answer, and not {after.result}")
    life.rule(after.loaded or not before.loaded, "what was loaded stays loaded")
    _count(life, run, outcome)
    if changes is None:
        life.rule(after.snapshot is before.snapshot, "without a change nothing is replaced")
        return
    life.rule(after.snapshot.version == before.snapshot.version + 1, "one version per change")
    differs = dict(after.settings) != dict(before.settings) or after.loaded != before.loaded
    life.rule(differs, "only changes are published")
    if changes.reason == "config":
        shown = servers.number_of(run.answer) if isinstance(run.answer, Response) else None
        life.rule(shown is not None, "after a failure the last good config stays")


def _count(life: Life, run: Attempt, outcome: Outcome[State]) -> None:
    ends = {None: "not asked", True: "succeeded", False: "failed"}[run.succeeded]
    counts = life.world.counts
    counts[f"refresh: {ends}"] += 1
    counts[f"refresh: {run.asked} requests"] += 1
    changes = outcome.changes
    if changes is not None:
        counts[f"published from {changes.reason}"] += 1
    life.tell("refresh ends: %s, %s", ends, changes and changes.reason)


def judge_values(life: Life, values: dict[str, Any]) -> None:
    """Judge what a read has shown: one publish, whole, and none that is older than one before."""
    ours = {key: value for key, value in values.items() if key.startswith("k")}
    numbers = set(ours.values())
    life.rule(len(numbers) <= 1, f"a read shows one publish, and not {numbers}")
    for number in map(int, numbers):
        whole = life.stage.servers.keys[number] == ours.keys()
        life.rule(whole, f"a read shows publish {number} whole, and not {sorted(ours)}")
        # In a cache that is shared, an answer that took long may follow a newer one.
        life.rule(number >= life.seen or life.kind.shares, "no read goes back")
        life.seen = number
    life.rule(bool(ours) or not life.seen, "what was loaded stays")
    local = {value for key, value in values.items() if key.startswith("o")}
    life.rule(len(local) <= 1, f"a read shows the file as it was once, and not {local}")
    for number in map(int, local):
        life.rule(number >= life.seen_locally, "no read of the file goes back")
        life.seen_locally = number
    life.rule(bool(local) or not life.seen_locally, "local settings stay")


class Wait:
    """How long a call took, and what was there when it came."""

    def __init__(self, life: Life, *, inside: bool) -> None:
        held = life.client.held
        self._life = life
        self._began = life.world.now
        holder = held.process.flight.holder
        self._served_from = life.world.now if holder is None else holder.began
        self._closed = life.closed
        self._due = held.state.standing.due
        self._loaded = held.state.loaded
        self._ready = life.readied > 0
        self.alone = life.flight is None
        self.inside = inside
        """Whether it is a call of a hook, which a refresh waits for."""

    @property
    def _took(self) -> float:
        return self._life.world.now - self._began

    @property
    def _waited_for_nothing(self) -> bool:
        """Whether it returned at once, but for hooks of a client that it found ready."""
        return self._took <= (2.0 if self._life.readied and not self._ready else 0.0)

    def judge_read(self) -> None:
        """Judge a read: auto waits for the first refresh only, lazy for what is due."""
        life, took = self._life, self._took
        if took and not self.alone:
            life.world.counts[f"read: {life.kind.mode}, joined"] += 1
        if self.inside or self._closed:
            life.rule(self._waited_for_nothing, f"in a hook, or closed, no read waits: {took:g} s")
        elif life.kind.mode == AUTO and not life.local_only:
            self._judge_auto()
        else:
            life.rule(took <= life.slack, f"a read has returned, if late: {took:g} s")
            unread = (life.kind.shares or life.kind.local is not None) and not self._loaded
            quiet = life.kind.mode == MANUAL and life.kind.local is None and not unread
            life.rule(
                self._waited_for_nothing or not quiet, f"a manual client never waits: {took:g} s"
            )
        if life.kind.mode == LAZY and not self.inside and not life.closed:
            now = life.world.now
            late = life.state.standing.due <= self._served_from + NOTHING
            given_up = took >= life.client.limit - NOTHING
            life.rule(not late or given_up, f"a read does what is due, or waits for it: {now:g}")

    def _judge_auto(self) -> None:
        life, now, kind = self._life, self._life.world.now, self._life.kind
        until = life.born_at + kind.init_wait
        ended = life.state.attempt.last is not None
        early = not (ended or life.closed or self._ready or life.readied or now >= until - NOTHING)
        life.rule(not early, "a read waits for the first refresh")
        if self._ready and not life.forked:
            life.rule(self._took == 0.0, f"once it is ready no read waits: {self._took:g} s")
            return
        end = min(until, life.first_ended_at, life.closed_at)
        # Who finds the time over calls the hooks, and waits for what these do.
        hooks = 2.0 if end == until and life.stage.scenario.lively else NOTHING
        most = max(end - self._began, 0.0) + hooks + (life.slack if life.forked else 0.0)
        life.rule(self._took <= most, f"a read waits until {end:g}, and not {self._took:g} s")

    def judge_ready(self, timeout: float) -> None:
        """Judge `wait_for_ready`."""
        life, took = self._life, self._took
        if self.inside or self._closed:
            life.rule(self._waited_for_nothing, f"in a hook nobody waits: {took:g} s")
        elif life.kind.mode == AUTO and not life.local_only and not life.forked:
            life.rule(took <= timeout + NOTHING, f"it waits for {timeout:g} s: {took:g} s")
        else:
            life.rule(took <= life.slack, f"it returns: {took:g} s")

    def judge_forced(self) -> None:
        """Judge `force_refresh`: it waits for one refresh, and does one."""
        life, took = self._life, self._took
        if took and not self.alone:
            life.world.counts["forced, joined"] += 1
        if self.inside or self._closed:
            life.rule(self._waited_for_nothing, f"in a hook, or closed, nobody waits: {took:g} s")
        life.rule(took <= life.slack, f"a forced refresh returns: {took:g} s")
