"""Effects that stay on this machine, and a driver for programs that have no store.

This module imports no HTTP library: a program with overrides alone starts without one.
"""

from __future__ import annotations

from typing import TypeVar

from appconfig_provider._io.files import read_file
from appconfig_provider._plan import Effect, Failure, Invoke, Plan, ReadFile, Schedule, Sleep
from appconfig_provider.protocols import Clock

T = TypeVar("T")


def perform_here(effect: Effect[object], clock: Clock) -> object:
    """Perform an effect that needs no connection, on this thread."""
    match effect:
        case Sleep(seconds):
            clock.sleep(seconds)
            return None
        case Invoke(function, arguments):
            return function(*arguments)
        case ReadFile():
            return read_file(effect)
        case _:
            raise TypeError(f"no driver performs {effect!r}")


class LocalDriver:
    """Performs effects one after the other; it has no connections."""

    sent = 0
    """Requests sent so far."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def run(self, plan: Plan[T]) -> T:
        """Run a plan to its end; return what it returns, or raise what it raises."""
        schedule = Schedule(plan)
        try:
            effects = schedule.start()
            while effects:
                pending = effects.pop(0)
                if not pending.void:
                    effects += schedule.answer(pending, self._attempt(pending.effect))
            return schedule.result()
        finally:
            schedule.close()

    def _attempt(self, effect: Effect[object]) -> object:
        try:
            return perform_here(effect, self._clock)
        except Exception as error:  # an error is the outcome of an effect
            return Failure(error)

    def for_child(self) -> LocalDriver:
        """Return a driver for a forked child."""
        return LocalDriver(self._clock)

    def close(self) -> None:
        """Do nothing: nothing is open."""
