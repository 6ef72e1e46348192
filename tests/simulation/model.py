"""When the next refresh is due, worked out from what happened on the wire alone.

It says the same as the engine in other words, so a change of meaning on one side shows: timers
move by an attempt that got an answer, back-off belongs to an endpoint, doubles and is forgotten by
success, an event that was pushed stays pending until a check has succeeded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.simulation.run import Run
from tests.simulation.scenario import FILE_INTERVAL, FIRST_BACKOFF, MAX_BACKOFF, Scenario


@dataclass(slots=True)
class Model:
    """What one provider owes; times are on the virtual clock, infinite is never."""

    scenario: Scenario
    settings_at: float = math.inf
    flags_at: float = math.inf
    push_at: float = math.inf
    file_at: float = math.inf
    """When the file of overrides is to be checked."""
    file_said: dict[str, str] | None = None
    """What the file said when it could be read last."""
    heal_at: float = math.inf
    """When everything is checked because a copy of an earlier run is served."""
    pushed_meanwhile: float = math.inf
    """When what was pushed during the refresh under way is due."""
    backoffs: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By endpoint: failures in a row, and until when it is left alone."""
    tokens: dict[str, int] = field(default_factory=dict)
    """By endpoint: the newest revision that requests have to tell of."""

    tokens_meanwhile: dict[str, int] = field(default_factory=dict)
    """What was pushed during the refresh under way: it is too late for that one."""

    answered_last: str = ""

    def arm(self, now: float) -> None:
        """Start the timers, as after loading and in a forked child."""
        if self.scenario.settings_watched:
            self.settings_at = now + self.scenario.interval
        if self.scenario.flags_refreshed:
            self.flags_at = now + self.scenario.flag_interval
        if self.scenario.layered:
            self.file_at = now + FILE_INTERVAL

    def free_at(self, endpoints: Iterable[str]) -> float:
        """Return when the first endpoint may be asked."""
        return min(self.backoffs.get(one, (0, -math.inf))[1] for one in endpoints)

    def due(self, endpoints: Iterable[str]) -> float:
        """Return when a refresh that is not forced has something to do."""
        return min(self._store_due(endpoints), self.file_at)

    def _store_due(self, endpoints: Iterable[str]) -> float:
        timers = (self.settings_at, self.flags_at, self.push_at, self.heal_at)
        if self.heal_at == min(timers[0], timers[1], timers[3]) == math.inf:
            return math.inf  # where nothing is watched, an event makes nothing due
        return max(min(timers), self.free_at(endpoints))

    def candidates(self, endpoints: Sequence[str], run: Run) -> list[str]:
        """Return the endpoints that a run asks one after the other until one answers."""
        first = 0
        if self.scenario.balanced and self.answered_last in endpoints:
            first = endpoints.index(self.answered_last) + 1
        order = [*endpoints[first:], *endpoints[:first]]
        return [one for one in order if run.forced or self.free_at((one,)) <= run.begun]

    def begins(self, run: Run, endpoints: Iterable[str]) -> None:
        """Write into a run what it is to check."""
        run.file_due = self.file_at <= run.begun or (run.forced and self.file_at < math.inf)
        if not run.forced and self.free_at(endpoints) > run.begun:
            return
        run.pushed = self.push_at <= run.begun
        timers = (self.settings_at, self.flags_at, self.push_at, self.heal_at)
        asks = run.forced or min(timers) <= run.begun  # else only the file is due
        run.heals = asks and not math.isinf(self.heal_at)
        if run.heals:
            run.settings_due, run.flags_due = True, self.scenario.flags_loaded
            return
        every = run.forced or run.pushed
        run.settings_due = self.settings_at <= run.begun or (every and self.settings_at < math.inf)
        run.flags_due = self.flags_at <= run.begun or (every and self.flags_at < math.inf)

    def pushed(self, tokens: Mapping[str, int], at: float, *, running: bool) -> None:
        """Take note of an event; of several that wait, the first one's time counts."""
        _take_newer(self.tokens_meanwhile if running else self.tokens, tokens)
        if running:
            if math.isinf(self.pushed_meanwhile):
                self.pushed_meanwhile = at
        elif math.isinf(self.push_at):
            self.push_at = at

    def broken_off(self) -> None:
        """Forget a run that came to no end; what it had taken up is wanted as before."""
        if math.isinf(self.push_at):
            self.push_at = self.pushed_meanwhile
        self.pushed_meanwhile = math.inf
        self._take_meanwhile()

    def _take_meanwhile(self) -> None:
        _take_newer(self.tokens, self.tokens_meanwhile)
        self.tokens_meanwhile.clear()

    def ends(self, run: Run, *, answered: bool, stale: bool) -> None:
        """Take in a run that came to its end; `answered` unless every endpoint failed."""
        if run.file_checked is not None:
            self.file_at = run.file_checked + FILE_INTERVAL
        _take_newer(self.tokens, run.learned)
        self._take_meanwhile()
        if not run.remote:
            self.broken_off()
            return
        for origin in run.origins[:-1] if answered else run.origins:
            self._fails(run, origin)
        if not answered:
            self.broken_off()
            return
        self.backoffs[run.origin] = (0, -math.inf)
        self.answered_last = run.origin
        self.push_at, self.pushed_meanwhile = self.pushed_meanwhile, math.inf
        if run.settings_due and self.scenario.settings_watched:
            self.settings_at = run.heard + self.scenario.interval
        if run.flags_due and self.scenario.flags_refreshed:
            self.flags_at = run.heard + self.scenario.flag_interval
        self.heal_at = run.heard + self.scenario.interval if stale else math.inf

    def _fails(self, run: Run, origin: str) -> None:
        failures = self.backoffs.get(origin, (0, 0.0))[0] + 1
        first = min(FIRST_BACKOFF, self.scenario.interval)
        pause = first * 2 ** min(failures - 1, 32) * (1 + self.scenario.chance / 4)
        pause = min(max(pause, run.wait.get(origin, 0.0)), MAX_BACKOFF)
        self.backoffs[origin] = (failures, run.last[origin] + pause)

    def forked(self, now: float) -> Model:
        """Return the model of a child: timers of its own, the rest as its parent has it."""
        child = replace(
            self,
            backoffs=dict(self.backoffs),
            tokens=dict(self.tokens),
            tokens_meanwhile=dict(self.tokens_meanwhile),
        )
        child.broken_off()
        child.arm(now)
        return child


def _take_newer(held: dict[str, int], others: Mapping[str, int]) -> None:
    for origin, revision in others.items():
        held[origin] = max(held.get(origin, 0), revision)
