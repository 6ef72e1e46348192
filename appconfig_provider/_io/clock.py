"""The system's clock, and the clock in force: the system's, or one that a test has set."""

from __future__ import annotations

import sys
import time as machine
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic, time
from typing import TYPE_CHECKING

from appconfig_provider.protocols import Clock, current_clock

if TYPE_CHECKING:
    import asyncio

__all__ = ["SystemClock", "boottime_of", "clock_in_force", "current_clock"]


def boottime_of(platform: str) -> Callable[[], float]:
    """Return the platform's clock that never goes back and counts the time of a suspend.

    `time.monotonic` does not count it on Linux (`CLOCK_MONOTONIC`) and macOS
    (`mach_absolute_time`); on Windows that depends on the version of Python. It is returned where
    the platform has no other clock.
    """
    if platform == "win32":
        import ctypes

        ticks = ctypes.windll.kernel32.GetTickCount64  # type: ignore[attr-defined,unused-ignore]
        ticks.restype = ctypes.c_uint64
        return lambda: float(ticks()) / 1000.0
    # On macOS CLOCK_MONOTONIC counts a suspend, and `time.monotonic` reads another clock.
    name = "CLOCK_MONOTONIC" if platform == "darwin" else "CLOCK_BOOTTIME"
    clock = getattr(machine, name, None)
    if clock is None:
        return monotonic
    try:
        machine.clock_gettime(clock)
    except OSError:  # this kernel, or its sandbox, does not have that clock
        return monotonic
    return partial(machine.clock_gettime, clock)


class SystemClock:
    """The machine's own time."""

    __slots__ = ()

    monotonic = staticmethod(monotonic)
    boottime = staticmethod(boottime_of(sys.platform))
    time = staticmethod(time)

    def sleep(self, seconds: float) -> None:
        """Wait on this thread, or on this greenlet where gevent has put its own `sleep` there."""
        machine.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Wait in this task."""
        import asyncio  # its import takes 20 ms, which programs with threads are spared

        await asyncio.sleep(seconds)

    def wait_until(self, until: float, woken: SimpleQueue[None]) -> None:
        """Wait on this thread until a monotonic time, or until something is put into `woken`."""
        with suppress(Empty):
            woken.get(timeout=max(until - monotonic(), 0.0))

    async def await_until(self, until: float, woken: asyncio.Event) -> None:
        """Wait in this task until a time of `monotonic()`, or until `woken` is set."""
        import asyncio

        # Not wait_for(): up to Python 3.11 it may swallow a cancellation.
        alarm = asyncio.get_running_loop().call_later(max(until - monotonic(), 0.0), woken.set)
        try:
            await woken.wait()
        finally:
            alarm.cancel()


def clock_in_force() -> Clock:
    """Return the clock for a provider that is loaded now: a test's, or the system's."""
    return current_clock.get(_SYSTEM)


_SYSTEM = SystemClock()
