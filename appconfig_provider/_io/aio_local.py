"""Effects that stay on this machine, with asyncio, and a driver for programs without a store."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import TypeVar

from appconfig_provider._io.files import read_file
from appconfig_provider._io.threads import on_thread
from appconfig_provider._plan import Effect, Failure, Invoke, Plan, ReadFile, Schedule, Sleep
from appconfig_provider.protocols import Clock
from appconfig_provider.trouble import name_of

T = TypeVar("T")


async def perform_here(effect: Effect[object], clock: Clock) -> object:
    """Perform an effect that needs no connection."""
    match effect:
        case Sleep(seconds):
            await clock.asleep(seconds)
            return None
        case ReadFile():
            # On a thread: a folder may lie on another machine.
            return await on_thread(read_file, (effect,))
        case Invoke(function, arguments, blocking):
            answer = await on_thread(function, arguments) if blocking else function(*arguments)
            return await answer if inspect.isawaitable(answer) else answer
        case _:
            raise TypeError(f"no driver performs {effect!r}")


async def outcome_of(effect: Effect[object], performed: Awaitable[object]) -> object:
    """Return the outcome of an effect, which is a `Failure` when it raised.

    A cancellation of the running task is raised. A `CancelledError` that comes from the user's own
    function is a failure like any other.
    """
    try:
        return await performed
    except asyncio.CancelledError as error:
        if not isinstance(effect, Invoke) or _being_cancelled():
            raise
        name = name_of(effect.function)
        own = RuntimeError(f"{name} ended with a cancellation of its own")
        own.__cause__ = error
        return Failure(own)
    except Exception as error:
        return Failure(error)


def _being_cancelled() -> bool:
    """Tell whether the running task is cancelled; a function may also raise the error by itself."""
    cancelling = getattr(asyncio.current_task(), "cancelling", None)
    # Python 3.10 cannot tell them apart; there every `CancelledError` counts as a cancellation.
    return cancelling is None or cancelling() > 0


class AsyncLocalDriver:
    """Performs effects one after the other; it has no connections."""

    sent = 0
    """Requests sent so far."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def run(self, plan: Plan[T]) -> T:
        """Run a plan to its end; return what it returns, or raise what it raises."""
        schedule = Schedule(plan)
        try:
            effects = schedule.start()
            while effects:
                pending = effects.pop(0)
                if not pending.void:
                    performed = perform_here(pending.effect, self._clock)
                    outcome = await outcome_of(pending.effect, performed)
                    effects += schedule.answer(pending, outcome)
            return schedule.result()
        finally:
            schedule.close()

    def for_child(self) -> AsyncLocalDriver:
        """Return a driver for a forked child."""
        return AsyncLocalDriver(self._clock)

    async def close(self) -> None:
        """Do nothing: nothing is open."""
