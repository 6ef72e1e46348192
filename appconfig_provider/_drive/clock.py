"""The real clock, and the place where a test puts another one."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from time import monotonic, sleep, time
from typing import TYPE_CHECKING

from appconfig_provider.protocols import Clock

if TYPE_CHECKING:
    import asyncio


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

    def wait_until(self, moment: float, bell: SimpleQueue[None]) -> None:
        """Wait on this thread until a monotonic moment, or until something is put into `bell`."""
        with suppress(Empty):
            bell.get(timeout=max(moment - monotonic(), 0.0))

    async def await_until(self, moment: float, bell: asyncio.Event) -> None:
        """Wait in this task until a monotonic moment, or until `bell` is set."""
        import asyncio

        # Not wait_for(): up to Python 3.11 it may swallow a cancellation.
        alarm = asyncio.get_running_loop().call_later(max(moment - monotonic(), 0.0), bell.set)
        try:
            await bell.wait()
        finally:
            alarm.cancel()


current_clock: ContextVar[Clock] = ContextVar("current_clock")
"""Providers keep the clock that is current when they are loaded."""


def clock_in_force() -> Clock:
    """Return the clock for a provider that is being loaded now."""
    return current_clock.get(_SYSTEM)


_SYSTEM = SystemClock()
