"""The real clock, and the place where a test puts another one."""

from __future__ import annotations

from contextvars import ContextVar
from time import monotonic, sleep, time

from appconfig_provider.protocols import Clock


class SystemClock:
    """The machine's own time."""

    __slots__ = ()

    monotonic = staticmethod(monotonic)
    time = staticmethod(time)
    sleep = staticmethod(sleep)

    async def asleep(self, seconds: float) -> None:
        """Wait in this task."""
        import asyncio  # 20 ms that a program with threads need not pay

        await asyncio.sleep(seconds)


current_clock: ContextVar[Clock] = ContextVar("current_clock")
"""Providers keep the clock that is current when they are loaded."""


def clock_in_force() -> Clock:
    """Return the clock for a provider that is being loaded now."""
    return current_clock.get(_SYSTEM)


_SYSTEM = SystemClock()
