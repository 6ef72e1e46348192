"""`Polling.auto()`: the configuration follows the store by itself, and nobody waits for that."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

import appconfig_provider
import appconfig_provider.aio
from appconfig_provider import Polling
from appconfig_provider._fetch.exchange import BACKGROUND_CONCURRENCY, MAX_CONCURRENCY
from appconfig_provider._io.connections import Connection
from appconfig_provider._live import polling
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord
from tests.support.adapter import (
    POLLED,
    Loader,
    Provider,
    load_aio_on_thread,
    load_sync,
    polling_tasks,
    polling_threads,
)
from tests.support.content import publish
from tests.support.waiting import PATIENCE, eventually

INTERVAL = 30.0
JITTER = 0.1
"""As part of the interval: how much later than necessary a poller checks at most."""
LATE = 1.0
"""Seconds after which a caller of `refresh()` does what the poller should have done."""
SURELY = INTERVAL * (1 + JITTER)


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store."""
    with Emulator(clock=clock) as emulator:
        emulator.set_many({"k": "v1", "sentinel": "1"})
        yield emulator


@pytest.fixture(params=list(POLLED))
def watch(request: pytest.FixtureRequest, store: Emulator) -> Loader:
    """Load with automatic polling; with the sync provider, then with the aio one."""
    usual = {
        "connection_string": store.connection_string,
        "refresh_on": ["sentinel"],
        "polling": Polling.auto(),
        "retry_total": 0,
    }
    return lambda **keywords: POLLED[request.param](**usual, **keywords)


def next_check(live: Provider, clock: FakeClock) -> float | None:
    """Return until when a poller would sleep now; None if it would refresh."""
    return next(polling.rounds(lambda: live.provider, clock))


def test_it_follows_the_store_without_being_asked(
    watch: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Nobody calls `refresh()`, and the callback hears of every publish."""
    reasons: list[str] = []
    with watch(on_refresh_success=lambda changes: reasons.append(changes.reason)) as live:
        for number in range(3):
            publish(store, f"new {number}")
            clock.advance(SURELY)
            eventually(lambda: len(reasons) == number + 1)  # noqa: B023 - awaited right here
            assert live.provider["k"] == f"new {number}"
    assert reasons == ["sentinel"] * 3


def test_it_checks_when_something_is_due_and_at_most_a_tenth_of_the_interval_later(
    watch: Loader, clock: FakeClock
) -> None:
    """Never before it is due; spread at random, so that many processes do not ask at once."""
    with watch() as live:
        moments = [next_check(live, clock) or 0.0 for _ in range(200)]
        begin = clock.monotonic() + INTERVAL
        assert all(begin <= moment <= begin + INTERVAL * JITTER for moment in moments)
        assert max(moments) - min(moments) > INTERVAL * JITTER / 2


def test_an_interval_of_its_own_takes_the_place_of_the_refresh_interval(
    store: Emulator, clock: FakeClock
) -> None:
    """`Polling.auto(interval)` is what the timers are armed with."""
    with load_sync(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        polling=Polling.auto(interval=600),
    ) as live:
        due = clock.monotonic() + 600
        publish(store, "new")
        clock.advance(SURELY)
        assert due <= (next_check(live, clock) or 0.0) <= due + 600 * JITTER
        clock.advance(600 * (1 + JITTER))
        eventually(lambda: live.provider["k"] == "new")


def test_init_wait_takes_the_place_of_the_startup_timeout(clock: FakeClock) -> None:
    """A store that is not there is given up after so many seconds."""
    with pytest.raises(appconfig_provider.StartupTimeout, match="3"):
        appconfig_provider.load(
            connection_string="Endpoint=http://127.0.0.1:9;Id=i;Secret=c2VjcmV0",
            refresh_on=["sentinel"],
            polling=Polling.auto(init_wait=3),
        )
    assert clock.monotonic() <= 3


def test_requests_leave_a_refresh_to_the_poller(
    watch: Loader, store: Emulator, clock: FakeClock
) -> None:
    """While the poller works, `refresh()` returns at once, without I/O, and readers read on."""
    came, go = threading.Event(), threading.Event()

    def hold(_record: RequestRecord) -> None:
        came.set()
        go.wait(PATIENCE)

    with watch() as live, store.before_answer(hold):
        publish(store, "new")
        clock.advance(SURELY)
        assert came.wait(PATIENCE)
        asked = live.provider.status.requests_sent
        begin = time.perf_counter()
        assert live.refresh() is False
        assert live.refresh(force=True) is False
        assert live.provider["k"] == "v1"
        assert time.perf_counter() - begin < 1
        assert live.provider.status.requests_sent == asked
        go.set()
        eventually(lambda: live.provider["k"] == "new")


def test_a_caller_does_what_the_poller_does_not(
    watch: Loader, store: Emulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poller that is late by more than its spread is not waited for."""
    monkeypatch.setattr(polling, "rounds", lambda _polled, _clock: iter([math.inf]))
    with watch() as live:
        publish(store, "new")
        clock.advance(INTERVAL * (1 + JITTER) + LATE - 0.1)
        assert live.refresh() is False
        clock.advance(0.2)
        assert live.refresh() is True
        assert live.provider["k"] == "new"


def test_an_event_wakes_it(watch: Loader, store: Emulator) -> None:
    """What was pushed is checked when its delay is over, not at the end of the interval."""
    with watch(push_delay=0) as live:
        publish(store, "pushed")
        live.provider.notify(store.event("sentinel"))
        eventually(lambda: live.provider["k"] == "pushed")


def test_it_leaves_a_store_alone_that_is_backing_off(
    watch: Loader, store: Emulator, clock: FakeClock
) -> None:
    """After a failure it sleeps until the endpoint may be asked again, and then recovers."""
    failed = threading.Event()
    with watch(on_refresh_error=lambda _error: failed.set()) as live:
        publish(store, "new")
        store.down()
        clock.advance(SURELY)
        assert failed.wait(PATIENCE)
        eventually(lambda: next_check(live, clock) is not None)
        sent = live.provider.status.requests_sent
        store.up()
        clock.advance(INTERVAL - 1)  # the first back-off is at least the interval
        assert (next_check(live, clock) or 0.0) > clock.monotonic()
        assert live.provider.status.requests_sent == sent
        clock.advance(INTERVAL)
        eventually(lambda: live.provider["k"] == "new")


def test_it_ends_with_close(watch: Loader, store: Emulator, clock: FakeClock) -> None:
    """After `close()` no thread and no task is left, and nothing is asked any more."""
    with watch() as live:
        assert len(live.pollers) == 1
        live.close()
        assert not live.pollers
        sent = live.provider.status.requests_sent
        publish(store, "new")
        clock.advance(10 * INTERVAL)
        assert live.refresh(force=True) is False
        assert live.provider.status.requests_sent == sent
        assert live.provider["k"] == "v1"


def test_close_waits_for_what_is_under_way_no_longer_than_its_budget(
    store: Emulator, clock: FakeClock
) -> None:
    """Neither a silent store nor a callback that hangs holds `close()` up."""
    came, go = threading.Event(), threading.Event()

    def hang() -> None:
        came.set()
        go.wait(PATIENCE)

    with load_sync(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        polling=Polling.auto(),
        connect_timeout=0.1,
        read_timeout=0.2,
        on_refresh_success=hang,
    ) as live:
        publish(store, "new")
        clock.advance(SURELY)
        assert came.wait(PATIENCE)
        begin = time.perf_counter()
        live.close()
        assert 0.2 < time.perf_counter() - begin < 2
        go.set()


def test_what_comes_after_close_is_not_published(
    watch: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A check that was under way when it was closed changes nothing any more."""
    came, go = threading.Event(), threading.Event()

    def hold(_record: RequestRecord) -> None:
        came.set()
        go.wait(PATIENCE)

    with watch(connect_timeout=0.1, read_timeout=0.2) as live, store.before_answer(hold):
        publish(store, "new")
        clock.advance(SURELY)
        assert came.wait(PATIENCE)
        live.close()
        go.set()
        assert live.provider["k"] == "v1"


def test_a_callback_may_close(watch: Loader, store: Emulator, clock: FakeClock) -> None:
    """`close()` inside a callback does not wait for the thread or task that it runs on."""
    closed = threading.Event()

    def close() -> Any:
        answer = held[0].provider.close()  # type: ignore[attr-defined]
        if not asyncio.iscoroutine(answer):
            closed.set()
            return None

        async def closing() -> None:
            await answer
            closed.set()

        return closing()

    held: list[Provider] = []
    with watch(on_refresh_success=close) as live:
        held.append(live)
        publish(store, "new")
        clock.advance(SURELY)
        assert closed.wait(PATIENCE)
        assert live.provider["k"] == "new"


def connections() -> list[object]:
    """Return the connections that a driver keeps or uses; those that it has closed are gone."""
    gc.collect()
    return [one for one in gc.get_objects() if type(one) is Connection]


@pytest.mark.parametrize("through", ["task", "wait_for"])
def test_a_callback_may_close_in_a_task(store: Emulator, clock: FakeClock, through: str) -> None:
    """Whoever closes while callbacks run neither cancels them nor waits for them."""
    ended: list[str] = []

    async def close() -> None:
        job = held[0].provider.close()  # type: ignore[attr-defined]
        await (asyncio.create_task(job) if through == "task" else asyncio.wait_for(job, 5))
        ended.append("quietly")

    held: list[Provider] = []
    others = connections()
    with load_aio_on_thread(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        polling=Polling.auto(),
        on_refresh_success=close,
    ) as live:
        held.append(live)
        assert connections() != others
        publish(store, "new")
        clock.advance(SURELY)
        eventually(lambda: ended)
        eventually(lambda: not live.pollers)
        assert ended == ["quietly"]
        eventually(lambda: connections() == others)


def test_a_validation_may_close(watch: Loader, store: Emulator, clock: FakeClock) -> None:
    """`close()` in the middle of a check, on its own thread or task, ends it without a word."""
    called = threading.Event()

    def validate(snapshot: object) -> Any:
        if not held:
            return None
        called.set()
        return held[0].provider.close()  # type: ignore[attr-defined]

    held: list[Provider] = []
    with watch(validate=validate) as live:
        held.append(live)
        publish(store, "new")
        clock.advance(SURELY)
        assert called.wait(PATIENCE)
        eventually(lambda: not live.pollers)
        assert live.provider["k"] == "v1"


def test_a_configuration_nobody_holds_is_collected_and_its_thread_ends(store: Emulator) -> None:
    """The poller holds its configuration only while it checks."""
    others = polling_threads()
    config: Any = appconfig_provider.load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        polling=Polling.auto(),
    )
    (thread,) = polling_threads() - others
    seen = weakref.ref(config)
    del config
    gc.collect()
    assert seen() is None
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_it_goes_on_after_an_unexpected_error(
    watch: Loader,
    store: Emulator,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error that ought not to happen is logged with its traceback, and the next check comes."""
    with watch() as live:
        broken = threading.Event()

        def fail(_self: object, *_: object, **_more: object) -> None:
            broken.set()
            raise ZeroDivisionError

        with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
            patched.setattr(type(live.provider), "_take", fail)
            publish(store, "new")
            clock.advance(SURELY)
            assert broken.wait(PATIENCE)
            eventually(lambda: "unexpected" in caplog.text)
        clock.advance(SURELY)
        eventually(lambda: live.provider["k"] == "new")


def test_a_callback_that_exits_ends_neither_the_poller_nor_the_program(
    store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """On the poller's thread `sys.exit()` could not end the program; it is logged like an error."""
    with load_sync(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        polling=Polling.auto(),
        on_refresh_success=sys.exit,
    ) as live:
        for value in ("one", "two"):
            publish(store, value)
            clock.advance(SURELY)
            eventually(lambda: live.provider["k"] == value)  # noqa: B023 - awaited right here
            eventually(lambda: next_check(live, clock) is not None)
    assert caplog.text.count("SystemExit") == 2


def test_a_thread_that_could_not_be_had_is_tried_again(
    store: Emulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no thread starts, the first `refresh()` that finds it late tries again."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        config = appconfig_provider.load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            polling=Polling.auto(),
        )
    with config:
        clock.advance(SURELY + LATE + 0.1)
        assert config.refresh() is False
        publish(store, "new")
        clock.advance(SURELY)
        eventually(lambda: config["k"] == "new")


def test_another_event_loop_gets_a_task_of_its_own(store: Emulator, clock: FakeClock) -> None:
    """The loop that loaded is gone; the first `refresh()` under a new one starts a task there."""
    keywords: dict[str, Any] = {
        "connection_string": store.connection_string,
        "refresh_on": ["sentinel"],
        "polling": Polling.auto(),
    }

    async def begin() -> Any:
        return await appconfig_provider.aio.load(**keywords)

    config = asyncio.run(begin())

    async def live() -> None:
        changed = asyncio.Event()
        config.subscribe(changed.set)
        assert await config.refresh() is False  # long before it is due
        publish(store, "new")
        clock.advance(SURELY)
        await changed.wait()
        assert config["k"] == "new"
        await config.close()

    asyncio.run(asyncio.wait_for(live(), PATIENCE))


@pytest.mark.parametrize("turns", range(5))
def test_a_task_that_is_cancelled_ends_at_once(turns: int) -> None:
    """Also just after it was woken: `asyncio.run()` waits for it, and nobody else could end it."""

    async def cancelled(store: Emulator) -> bool:
        config = await appconfig_provider.aio.load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            polling=Polling.auto(),
        )
        (task,) = await polling_tasks()
        await asyncio.sleep(0.01)
        config.notify(store.event("sentinel"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=PATIENCE)
        await config.close()
        return bool(done)

    with Emulator() as emulator:
        emulator.set("sentinel", "1")
        assert asyncio.run(cancelled(emulator))


def test_one_task_polls_however_many_loops_refresh(store: Emulator, clock: FakeClock) -> None:
    """While the loop that loaded runs, a `refresh()` on another one starts no second task."""
    with load_aio_on_thread(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        polling=Polling.auto(),
    ) as live:
        before = live.pollers
        assert len(before) == 1

        async def elsewhere() -> set[asyncio.Task[Any]]:
            config: Any = live.provider
            await config.refresh(force=True)
            return await polling_tasks()

        assert asyncio.run(elsewhere()) == set()
        assert live.pollers == before


@pytest.mark.parametrize("in_background", [True, False])
def test_it_keeps_few_requests_under_way(in_background: bool) -> None:
    """In the background a reload of many pages uses fewer connections than one in a call."""
    lock, under_way, most = threading.Lock(), 0, 0

    def begin(_record: RequestRecord) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.05)  # so that they meet, and that the store seems far away

    def end(_record: RequestRecord) -> None:
        nonlocal under_way
        with lock:
            under_way -= 1

    with Emulator() as store:
        store.set_many({f"many/{number:04}": "v" for number in range(2_500)})
        store.set_many({"k": "v1", "sentinel": "1"})
        with (
            load_sync(
                connection_string=store.connection_string,
                refresh_on=["sentinel"],
                push_delay=0,
                polling=Polling.auto() if in_background else None,
            ) as live,
            store.before_answer(begin),
            store.after_answer(end),
        ):
            publish(store, "new")
            if in_background:
                live.provider.notify(store.event("sentinel"))
            else:
                live.refresh(force=True)
            eventually(lambda: live.provider["k"] == "new")
    limits = (
        (2, BACKGROUND_CONCURRENCY)
        if in_background
        else (BACKGROUND_CONCURRENCY + 1, MAX_CONCURRENCY)
    )
    assert limits[0] <= most <= limits[1]
