"""How much time a job has: the first load, a check, and the reload that a check found necessary.

A budget ends at a moment of the monotonic clock, and each attempt at an endpoint gets a share of
what is left. A check that finds work gets more time, once; an endpoint that is asked after that has
its share of the time of the reload.
"""

from __future__ import annotations

from dataclasses import dataclass

from appconfig_provider._engine.context import Allowed, Context
from appconfig_provider.options import Options

RELOAD = 30.0
"""Seconds of a reload while a caller of `refresh()` waits for it."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many seconds, and what they are called in an error."""

    seconds: float
    words: str
    """What they are called, with a place for the number."""

    @property
    def told(self) -> str:
        """What they are called in an error."""
        return self.words.format(self.seconds)


def of_first_load(options: Options) -> Allowance:
    """Return what `load()` has, where it is more than one attempt per endpoint."""
    if options.startup.seconds:
        return Allowance(options.startup.seconds, options.startup.keyword + "={:g} s")
    return Allowance(options.load_budget, "the default of startup_timeout ({:g} s)")


def name_of_startup(options: Options) -> str:
    """Return the keyword that says how long `load()` may take, and what it was given."""
    return f"{options.startup.keyword}={options.startup.seconds:g} s"


def of_check(options: Options) -> Allowance:
    """Return what a refresh has to find out whether anything changed."""
    seconds = options.check_budget
    return Allowance(seconds, "the time of a check ({:g} s, connect_timeout + read_timeout)")


def of_reload(context: Context) -> Allowance:
    """Return what a refresh has to load, build and validate what changed.

    Nobody waits for a poller: it has as much as the first load. Who waits never has more than that.
    """
    seconds = context.options.load_budget
    if not context.in_background:
        seconds = min(seconds, RELOAD)
    return Allowance(seconds, "the time of a reload ({:g} s)")


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
        return Allowed(self.until, self.allowance.told)

    def used_up(self, deadline: float) -> str:
        """Return the words for an attempt that ran into its deadline."""
        part = "its share of " if deadline < self.until else ""
        return f"{part}{self.allowance.told} was used up"


def check_budget(context: Context) -> Budget:
    """Return the budget of a refresh that begins now."""
    allowed = of_check(context.options)
    return Budget(context.clock.monotonic() + allowed.seconds, allowed, of_reload(context))
