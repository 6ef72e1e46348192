"""How much time a job has, and what is told when it is used up.

A budget ends at a moment of the monotonic clock, and each attempt at an endpoint gets a share of
what is left. A check that finds work gets more time, once; an endpoint that is asked after that has
its share of the time of the reload.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many seconds, and what they are called in an error."""

    seconds: float
    words: str
    """What they are called, with a place for the number."""

    @property
    def message(self) -> str:
        """What they are called in an error."""
        return self.words.format(self.seconds)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Until when a load may go on, on the monotonic clock, and what is told when it may not."""

    until: float
    budget: str
    """The time that is used up then, as the user knows it."""

    @property
    def message(self) -> str:
        """Why something is not begun any more."""
        return f"{self.budget} was used up"


@dataclass(slots=True)
class Budget:
    """When a job must be over, on the monotonic clock; moved once, when a check finds work."""

    until: float
    allowance: Allowance
    reload: Allowance | None = None
    """What is added when a check finds work; None once it was, and for a first load."""

    def begin_reload(self, now: float) -> None:
        """Give a reload its own time; nothing the second time."""
        if self.reload is not None:
            self.until, self.allowance, self.reload = now + self.reload.seconds, self.reload, None

    def share(self, now: float, untried: int) -> float:
        """Return the deadline of an attempt, so that endpoints not tried yet get their turn."""
        return now + (self.until - now) / (untried + 1)

    @property
    def allowed(self) -> Allowed:
        """Return until when what follows a load may go on: with what the load has left."""
        return Allowed(self.until, self.allowance.message)

    def used_up(self, deadline: float) -> str:
        """Return the words for an attempt that ran into its deadline."""
        part = "its share of " if deadline < self.until else ""
        return f"{part}{self.allowance.message} was used up"
