"""Waiting for a refresh that another call runs: never for a dead one, and never past the limit."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from appconfig_provider._io.clock import SystemClock
from appconfig_provider._live.callbacks import success_callbacks
from appconfig_provider._live.flight import Settled
from appconfig_provider._live.inspection import inspect
from appconfig_provider._live.joining import (
    refresh_or_join,
    refresh_or_join_async,
    wait,
    wait_async,
)
from appconfig_provider._live.source import LiveOptions
from appconfig_provider.testing import FakeClock
from tests.live.address import Address
from tests.live.scene import INTERVAL, Web, awaited, eventually, options, serving, threaded
from tests.support.adapter import Called

LIMIT = 10.0
"""Seconds that a caller waits."""
PATIENCE = 20.0
"""Real seconds, against a test that hangs."""


@dataclass
class Callers:
    """Calls that run at the same time: on threads of their own, or as tasks of the loop."""

    live: Called[Any]
    clock: FakeClock
    awaits: bool
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(32))

    def begin(self, *, force: bool = False) -> Future[Settled | None]:
        """Begin a call that waits at most `LIMIT` seconds."""
        until = self.clock.monotonic() + LIMIT
        if self.awaits:
            return self.run(lambda: refresh_or_join_async(self.live.provider, until, force=force))
        return self.run(lambda: refresh_or_join(self.live.provider, until, force=force))

    def run(self, call: Callable[[], Any]) -> Future[Any]:
        """Begin any call."""
        return self.pool.submit(lambda: self.live._wait(call()) if self.awaits else call())  # noqa: SLF001

    def waiting(self, number: int) -> None:
        """Wait until so many callers wait."""
        watchers = inspect(self.live.provider).process.flight
        eventually(lambda: watchers.watched == number)

    @property
    def running(self) -> bool:
        """True while somebody has the flag."""
        return inspect(self.live.provider).process.flight.locked()


@pytest.fixture
def web() -> Iterator[Web]:
    """Yield a running server."""
    with serving() as web:
        yield web


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """Yield the time."""
    with FakeClock() as clock:
        yield clock


@pytest.fixture(params=[threaded, awaited], ids=["sync", "aio"])
def load(request: pytest.FixtureRequest, web: Web, clock: FakeClock) -> Callable[..., Any]:
    """Return what loads the document and begins calls, with threads and with asyncio."""

    @contextmanager
    def opened(**more: Any) -> Iterator[Callers]:
        with request.param(Address(web.url, options(clock, **more))) as live:
            callers = Callers(live, clock, request.param is awaited)
            with callers.pool:
                yield callers

    return opened


def answer(call: Future[Any]) -> Any:
    return call.result(PATIENCE)


def test_twenty_callers_share_one_refresh(web: Web, clock: FakeClock, load: Any) -> None:
    """Who finds it due while another call refreshes waits for that, and reads the new value."""
    with load() as callers:
        web.content = {"color": "blue"}
        web.answers.clear()
        clock.advance(INTERVAL)
        calls = [callers.begin() for _ in range(20)]
        callers.waiting(19)
        web.answers.set()
        assert {answer(call) for call in calls} == {Settled(published=True, error=None)}
        assert callers.live.provider["color"] == "blue"
        assert web.asked == 2
        callers.waiting(0)


def test_a_failure_is_the_answer_for_all_who_wait(web: Web, clock: FakeClock, load: Any) -> None:
    """Who joins a refresh that fails is told so, keeps the old value, and sends no request."""
    with load() as callers:
        web.status = 500
        web.answers.clear()
        clock.advance(INTERVAL)
        calls = [callers.begin() for _ in range(5)]
        callers.waiting(4)
        web.answers.set()
        assert [type(answer(call).error) for call in calls] == [
            type(callers.live.status.last_error)
        ] * 5
        assert web.asked == 2
        assert answer(callers.begin()) is None
        assert (web.asked, callers.live.provider["color"]) == (2, "red")


def test_nothing_due_nothing_waited_for(web: Web, load: Any) -> None:
    """Where nothing is due the call returns at once."""
    with load() as callers:
        assert answer(callers.begin()) is None
        assert web.asked == 1


def test_nobody_waits_past_the_limit(web: Web, clock: FakeClock, load: Any) -> None:
    """A caller returns at its time, with nothing, while the refresh goes on."""
    with load() as callers:
        web.answers.clear()
        clock.advance(INTERVAL)
        first = callers.begin()
        eventually(lambda: web.asked == 2)
        second = callers.begin()
        callers.waiting(1)
        clock.advance(LIMIT - 1)
        assert not second.done()
        clock.advance(1)
        assert answer(second) is None
        assert not first.done()
        web.answers.set()
        assert answer(first) is not None


def test_who_forces_joins_a_refresh_that_runs(web: Web, clock: FakeClock, load: Any) -> None:
    """With `force` a running refresh is joined, and without one a request is sent."""
    with load() as callers:
        assert answer(callers.begin(force=True)) == Settled(published=False, error=None)
        assert web.asked == 2
        web.answers.clear()
        calls = [callers.begin(force=True) for _ in range(3)]
        callers.waiting(2)
        web.answers.set()
        assert {answer(call) for call in calls} == {Settled(published=False, error=None)}
        assert web.asked == 3


def test_a_callback_does_not_wait_for_its_own_refresh(
    web: Web, clock: FakeClock, load: Any
) -> None:
    """Inside a callback the call returns at once, with what the refresh has come to."""
    seen: list[object] = []

    with load() as callers:
        config = callers.live.provider

        def changed() -> None:
            seen.append(refresh_or_join(config, clock.monotonic() + LIMIT))
            seen.append(refresh_or_join(config, clock.monotonic() + LIMIT, force=True))

        async def changed_async() -> None:
            # In a task of its own, too: what a callback waits for must not wait for it.
            one = refresh_or_join_async(config, clock.monotonic() + LIMIT)
            seen.append(await asyncio.ensure_future(one))
            seen.append(await refresh_or_join_async(config, clock.monotonic() + LIMIT, force=True))

        config.subscribe(changed_async if callers.awaits else changed)
        web.content = {"color": "blue"}
        clock.advance(INTERVAL)
        assert answer(callers.begin()) == Settled(published=True, error=None)
        assert seen == [Settled(published=True, error=None)] * 2
        assert web.asked == 2


def test_a_check_inside_a_refresh_does_not_wait_for_it(web: Web, clock: FakeClock) -> None:
    """What validates a generation before it is published gets nothing, at once."""
    seen: list[object] = []

    class Checked(BaseModel):
        color: str

        @field_validator("color")
        @classmethod
        def look(cls, color: str) -> str:
            seen.append(refresh_or_join(config, clock.monotonic() + LIMIT, force=color == "blue"))
            return color

    with threaded(Address(web.url, options(clock))) as live:
        config = live.provider
        binding = config.bind(Checked)
        web.content = {"color": "blue"}
        assert live.refresh(force=True)
        assert (binding.value.color, seen) == ("blue", [None, None])
        assert web.asked == 2


@pytest.mark.parametrize("load", [threaded], ids=["sync"], indirect=True)
def test_readers_do_not_wait_for_callbacks(web: Web, clock: FakeClock, load: Any) -> None:
    """Once a refresh is published nobody waits for its callbacks but who wants to force another.

    With threads: in asyncio a callback that blocks stops the whole loop.
    """
    begun, finish = threading.Event(), threading.Event()

    def changed() -> None:
        begun.set()
        finish.wait(PATIENCE)

    with load(success=success_callbacks(changed)) as callers:
        web.content = {"color": "blue"}
        web.answers.clear()
        clock.advance(INTERVAL)
        calls = [callers.begin(), callers.begin()]
        callers.waiting(1)
        web.answers.set()
        assert begun.wait(PATIENCE)
        eventually(lambda: any(call.done() for call in calls))
        first = calls[0] if calls[1].done() else calls[1]
        assert answer(callers.begin()) == Settled(published=True, error=None)
        forced = callers.begin(force=True)
        callers.waiting(1)
        assert (first.done(), forced.done()) == (False, False)
        finish.set()
        assert answer(forced) == Settled(published=False, error=None)
        assert web.asked == 3


def test_a_dead_owner_keeps_nobody(web: Web, clock: FakeClock, load: Any) -> None:
    """When the call of an owner ends without releasing, who waits refreshes; no clock moves."""
    with load() as callers:
        flight = inspect(callers.live.provider).process.flight
        calls = [flight.begin(clock.monotonic(), LIMIT)]
        for owner in calls:
            assert flight.take(next(owner))
        clock.advance(INTERVAL)
        waiting = callers.begin()
        callers.waiting(1)
        assert not waiting.done()
        del owner
        calls.clear()
        gc.collect()
        assert answer(waiting) == Settled(published=False, error=None)
        assert web.asked == 2


def test_an_interrupted_owner_leaves_the_work_to_who_waits(web: Web, clock: FakeClock) -> None:
    """When the task that refreshes is cancelled, one who waits refreshes instead."""
    with awaited(Address(web.url, options(clock))) as live:
        callers = Callers(live, clock, awaits=True)
        tasks: list[asyncio.Task[Any]] = []

        async def first() -> None:
            tasks.append(asyncio.ensure_future(live.provider.refresh(force=True)))
            await asyncio.wait(tasks)

        with callers.pool:
            web.answers.clear()
            begun = callers.run(first)
            eventually(lambda: web.asked == 2)
            waiting = callers.begin(force=True)
            callers.waiting(1)
            tasks[0].get_loop().call_soon_threadsafe(tasks[0].cancel)
            eventually(lambda: web.asked == 3)
            web.answers.set()
            assert answer(waiting) == Settled(published=False, error=None)
            answer(begun)


def test_a_cancelled_waiter_leaves_no_trace(web: Web, clock: FakeClock) -> None:
    """Who is cancelled while it waits is watched no more; the refresh goes on."""
    with awaited(Address(web.url, options(clock))) as live:
        callers = Callers(live, clock, awaits=True)

        async def impatient() -> None:
            call = refresh_or_join_async(live.provider, clock.monotonic() + LIMIT, force=True)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(call, 0.01)

        with callers.pool:
            web.answers.clear()
            first = callers.begin(force=True)
            eventually(lambda: web.asked == 2)
            answer(callers.run(impatient))
            callers.waiting(0)
            web.answers.set()
            assert answer(first) is not None


def test_a_loop_that_was_closed_keeps_nobody(web: Web, clock: FakeClock) -> None:
    """Where the refresh began on a loop that was closed since, who waits finds out within 1 s."""
    with awaited(Address(web.url, options(clock))) as live:
        callers = Callers(live, clock, awaits=True)
        other = asyncio.new_event_loop()
        web.answers.clear()
        task = other.create_task(live.provider.refresh(force=True))
        while web.asked < 2:
            other.run_until_complete(asyncio.sleep(0.01))
        with callers.pool:
            waiting = callers.begin(force=True)
            callers.waiting(1)
            other.close()
            web.answers.set()
            clock.advance(1.0)
            assert answer(waiting) == Settled(published=False, error=None)
        # Nothing can end its task as it should, now that the loop is gone.
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001


def test_close_wakes_who_waits(web: Web, clock: FakeClock, load: Any) -> None:
    """After close() nobody waits for the running refresh, which ends without a result."""
    with load() as callers:
        web.answers.clear()
        first = callers.begin(force=True)
        eventually(lambda: web.asked == 2)
        second = callers.begin(force=True)
        callers.waiting(1)
        closed = callers.run(callers.live.provider.close)
        assert answer(second) is None
        answer(closed)
        assert answer(first) is None
        web.answers.set()
        assert answer(callers.begin(force=True)) is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_does_not_wait_for_its_parent(web: Web, clock: FakeClock) -> None:
    """A child that is forked during a refresh refreshes by itself."""
    with threaded(Address(web.url, options(clock))) as live:
        callers = Callers(live, clock, awaits=False)
        with callers.pool:
            web.answers.clear()
            first = callers.begin(force=True)
            eventually(lambda: web.asked == 2)
            web.answers.set()
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    until = clock.monotonic() + LIMIT
                    settled = refresh_or_join(live.provider, until, force=True)
                    assert settled == Settled(published=False, error=None)
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitpid(pid, 0)[1] == 0
            assert answer(first) is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_child_that_was_forked_while_it_waited_goes_on(web: Web) -> None:
    """A signal handler may fork: then nobody is left to wake the child, which looks after 1 s."""
    children: list[int] = []

    def fork(*_: object) -> None:
        children.append(os.fork())

    def child_ended() -> bool:
        if children and children[0] > 0 and os.waitpid(children[0], os.WNOHANG)[0]:
            children[0] = -1
        return children == [-1]

    clock = SystemClock()
    source = Address(web.url, LiveOptions(clock=clock, random=lambda: 0.0, interval=INTERVAL))
    with threaded(source) as live:
        before = signal.signal(signal.SIGALRM, fork)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            ended = wait(live.provider, child_ended, clock.monotonic() + PATIENCE)
        finally:
            if children == [0]:
                os._exit(0)
            signal.signal(signal.SIGALRM, before)
        assert ended


def test_one_can_wait_for_anything_that_a_refresh_brings(
    web: Web, clock: FakeClock, load: Any
) -> None:
    """`wait` returns True once a condition holds, False at its time, and True where it held."""
    with load() as callers:
        config = callers.live.provider
        kind = wait_async if callers.awaits else wait

        def blue() -> bool:
            return bool(config["color"] == "blue")

        until = clock.monotonic() + LIMIT
        in_time = callers.run(lambda: kind(config, blue, until))
        callers.waiting(1)
        web.content = {"color": "blue"}
        callers.live.refresh(force=True)
        assert answer(in_time) is True
        late = callers.run(lambda: kind(config, lambda: False, until))
        callers.waiting(1)
        clock.advance(LIMIT)
        assert answer(late) is False
        assert answer(callers.run(lambda: kind(config, blue, until))) is True
