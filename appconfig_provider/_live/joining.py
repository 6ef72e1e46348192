"""Waiting for the refresh that another call runs, with a time limit.

Theory. Nobody waits for a lock: who waits has a queue or an event of its own, which the watchers of
the single-flight flag wake (see `flight`), and looks again each time. It looks at least once a
second, too, because nothing wakes it when an event loop was closed in the middle of a refresh, or
when a signal handler has forked while it waits. The time limit is checked by the clock of the
configuration, so it holds whatever happens to the owner.

A function that a refresh calls must not wait for that refresh. `Owner.runs_here` tells it, by a
context variable, so threads, greenlets and tasks need no code of their own.

What to do next is decided by `_attempts`, for threads and for asyncio. Who waits for an owner that
comes to nothing, because it was cancelled or an exception has interrupted it, refreshes itself: an
interrupted call says nothing about the source.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

from appconfig_provider._live.configuration import LiveConfiguration
from appconfig_provider._live.flight import Owner, Settled
from appconfig_provider._live.tasks import AsyncProvider
from appconfig_provider._live.threads import ThreadedProvider

LOOK_AGAIN = 1.0
"""Seconds after which who waits looks again, although nothing has woken it."""

CALLBACK_WAIT = 3.0
"""Seconds for which a forced refresh waits for the callbacks of the one before it. Not longer: one
of them may wait for the very thread, or task, that forces it. Longer than a cache may hang."""

_Live: TypeAlias = "LiveConfiguration[Any, Any, Any, Any]"
_Attempts: TypeAlias = "Generator[Owner | None, Owner | None, Settled | None]"


def refresh_or_join(
    config: ThreadedProvider[Any, Any], until: float, *, force: bool = False
) -> Settled | None:
    """Refresh what is due, or wait for the call that does; return what that came to.

    It waits for another call no longer than `until`, on the monotonic clock. A refresh that has
    been published while its callbacks still run counts, but not with `force`: that waits for its
    end, for `CALLBACK_WAIT` at most, and refreshes again. None means that nothing was due, that the
    time has passed, or that the configuration is closed; also that the caller is a function which
    an unfinished refresh calls.
    """
    attempts = _attempts(config, until, force=force)
    own: Owner | None = None
    try:
        other = next(attempts)
        while True:
            if other is None:
                own = config._refresh(in_background=False, force=force)
            else:
                with _watched(config, other, until) as (over, at_most):
                    wait(config, over, at_most)
            other = attempts.send(own)
    except StopIteration as end:
        settled: Settled | None = end.value
        return settled


async def refresh_or_join_async(
    config: AsyncProvider[Any, Any], until: float, *, force: bool = False
) -> Settled | None:
    """Do the same in a task; a cancelled task leaves no trace."""
    attempts = _attempts(config, until, force=force)
    own: Owner | None = None
    try:
        other = next(attempts)
        while True:
            if other is None:
                own = await config._refresh(in_background=False, force=force)
            else:
                with _watched(config, other, until) as (over, at_most):
                    await wait_async(config, over, at_most)
            other = attempts.send(own)
    except StopIteration as end:
        settled: Settled | None = end.value
        return settled


def wait(config: ThreadedProvider[Any, Any], over: Callable[[], bool], until: float) -> bool:
    """Wait until something is true that a refresh brings about; False when it is not in time.

    `until` is on the monotonic clock. It also ends when the configuration is closed, and in the
    child when this process forks meanwhile.
    """
    woken: queue.SimpleQueue[None] = queue.SimpleQueue()
    clock, process = config._options.clock, config._this_process()
    try:
        process.flight.watch(woken, lambda: woken.put(None))
        while not over() and not config._closed and process.pid == os.getpid():
            now = clock.monotonic()
            if now >= until:
                return False
            clock.wait_until(min(until, now + LOOK_AGAIN), woken)
    finally:
        process.flight.unwatch(woken)
    return over()


async def wait_async(
    config: AsyncProvider[Any, Any], over: Callable[[], bool], until: float
) -> bool:
    """Do the same in a task."""
    import asyncio

    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    clock, process = config._options.clock, config._this_process()

    def wake() -> None:
        with suppress(RuntimeError):  # this loop was closed, and who waited is gone
            loop.call_soon_threadsafe(woken.set)

    try:
        process.flight.watch(woken, wake)
        while not over() and not config._closed and process.pid == os.getpid():
            now = clock.monotonic()
            if now >= until:
                return False
            await clock.await_until(min(until, now + LOOK_AGAIN), woken)
            woken.clear()
    finally:
        process.flight.unwatch(woken)
    return over()


def _attempts(config: _Live, until: float, *, force: bool) -> _Attempts:
    """Yield None for a refresh of one's own, or the owner to wait for.

    The owner of the own refresh is sent back, or None if another call was faster.
    """
    while not config._closed:
        own, other = None, config._flight.holder
        if other is None:
            own = yield None
            other = config._flight.holder
        if own is not None:
            return own.settled
        if other is not None:
            came_late = other.settled is not None
            if other.runs_here or (came_late and not force):
                return other.settled
            yield other
            if came_late and config._flight.holder is other and not config._closed:
                return None
            if other.settled is not None and not came_late:
                return other.settled
        now = config._monotonic()
        if now >= until:
            config._give_way(config._this_process())
        if now >= until or (not force and now < config._wake):
            return None
    return None


@contextmanager
def _watched(
    config: _Live, owner: Owner, until: float
) -> Iterator[tuple[Callable[[], bool], float]]:
    """Have who waits for an owner woken when it is gone.

    Yields what tells that it is over, and until when to wait for that.
    """
    came_late = owner.settled is not None
    if came_late:
        until = min(until, config._monotonic() + CALLBACK_WAIT)
    kept = owner.when_gone(config._flight.call_watchers)
    yield lambda: owner.gone if came_late else owner.over, until
    del kept  # until here: a weak reference that is dropped calls nothing
