"""An exception may end a call at any line, or between two instructions: nothing stays locked.

A signal handler raises wherever the main thread happens to be. Here a tracer does, once at each
place of the package that a call passes, `finally` included; the traceback is kept meanwhile, as a
debugger or an error tracker does. Afterwards the same thread, and another one, must be able to
refresh, and must serve the newest generation, whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import pytest

import appconfig_provider
from appconfig_provider import Polling, aio, provider
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.startup import start
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._live.inspection import inspect
from appconfig_provider._plan import Plan, Request, Response
from appconfig_provider.testing import FakeClock
from tests.support.scripted import (
    CONNECTION,
    ScriptedDriver,
    context_for,
    page,
    setting,
    single,
    status,
)

T = TypeVar("T")

PACKAGE = str(Path(appconfig_provider.__file__).parent)
LEFT_OUT = str(Path(PACKAGE) / "testing")
CONTROL = tuple(
    str(Path(PACKAGE) / "_live" / f"{name}.py")
    for name in ("threads", "tasks", "lazy", "configuration", "agenda", "flight", "process")
)
"""Modules that decide who refreshes: every passage counts there, and every instruction."""
EVENT = {
    "eventType": "Microsoft.AppConfiguration.KeyValueModified",
    "subject": "https://one.azconfig.io/kv/k",
    "data": {"syncToken": "t=1;sn=1"},
}

pytestmark = [pytest.mark.heavy, pytest.mark.unmeasured]


class Interrupt(BaseException):
    """What a handler of a signal raises, as `KeyboardInterrupt`."""


class Timeout(Exception):
    """What a handler of SIGALRM often raises."""


class Store(ScriptedDriver):
    """A store and the driver to it, in virtual time."""

    def __init__(self) -> None:
        super().__init__(self._answer, FakeClock())
        self.version, self.failing = 1, False

    def close(self) -> None:
        """There is nothing to close."""

    def _answer(self, request: Request) -> Response:
        if self.failing:
            raise RequestFailed(Kind.UNREACHABLE, request.origin, "no connection")
        version = str(self.version)
        if request.target.startswith("/kv/sentinel"):
            if dict(request.headers).get("if-none-match") == f'"s{version}"':
                return status(304)
            return single(setting("sentinel", version, f"s{version}"))
        return page([setting("host", version), setting("port", version)], etag=f"p{version}")


class AsyncStore(Store):
    """The same, awaited."""

    hanging: asyncio.Event | None = None
    """What to wait for first, if anything."""

    async def run(self, plan: Plan[T]) -> T:  # type: ignore[override]  # this is awaited
        """Run a plan to its end, after others had their turn."""
        await (self.hanging.wait() if self.hanging else asyncio.sleep(0))
        return super().run(plan)

    async def close(self) -> None:  # type: ignore[override]  # as above
        """There is nothing to close."""


class Subject:
    """A provider of either kind, and what may be done to it."""

    def __init__(self, mode: str) -> None:
        self.calls: list[object] = []
        options = Keywords(
            connection_string=CONNECTION,
            refresh_on=["sentinel"],
            polling=Polling.lazy(30) if mode == "lazy" else None,
            retry_total=0,
            on_refresh_success=[self.calls.append, self._reads],
            on_refresh_error=self.calls.append,
            validate=lambda _: None,
        ).checked()
        self.store = Store()
        context = context_for(self.store.clock, options)
        state = self.store.run(start(context))
        kind: Any = provider.AzureAppConfigurationProvider
        if mode == "aio":
            self.store, clock = AsyncStore(), self.store.clock
            self.store.clock = clock
            kind = aio.AzureAppConfigurationProvider
        elif mode == "lazy":
            kind = provider.LazyAzureAppConfigurationProvider
        self.config: Any = kind(context, self.store, state)
        self.loop = asyncio.new_event_loop()

    def _reads(self, _changes: object) -> None:
        self.calls.append(self.config["host"])

    def wait(self, answer: Any) -> Any:
        """Await what is to be awaited."""
        return self.loop.run_until_complete(answer) if isinstance(answer, Coroutine) else answer

    # What is interrupted.

    def nothing_due(self) -> object:
        """Refresh before it is time."""
        return self.wait(self.config.refresh())

    def nothing_moved(self) -> object:
        """Refresh when it is time, and nothing has changed."""
        return self.wait(self.config.refresh(force=True))

    def moved(self) -> object:
        """Refresh after a deployment."""
        self.store.version += 1
        return self.wait(self.config.refresh(force=True))

    def failing(self) -> object:
        """Refresh while the store is down."""
        self.store.failing = True
        return self.wait(self.config.refresh(force=True))

    def notified(self) -> object:
        """Take an event, and refresh because of it."""
        self.store.version += 1
        self.config.notify(EVENT)
        return self.wait(self.config.refresh())

    def read(self) -> object:
        """Read when it is time, after a deployment; with a lazy provider that refreshes."""
        self.store.version += 1
        self.store.clock.advance(30)
        return self.config["host"]

    def closed(self) -> object:
        """Close."""
        return self.wait(self.config.close())

    # What must be possible afterwards.

    def judge(self) -> None:
        """See that this thread and another one can refresh, and serve one whole generation."""
        self.store.failing = False
        inside = inspect(self.config)
        if inside.closed:
            assert not inside.process.flight.locked(), "the flag is held"
            return
        self._refreshes("this thread")
        self.store.version += 1
        thread = threading.Thread(target=self._refreshes, args=("another thread",), daemon=True)
        thread.start()
        thread.join(10)
        assert not thread.is_alive(), "refresh() waits for ever"
        served = self.config["host"], self.config["port"]
        assert served == (str(self.store.version),) * 2, "another thread cannot refresh"

    def _refreshes(self, who: str) -> None:
        sent = self.store.sent
        self.wait(self.config.refresh(force=True))
        assert self.store.sent > sent, f"{who} cannot refresh"


class Tracer:
    """Notes the places of the package that a call passes, or raises at one of them."""

    def __init__(self, at: object = None, error: type[BaseException] = Interrupt) -> None:
        self.places: list[Any] = []
        self._at, self._error = at, error
        self._passed: Counter[object] = Counter()
        self.opcodes = isinstance(at, tuple) and at[0] == "opcode"

    def __call__(self, frame: FrameType, _event: str, _: object) -> Any:
        """Be told of a call."""
        name = frame.f_code.co_filename
        if not name.startswith(PACKAGE) or name.startswith(LEFT_OUT):
            return None
        if self.opcodes:
            if name not in CONTROL:
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._local

    def _local(self, frame: FrameType, event: str, _: object) -> Any:
        if event in {"line", "opcode"}:
            code = frame.f_code
            where = frame.f_lineno if event == "line" else frame.f_lasti
            place = (event, code.co_filename, code.co_name, where)
            self._passed[place] += 1
            # In loops of the engine the first time does; who may refresh is decided each time.
            if self._passed[place] == 1 or code.co_filename in CONTROL:
                self._comes_to((*place, self._passed[place]))
        return self._local

    def _comes_to(self, place: object) -> None:
        if self._at is None or self.opcodes:
            self.places.append(place)
        if place == self._at:
            raise self._error

    def run(self, work: Callable[[], object]) -> BaseException | None:
        """Do something under this tracer; return what it raised."""
        before = sys.gettrace()
        sys.settrace(self)
        try:
            work()
        except (Interrupt, Timeout) as error:
            return error
        finally:
            sys.settrace(before)
        return None


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave alone what an interrupted `__del__` and a plan that was never begun have to say."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield
        gc.collect()


WAYS = ["nothing_due", "nothing_moved", "moved", "failing", "notified", "closed"]


@contextlib.contextmanager
def subject_of(mode: str) -> Iterator[Subject]:
    """Give a provider, and close its loop."""
    subject = Subject(mode)
    try:
        yield subject
    finally:
        subject.loop.close()


def places_of(mode: str, way: str, *, opcodes: bool) -> list[Any]:
    """Return the places that a call passes, and no other one here has passed."""
    with subject_of(mode) as subject:
        tracer = Tracer()
        tracer.opcodes = opcodes
        assert tracer.run(getattr(subject, way)) is None
    if way == "moved":
        return tracer.places
    known: set[Any] = set(places_of(mode, "moved", opcodes=opcodes))
    return [
        place
        for place in tracer.places
        if place not in known or (place[1] in CONTROL and not opcodes)
    ]


def interrupt_everywhere(
    mode: str, way: str, error: type[BaseException], *, opcodes: bool = False
) -> None:
    """Interrupt a call at each place that it passes, and judge what is left."""
    places = places_of(mode, way, opcodes=opcodes)
    assert len(places) > (1 if way in {"closed", "nothing_due", "read"} else 50)
    reached = 0
    while places:
        with subject_of(mode) as subject:
            while places and not inspect(subject.config).closed:
                place = places.pop()
                kept = Tracer(place, error).run(getattr(subject, way))
                reached += kept is not None
                try:
                    subject.judge()
                except AssertionError as failed:
                    raise AssertionError(f"interrupted at {place}: {failed}") from None
    assert reached > 1


@pytest.mark.parametrize("mode", ["sync", "aio"])
@pytest.mark.parametrize("way", WAYS)
def test_a_call_may_be_broken_off_at_every_line(mode: str, way: str) -> None:
    """Whatever line of the package an exception comes at, everybody can refresh afterwards."""
    interrupt_everywhere(mode, way, Interrupt)


@pytest.mark.parametrize("opcodes", [False, sys.version_info < (3, 12)])
def test_a_read_may_be_broken_off_where_it_refreshes(opcodes: bool) -> None:
    """With lazy polling: at every line, and between the instructions that decide who refreshes."""
    interrupt_everywhere("lazy", "read", Interrupt, opcodes=opcodes)


@pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="sys.settrace tells of some instructions only, since 3.12"
)
@pytest.mark.parametrize("mode", ["sync", "aio"])
@pytest.mark.parametrize("way", ["moved", "notified", "closed"])
def test_a_call_may_be_broken_off_between_any_two_instructions(mode: str, way: str) -> None:
    """The same for each instruction of the modules that decide who refreshes."""
    interrupt_everywhere(mode, way, Interrupt, opcodes=True)


def test_an_ordinary_exception_leaves_nothing_locked_either() -> None:
    """Also one that the engine takes for an answer, where it comes inside an effect."""
    interrupt_everywhere("sync", "moved", Timeout)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no such timer")
def test_a_signal_handler_may_raise_at_any_moment() -> None:
    """Signals come at random moments of a refresh; this thread and others go on refreshing."""

    def handler(_number: int, _frame: object) -> None:
        raise Interrupt

    before, caught = signal.signal(signal.SIGALRM, handler), 0
    try:
        with subject_of("sync") as subject:
            for number in range(300):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.00002 * (1 + number % 50))
                    for _ in range(20):
                        subject.moved()
                except Interrupt:
                    caught += 1
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
                subject.judge()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert caught > 100


@pytest.mark.parametrize("mode", ["sync", "aio"])
def test_a_refresh_past_its_budget_is_reported_once_and_keeps_the_flag(
    mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """`status` tells for how long it is overdue; nobody else refreshes meanwhile."""
    seen: list[object] = []
    with subject_of(mode) as subject:
        config, clock = subject.config, subject.store.clock

        def hangs(_changes: object) -> None:
            def elsewhere() -> None:
                with contextlib.closing(asyncio.new_event_loop()) as loop:
                    refreshed = config.refresh(force=True)
                    if isinstance(refreshed, Coroutine):
                        refreshed = loop.run_until_complete(refreshed)
                    seen.append(refreshed)

            for seconds in (49.0, 2.0, 60.0):
                clock.advance(seconds)
                seen.append(config.status.overdue)
                thread = threading.Thread(target=elsewhere)
                thread.start()
                thread.join()

        config.subscribe(hangs, "host")
        subject.moved()
        assert seen == [None, False, pytest.approx(1.0), False, pytest.approx(61.0), False]
        assert config.status.overdue is None
    assert caplog.text.count("has not ended") == 1
    assert "began 51 s ago" in caplog.text


def test_a_loop_that_is_closed_leaves_the_flag_free() -> None:
    """A task that never ends, since its loop is gone, is no refresh that is under way."""
    with subject_of("aio") as subject:
        store: Any = subject.store
        store.hanging = asyncio.Event()
        task: Any = subject.loop.create_task(subject.config.refresh(force=True))
        subject.loop.run_until_complete(asyncio.sleep(0.01))
        assert not task.done()
        subject.loop.set_exception_handler(lambda *_: None)  # it would complain of the task
        subject.loop.close()
        store.hanging, subject.loop = None, asyncio.new_event_loop()
        subject.judge()
        with contextlib.suppress(RuntimeError):
            task.get_coro().close()  # else the collector complains
