"""When a client may ask again, worked out from what it was answered.

It says in other words what the engine does: after success, or where there is no config, it waits
for an interval; after a failure for a back-off, which doubles. It waits for nothing when somebody
forces it, or has switched it online.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from appconfig_provider._fetch.exchange import READ_OR_ABSENT
from appconfig_provider._fetch.waiting import retry_after
from appconfig_provider._plan import Effect, Response, Send
from appconfig_provider.configcat.fetching.state import State
from tests.simulation.configcat.scenario import MANUAL, Kind
from tests.simulation.network import Answer
from tests.simulation.run import Run
from tests.simulation.scenario import FIRST_BACKOFF, MAX_BACKOFF

ABSENT = frozenset({403, 404})


@dataclass(slots=True)
class Attempt(Run):
    """A refresh, and what it was answered."""

    before: State | None = None
    """The state that it began with."""
    files: list[str] = field(default_factory=list)
    """What was asked for, in order."""
    answer: Response | None = None
    """The last one that came; None where the last request failed."""
    conditional: bool = False
    """Whether that request had an ETag."""
    pushes: int = 0
    """How often the client had been switched online when it began."""
    may_send_at: float = -math.inf
    succeeded: bool | None = None
    """Whether the last answer was a config, or confirmed one; None where nobody was asked."""

    def hears(
        self, effect: Effect[object], outcome: object, answer: Answer | None, now: float
    ) -> None:
        """Note an answer that somebody still waited for."""
        Run.hears(self, effect, outcome, answer, now)
        if isinstance(effect, Send):
            self.conditional = "if-none-match" in dict(effect.request.headers)
            self.answer = outcome if isinstance(outcome, Response) else None

    def refuses(self, origin: str, now: float) -> None:
        """Note a request that its deadline kept from being sent."""
        Run.refuses(self, origin, now)
        self.answer = None

    def judged_by(self, shows: Callable[[Response], bool]) -> None:
        """Note whether it succeeded; `shows` tells whether an answer has a config."""
        answer = self.answer
        if self.asked:
            self.succeeded = answer is not None and (
                self.conditional if answer.status == 304 else shows(answer)
            )


@dataclass(slots=True)
class Owed:
    """When one client may ask its servers by itself; on the virtual clock."""

    kind: Kind
    chance: float
    earliest: float = -math.inf
    failures: int = 0
    pushes: int = 0
    """How often it was switched online."""
    taken: int = 0
    """How many of them a refresh has answered."""

    def push(self) -> None:
        """Take note of a switch to online."""
        self.pushes += 1

    def begins(self, run: Attempt, now: float) -> None:
        """Write into a refresh when it may send."""
        run.pushes = self.pushes
        pushed = self.pushes > self.taken and self.kind.mode != MANUAL
        by_itself = self.earliest if self.kind.mode != MANUAL else math.inf
        run.may_send_at = now if run.forced or pushed else by_itself

    def breaks_off(self) -> None:
        """Take in a refresh that came to nothing: it may be done again at once."""

    def ends(self, run: Attempt, now: float) -> None:
        """Take in a refresh that came to its end."""
        self.taken = run.pushes
        answer = run.answer
        if run.succeeded is None:
            return
        if run.succeeded or (answer is not None and answer.status in ABSENT):
            self.failures = 0
            self.earliest = now + self.kind.interval
            return
        self.failures += 1
        first = min(FIRST_BACKOFF, self.kind.interval)
        pause = first * 2 ** min(self.failures - 1, 32) * (1 + self.chance / 4)
        refused = answer is not None and answer.status not in READ_OR_ABSENT
        wait = (retry_after(answer, 0.0) or 0.0) if answer is not None and refused else 0.0
        self.earliest = now + min(max(pause, wait), MAX_BACKOFF)

    def forked(self, now: float, *, loaded: bool) -> Owed:
        """Return what a child owes: its timers begin anew, unless it has no config yet."""
        if not loaded:
            return replace(self)
        return replace(self, earliest=max(self.earliest, now + self.kind.interval))
