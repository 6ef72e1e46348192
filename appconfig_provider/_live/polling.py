"""Refreshing a configuration in the background: on a daemon thread, or in a task.

`rounds` decides for both pollers what to do next. A poller has only a weak reference to its
configuration: when the program drops the configuration, it is collected and its poller ends. Code
that makes something due sooner wakes the poller. `ReadTask` does not poll: readers start it.

This module writes `threading.Thread` and `queue.SimpleQueue`, not `from threading import Thread`:
gevent may have replaced them after this module was imported, and a real queue would stop all
greenlets.
"""

from __future__ import annotations

import logging
import queue
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from appconfig_provider._live.process import current_loop
from appconfig_provider.protocols import Clock
from appconfig_provider.trouble import describe

if TYPE_CHECKING:
    import asyncio

logger = logging.getLogger("appconfig_provider")

PAUSE = 0.1
"""The shortest time in seconds between two checks. While another thread refreshes, something stays
due, and without a pause the poller would check all the time."""
_GOES_ON = "polling goes on after an unexpected error: %s"

NAME = "appconfig-provider"
"""The name of the thread or task, as debuggers show it."""

MAX_SLEEP = 3600.0
"""Seconds. A longer wait is done in parts: systems limit how long a thread may wait."""


class Polled(Protocol):
    """A configuration, as its poller sees it."""

    def _next_check(self) -> float | None:
        """Return when to check, on the monotonic clock; None when never again."""
        ...


class SyncPolled(Polled, Protocol):
    """A configuration that is refreshed on a thread."""

    def _check(self) -> object:
        """Refresh what is due."""
        ...


class AsyncPolled(Polled, Protocol):
    """A configuration that is refreshed in a task."""

    def _check(self) -> Awaitable[object]:
        """Refresh what is due."""
        ...


def rounds(polled: Callable[[], Polled | None], clock: Clock) -> Iterator[float | None]:
    """Yield until when to sleep, or None when it is time to check.

    It ends when the configuration is closed or was collected.
    """
    earliest = clock.monotonic()
    while (until := _next_check(polled())) is not None:
        now = clock.monotonic()
        until = max(until, earliest)
        if now < until:
            yield min(until, now + MAX_SLEEP)
        else:
            earliest = now + PAUSE
            yield None


def _next_check(polled: Polled | None) -> float | None:
    # A function of its own: a local variable of `rounds` would keep the configuration from being
    # collected.
    return None if polled is None else polled._next_check()


class ThreadPoller:
    """Checks on a daemon thread."""

    def __init__(self, polled: SyncPolled, clock: Clock) -> None:
        self._polled = weakref.ref(polled, self._collected)
        self._clock = clock
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread unless it runs. If the system gives none, the next call tries again.

        Only one thread may call it at a time.
        """
        if self._thread is not None and self._thread.is_alive():
            return
        self._thread = threading.Thread(target=self._run, name=NAME, daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            self._thread = None
            logger.warning("no thread for Polling.auto(), so call refresh(): %s", str(error))

    def wake(self) -> None:
        """Make it work out anew what is due; may be called from any thread or signal handler."""
        self._woken.put(None)

    def stop(self, seconds: float) -> None:
        """Let it end; wait at most this long for a check that is running."""
        self.wake()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            # It raises while another thread is just starting this one, which will find nothing due.
            with suppress(RuntimeError):
                thread.join(seconds)

    def _collected(self, _: weakref.ref[SyncPolled]) -> None:
        self.wake()

    def _run(self) -> None:
        for until in rounds(self._polled, self._clock):
            if until is not None:
                self._clock.wait_until(until, self._woken)
            elif (polled := self._polled()) is not None:
                try:
                    polled._check()
                except BaseException as error:
                    # A callback that calls sys.exit() could end this thread, not the program.
                    logger.error(_GOES_ON, describe(error))  # noqa: TRY400 - no text, it may quote
                del polled


class TaskPoller:
    """Checks in a task of the running loop."""

    def __init__(self, polled: AsyncPolled, clock: Clock) -> None:
        self._polled = weakref.ref(polled, self._collected)
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._woken: asyncio.Event | None = None

    def start(self) -> None:
        """Start the task unless it runs. If no loop runs, the next call tries again."""
        import asyncio

        loop = current_loop()
        if loop is not None and not self._makes_progress(loop):
            self._loop, self._woken = loop, asyncio.Event()
            self._task = loop.create_task(self._run(self._woken), name=NAME)

    def _makes_progress(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Tell whether the task makes progress: on this loop, or on another one that runs."""
        if self._task is None or self._task.done():
            return False
        home = self._task.get_loop()
        return home is loop or home.is_running()

    def wake(self) -> None:
        """Make it work out anew what is due; may be called from any thread."""
        if self._loop is not None and self._woken is not None:
            with suppress(RuntimeError):  # the loop is closed, and the task with it
                self._loop.call_soon_threadsafe(self._woken.set)

    async def stop(self, seconds: float, *, calling: bool) -> None:
        """Cancel the task; wait at most this long for it to end.

        `calling` is True while callbacks are called. Then the task is not cancelled, since one of
        the callbacks may have called close(), and would be cancelled itself.
        """
        import asyncio

        self.wake()
        task = self._task
        if task is None or calling or task is asyncio.current_task():
            return
        if task.get_loop() is not asyncio.get_running_loop():
            return
        task.cancel()
        await asyncio.wait([task], timeout=seconds)

    def _collected(self, _: weakref.ref[AsyncPolled]) -> None:
        self.wake()

    async def _run(self, woken: asyncio.Event) -> None:
        for until in rounds(self._polled, self._clock):
            if woken is not self._woken:
                return  # this task's loop did not run for a while, and another task replaced it
            if until is not None:
                await self._clock.await_until(until, woken)
                woken.clear()
            else:
                await self._check()

    async def _check(self) -> None:
        polled = self._polled()
        if polled is not None:
            try:
                await polled._check()
            except Exception as error:
                logger.error(_GOES_ON, describe(error))  # noqa: TRY400 - no text, it may quote


class ReadTask(TaskPoller):
    """Checks once, in a task that begins when a reader has found something due.

    Between two checks it has no task, so there is nothing that a fork, or the end of an event loop
    or of the configuration, could leave behind.
    """

    def __init__(self, polled: AsyncPolled, clock: Clock) -> None:
        super().__init__(polled, clock)
        self._loop = current_loop()
        """The loop for readers on threads that run none."""
        self._called: asyncio.AbstractEventLoop | None = None
        """The loop that such a reader has called, until that loop begins the task. So a thread that
        reads all the time does not fill the loop's queue."""

    def start(self) -> None:
        """Begin a check soon unless one is under way; may be called from any thread."""
        loop = current_loop()
        if loop is not None:
            self._begin(loop)
        elif self._loop is not None and self._loop is not self._called:
            self._called = self._loop
            with suppress(RuntimeError):  # the loop is closed: the next reader on a loop begins
                self._loop.call_soon_threadsafe(self._begin, self._loop)

    def wake(self) -> None:
        """Do nothing: no task waits for the time when something is due."""

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin the task on the loop that runs here."""
        self._called = None
        if self._loop is None or not self._loop.is_running():
            self._loop = loop
        closed = _next_check(self._polled()) is None
        if not closed and not self._makes_progress(loop):
            self._task = loop.create_task(self._check(), name=NAME)
