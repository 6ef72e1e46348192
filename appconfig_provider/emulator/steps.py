"""Work in small steps, so that one long request keeps nobody else waiting.

A job is a generator that yields between its steps and returns what it found. A step takes a
millisecond or two at most. Who has a thread for himself does the steps at once; the server does
other requests' work in between.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from typing import TypeAlias, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")
Steps: TypeAlias = Generator[None, None, T]

#: Seconds of work before others get their turn.
_TURN = 0.0005
#: Turns of the loop from the arrival of a short request to its answer.
_SHORT_REQUEST = 4


def at_once(steps: Steps[T]) -> T:
    """Do a job and return what it found."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


class Turns:
    """The turns of jobs among all that a loop does; threads with loops of their own may share it.

    The first turn of a job comes at once. After it only one of all jobs of a loop has a turn at a
    time: otherwise a short request would wait for as many turns as there are jobs.
    """

    def __init__(self) -> None:
        self._next: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def do(self, steps: Steps[T]) -> T:
        """Do a job and return what it found; other tasks of the loop run in between."""
        to_be_next = self._next.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        end = time.perf_counter() + _TURN
        while True:
            try:
                next(steps)
            except StopIteration as done:
                result: T = done.value
                return result
            if time.perf_counter() >= end:
                async with to_be_next:
                    for _ in range(_SHORT_REQUEST):
                        await asyncio.sleep(0)
                end = time.perf_counter() + _TURN
