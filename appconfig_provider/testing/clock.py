"""The time of day for tests: a clock that stands still until it is moved."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Protocol

from appconfig_provider._io.clock import current_clock


class Clock(Protocol):
    """Where the emulator takes the time of day from."""

    def time(self) -> float:
        """Seconds since 1970."""
        ...


class FakeClock:
    """A clock that stands still until a test moves it; may be used from any thread.

    Providers that are loaded inside its ``with`` block live by it.

    ``time`` begins at the real time of day unless a number of seconds since 1970 is given.
    """

    def __init__(self, time_of_day: float | None = None) -> None:
        self._lock = threading.Lock()
        self._begin = time.time() if time_of_day is None else time_of_day
        self._passed = 0.0
        self._suspended = 0.0
        self._alarms: list[tuple[float, Callable[[], object]]] = []

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        with self._lock:
            return self._passed

    def boottime(self) -> float:
        """Seconds since this clock was made, with those of `suspend`."""
        with self._lock:
            return self._passed + self._suspended

    def time(self) -> float:
        """Seconds since 1970."""
        return self._begin + self.boottime()

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: the number is negative; a clock does not go back.
        """
        if seconds < 0:
            raise ValueError("a clock does not go back")
        with self._lock:
            self._passed += seconds
            rung = [alarm for alarm in self._alarms if alarm[0] <= self._passed]
            self._alarms = [alarm for alarm in self._alarms if alarm[0] > self._passed]
        for _, wake in rung:
            wake()

    def suspend(self, seconds: float) -> None:
        """Let time pass as while a laptop is closed: the day goes on, what waits here does not.

        `time` and `boottime` move, `monotonic` stands still, and nobody wakes up.

        Raises:
            ValueError: the number is negative; a clock does not go back.
        """
        if seconds < 0:
            raise ValueError("a clock does not go back")
        with self._lock:
            self._suspended += seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.advance(max(seconds, 0.0))

    async def asleep(self, seconds: float) -> None:
        """Let time pass at once, and let other tasks run."""
        self.advance(max(seconds, 0.0))
        await asyncio.sleep(0)

    def wait_until(self, until: float, woken: SimpleQueue[None]) -> None:
        """Wait until a test has moved the clock that far, or something is put into `woken`."""
        if self._set_alarm(until, partial(woken.put, None)):
            woken.get()

    async def await_until(self, until: float, woken: asyncio.Event) -> None:
        """Wait until a test has moved the clock that far, or `woken` is set."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop has been closed since
                loop.call_soon_threadsafe(woken.set)

        if self._set_alarm(until, wake):
            await woken.wait()

    def _set_alarm(self, until: float, wake: Callable[[], object]) -> bool:
        """Have something woken at a time; False when it has passed."""
        with self._lock:
            if until <= self._passed:
                return False
            self._alarms.append((until, wake))
            return True

    def __enter__(self) -> FakeClock:
        self._installed = current_clock.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        current_clock.reset(self._installed)
