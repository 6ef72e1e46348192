"""An event loop of asyncio in virtual time, for code that makes tasks and waits for events."""

from __future__ import annotations

import asyncio
from asyncio import _set_running_loop
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, cast

from appconfig_provider._io.clock import current_clock
from tests.simulation.world import World


class Timer:
    """A call that is to come, unless it is cancelled."""

    def __init__(self, call: Callable[..., object], arguments: Any, context: Context) -> None:
        self._call: Callable[..., object] | None = call
        self._arguments = arguments
        self._context = context

    def cancel(self) -> None:
        """Have nothing called."""
        self._call = None

    def run(self) -> None:
        """Call it now."""
        if self._call is not None:
            self._context.run(self._call, *self._arguments)


class Loop:
    """What asyncio's tasks, futures and events need of a loop; nothing else is there."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.as_loop = cast("asyncio.AbstractEventLoop", self)
        self.tasks: list[asyncio.Task[Any]] = []
        """All that were ever made here."""

    def time(self) -> float:
        """Seconds since the world began."""
        return self._world.now

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Timer:
        """Call something at some time."""
        timer = Timer(callback, args, context or copy_context())
        self._world.later(max(0.0, when - self._world.now), timer.run)
        return timer

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> Timer:
        """Call something in so many seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> Timer:
        """Call something after what is to be called now."""
        return self.call_at(self.time(), callback, *args, context=context)

    def call_soon_threadsafe(
        self, callback: Any, *args: Any, context: Context | None = None
    ) -> Timer:
        """Do the same: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """Return a new future."""
        return asyncio.Future(loop=self.as_loop)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        """Return a new task."""
        del context
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self.as_loop, name=name)
        self.tasks.append(task)
        return task

    def is_running(self) -> bool:
        """Tell that it runs: whoever asks is called by it."""
        return True

    def is_closed(self) -> bool:
        """Tell that it is never closed."""
        return False

    def get_debug(self) -> bool:
        """Tell that nothing is checked additionally."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Take note of an error that nobody else is told."""
        self._world.broken = self._world.broken or f"asyncio: {context.get('message')}"


class LoopWorld(World):
    """A world whose tasks are tasks of asyncio."""

    def __init__(self, seed: int, *, traced: bool = False) -> None:
        super().__init__(seed, traced=traced)
        self.loop = Loop(self)

    async def await_until(self, moment: float, woken: asyncio.Event) -> None:
        """Wait until a moment, or until an event is set."""
        timer = self.loop.call_at(moment, woken.set)
        try:
            await woken.wait()
        finally:
            timer.cancel()

    def begin(self, name: str, work: Coroutine[Any, Any, object]) -> asyncio.Task[Any]:
        """Begin a task; whatever it raises breaks the schedule."""
        task = self.loop.create_task(work, name=name)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.broken:
            self.broken = f"{task.get_name()} raised {error!r}"

    def run(self) -> None:
        """Let everything happen that is to happen, with this loop and this clock in force."""
        clock = current_clock.set(self)
        _set_running_loop(self.loop.as_loop)
        try:
            super().run()
        finally:
            _set_running_loop(None)
            current_clock.reset(clock)

    def end(self) -> None:
        """Cancel what still waits, so that nothing of this world is left."""
        broken, trace = self.broken, self.trace
        self.broken = self.trace = None
        self._heap.clear()
        for task in self.loop.tasks:
            task.cancel()
        self.run()
        self.broken, self.trace = broken, trace
        super().end()

    @property
    def unfinished(self) -> list[str]:
        """The names of the tasks that have come to no end."""
        return [task.get_name() for task in self.loop.tasks if not task.done()]
