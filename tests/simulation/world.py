"""Virtual time: a heap of moments, and coroutines that are stepped by hand."""

from __future__ import annotations

import heapq
from asyncio import CancelledError, Event, Future, _get_running_loop
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Generator
from queue import SimpleQueue
from random import Random
from typing import Any, Generic, TypeVar

T = TypeVar("T")

BEGINNING = 1_800_000_000.0
"""Seconds since 1970 at which every world begins."""
NOTHING = 1e-6
"""Seconds that the rounding of sums may make."""
MOST_EVENTS = 200_000
"""A world that has not come to rest by then never will."""


class RuleBroken(AssertionError):
    """Something happened that must not."""


class Waiting(Future[None]):
    """What a task of an event loop waits for."""

    def step(self) -> None:
        """Let the task go on, unless it was cancelled."""
        if not self.done():
            self.set_result(None)


class Mailbox(Generic[T]):
    """What one task waits for; awaiting it takes the oldest thing out."""

    __slots__ = ("_items", "reader")

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self.reader: Task | Waiting | None = None

    def put(self, item: T) -> None:
        """Leave something for the reader, who goes on at once."""
        self._items.append(item)
        reader, self.reader = self.reader, None
        if reader is not None:
            reader.step()

    def __await__(self) -> Generator[Mailbox[T], None, T]:
        while not self._items:
            loop = _get_running_loop()
            if loop is None:
                yield self
            else:
                self.reader = waiting = Waiting(loop=loop)
                yield from waiting
        return self._items.popleft()


class Task:
    """A coroutine under way; `on_end` is called when it is over, however it ends."""

    __slots__ = ("_waits_for", "_work", "done", "name")

    def __init__(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        self.name = name
        self.done = False
        self._work = work
        self._waits_for: Mailbox[Any] | None = None

    def step(self) -> None:
        """Go on until it waits for something."""
        self._go(self._work.send, None)

    def cancel(self) -> None:
        """Have its await raise a cancellation."""
        if not self.done:
            self._let_go()
            self._go(self._work.throw, CancelledError())

    def close(self) -> None:
        """Break it off as an abandoned coroutine is."""
        if not self.done:
            self._let_go()
            self.done = True
            self._work.close()

    def _let_go(self) -> None:
        if self._waits_for is not None:
            self._waits_for.reader = None

    def _go(self, onwards: Callable[[Any], Mailbox[Any]], what: object) -> None:
        try:
            self._waits_for = onwards(what)
        except (StopIteration, CancelledError):
            self.done = True
            self._waits_for = None
        else:
            self._waits_for.reader = self


class World:
    """Time, chance, and what has happened so far."""

    def __init__(self, seed: int, *, traced: bool = False) -> None:
        self.random = Random(seed)
        self.now = 0.0
        self.counts: Counter[str] = Counter()
        self.trace: list[str] | None = [] if traced else None
        self.broken: str | None = None
        self.tasks: list[Task] = []
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._number = 0

    # The clock that providers live by.

    def monotonic(self) -> float:
        """Seconds since this world began."""
        return self.now

    def boottime(self) -> float:
        """Seconds since this world began: nobody suspends it."""
        return self.now

    def time(self) -> float:
        """Seconds since 1970."""
        return BEGINNING + self.now

    def sleep(self, seconds: float) -> None:
        """Nobody sleeps here."""
        raise AssertionError("an asynchronous provider does not sleep on its thread")

    async def asleep(self, seconds: float) -> None:
        """Wait in this task."""
        await self.pause(seconds)

    def wait_until(self, moment: float, woken: SimpleQueue[None]) -> None:
        """Nobody polls here."""
        raise AssertionError("these programs call refresh() themselves")

    async def await_until(self, moment: float, woken: Event) -> None:
        """Nobody polls here."""
        raise AssertionError("these programs call refresh() themselves")

    # Events and tasks.

    def later(self, seconds: float, act: Callable[..., object], *arguments: Any) -> None:
        """Do something in so many seconds; things of one moment happen in the order of asking."""
        self._number += 1
        heapq.heappush(self._heap, (self.now + seconds, self._number, act, arguments))

    def pause(self, seconds: float) -> Mailbox[None]:
        """Return what to await for so many seconds."""
        mailbox: Mailbox[None] = Mailbox()
        self.later(seconds, mailbox.put, None)
        return mailbox

    def spawn(self, name: str, work: Coroutine[Any, Any, object]) -> Task:
        """Begin a task; it runs up to its first await before this returns."""
        task = Task(name, work)
        self.tasks.append(task)
        task.step()
        return task

    def run(self) -> None:
        """Let everything happen that is to happen."""
        heap, pop = self._heap, heapq.heappop
        for _ in range(MOST_EVENTS):
            if not heap:
                return
            self.now, _, act, arguments = pop(heap)
            act(*arguments)
            if self.broken:
                raise RuleBroken(self.broken)
        raise RuleBroken("the world never comes to rest")

    def end(self) -> None:
        """Close what still waits, so that nothing of this world is left."""
        for task in self.tasks:
            task.close()

    # Chance.

    def chance(self, probability: float) -> bool:
        """Tell whether something happens that happens so often."""
        return self.random.random() < probability

    def between(self, least: float, most: float) -> float:
        """Return a number of a range."""
        return least + (most - least) * self.random.random()

    # Reports.

    def tell(self, actor: str, what: str, *details: object) -> None:
        """Write a line of the trace, if there is one."""
        if self.trace is not None:
            self.trace.append(f"{self.now:10.4f}  {actor:<12}{what % details}")

    def fail(self, rule: str) -> None:
        """End the schedule: a rule is broken.

        It is remembered here as well, because the exception may be raised below a `try` of the
        code under test.
        """
        self.broken = self.broken or rule
        self.tell("RULE", "%s", rule)
        raise RuleBroken(rule)
