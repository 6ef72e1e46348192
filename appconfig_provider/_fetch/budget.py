"""How much time a job has, and what an error says when that time is used up.

A budget ends at one time of the monotonic clock, and each attempt at an endpoint gets a share of
what is left. When a check finds a change, the budget is replaced, once, by that of the reload;
endpoints that are tried after that share the time of the reload.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Allowance:
    """A number of seconds, and how an error names them."""

    seconds: float
    template: str
    """The name, with a format field for the number: `startup_timeout={:g} s`."""

    @property
    def message(self) -> str:
        """The name with the number, for an error: `startup_timeout=100 s`."""
        return self.template.format(self.seconds)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Until when a load may go on, on the monotonic clock, and what limits it."""

    until: float
    budget: str
    """The name of the limit, for an error."""

    @property
    def message(self) -> str:
        """Why nothing is begun after that time."""
        return f"{self.budget} was used up"


@dataclass(slots=True)
class Budget:
    """When a job must be over, on the monotonic clock; moved once, when a check finds a change."""

    until: float
    allowance: Allowance
    reload: Allowance | None = None
    """The time of the reload; None once it has begun, and for a first load."""

    def begin_reload(self, now: float) -> None:
        """Replace the time of the check by that of the reload; a second call does nothing."""
        if self.reload is not None:
            self.until, self.allowance, self.reload = now + self.reload.seconds, self.reload, None

    def share(self, now: float, untried: int) -> float:
        """Return the deadline of an attempt; it leaves as much for each untried endpoint."""
        return now + (self.until - now) / (untried + 1)

    @property
    def allowed(self) -> Allowed:
        """Return what limits the steps after a load, such as secrets and `validate`."""
        return Allowed(self.until, self.allowance.message)

    def used_up(self, deadline: float) -> str:
        """Return what an error says of an attempt that ended at its deadline."""
        part = "its share of " if deadline < self.until else ""
        return f"{part}{self.allowance.message} was used up"
