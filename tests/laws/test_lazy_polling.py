"""`Polling.lazy(ttl)`: reads keep the configuration fresh, and nothing runs in between."""

from __future__ import annotations

import asyncio
import copy
import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import appconfig_provider
import appconfig_provider.aio
from appconfig_provider import AzureAppConfigurationProvider, Polling
from appconfig_provider._live.inspection import inspect
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord
from tests.support.adapter import (
    POLLED,
    Called,
    Loader,
    Provider,
    load_aio_on_thread,
    load_sync,
    loop_on_thread,
)
from tests.support.content import publish, secret_id, set_flag
from tests.support.waiting import PATIENCE, eventually

TTL = 30.0
READERS = 8

READS: dict[str, Callable[[Any], object]] = {
    "[]": lambda config: config["k"],
    "get": lambda config: config.get("k"),
    "in": lambda config: "k" in config,
    "len": len,
    "iter": lambda config: next(iter(config)),
    "keys": lambda config: config.keys(),
    "values": lambda config: config.values(),
    "items": lambda config: config.items(),
    "==": lambda config: config == {},
    "==, from the other side": lambda config: {} == config,  # noqa: SIM300 - the order is the test
    "!=": lambda config: config != {},
    "snapshot": lambda config: config.snapshot,
    "copy": copy.copy,
}

NO_READS: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "status": lambda config: config.status,
    "healthy": lambda config: config.status.healthy(1),
    "subscribe": lambda config: config.subscribe(print),
    "notify": lambda config: config.notify([]),
}


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store."""
    with Emulator(clock=clock) as emulator:
        emulator.set_many({"k": "v1", "sentinel": "1"})
        yield emulator


@pytest.fixture(params=list(POLLED))
def lazy(request: pytest.FixtureRequest, store: Emulator) -> Loader:
    """Load with lazy polling; with the sync provider, then with the aio one."""
    usual = {
        "connection_string": store.connection_string,
        "refresh_on": ["sentinel"],
        "polling": Polling.lazy(TTL),
        "retry_total": 0,
    }
    return lambda **keywords: POLLED[request.param](**{**usual, **keywords})


def value(config: Any) -> object:
    """Read the value that the tests change."""
    return config["k"]


def sent(live: Provider) -> int:
    """Return how many requests were sent once nothing is under way any more."""
    live.read(lambda _: None)  # in aio: whatever a read before has begun on the loop has begun
    eventually(lambda: not inspect(live.provider).process.flight.locked())
    return live.provider.status.requests_sent


# What a read does


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_read_refreshes_what_is_due(
    lazy: Loader, store: Emulator, clock: FakeClock, read: Callable[[Any], object]
) -> None:
    """With threads before it returns, in aio soon after; every way to read counts."""
    with lazy() as live:
        publish(store, "new")
        clock.advance(TTL)
        before = sent(live)
        live.read(read)
        eventually(lambda: inspect(live.provider).state.values["k"] == "new")
        assert sent(live) > before


def test_with_threads_who_finds_it_due_gets_the_new_value(
    store: Emulator, clock: FakeClock
) -> None:
    """The reader that refreshes answers from the generation that its refresh published."""
    with load_sync(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        polling=Polling.lazy(TTL),
    ) as live:
        publish(store, "new")
        assert live.provider["k"] == "v1"
        clock.advance(TTL)
        assert live.provider["k"] == "new"


def test_in_aio_the_first_read_is_answered_from_the_old_generation(
    store: Emulator, clock: FakeClock
) -> None:
    """A read cannot await: it starts the task, and the reads after the swap see what is new."""
    with load_aio_on_thread(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        polling=Polling.lazy(TTL),
    ) as live:
        publish(store, "new")
        clock.advance(TTL)
        assert live.read(value) == "v1"
        eventually(lambda: live.read(value) == "new")


@pytest.mark.parametrize("read", NO_READS.values(), ids=NO_READS)
def test_what_is_no_read_checks_nothing(
    lazy: Loader, clock: FakeClock, read: Callable[[Any], object]
) -> None:
    """A health endpoint, a debugger and a web hook send no requests, however long ago it was."""
    with lazy(push_delay=0) as live:
        before = sent(live)
        clock.advance(10 * TTL)
        live.read(read)
        assert sent(live) == before


def test_reads_before_the_time_send_nothing(
    lazy: Loader, store: Emulator, clock: FakeClock
) -> None:
    """The time counts from the last check, whether or not that found anything."""
    with lazy() as live:
        for number in range(3):
            publish(store, f"new {number}")
            before = sent(live)
            clock.advance(TTL - 0.1)
            for read in READS.values():
                live.read(read)
            assert sent(live) == before
            clock.advance(0.1)
            live.read(value)
            assert sent(live) > before
            assert live.read(value) == f"new {number}"


def test_a_missing_key_is_what_it_always_is(lazy: Loader) -> None:
    """A read raises KeyError and answers defaults as any Mapping does."""
    with lazy() as live:
        with pytest.raises(KeyError):
            live.read(lambda config: config["absent"])
        assert live.read(lambda config: config.get("absent", 5)) == 5
        assert live.read(lambda config: "absent" not in config)


def test_it_is_the_usual_class(lazy: Loader) -> None:
    """Programs that ask for the class, and the Mapping's own rules, notice no difference."""
    with lazy() as live:
        modules = (appconfig_provider, appconfig_provider.aio)
        kinds = tuple(one.AzureAppConfigurationProvider for one in modules)
        assert isinstance(live.provider, kinds)
        assert type(live.provider).__module__ in {kind.__module__ for kind in kinds}
        assert not hasattr(live.provider, "__dict__")
        with pytest.raises(TypeError):
            hash(live.provider)
        assert "version=1 keys=2" in repr(live.provider)


def test_refresh_works_as_ever(lazy: Loader, store: Emulator, clock: FakeClock) -> None:
    """A program may still call it: it does what is due at once, and `force` what is not."""
    with lazy() as live:
        publish(store, "new")
        assert live.refresh() is False
        assert live.refresh(force=True) is True
        publish(store, "newer")
        clock.advance(TTL)
        assert live.refresh() is True
        assert live.read(value) == "newer"


# What is due


def test_any_timer_counts(lazy: Loader, store: Emulator, clock: FakeClock) -> None:
    """A read finds flags and secrets due by intervals of their own."""
    answers = iter(["s1", "s2"])
    store.set(
        "secret",
        f'{{"uri": "{secret_id("one")}"}}',
        content_type="application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8",
    )
    set_flag(store, "Beta", enabled=False)
    with lazy(
        polling=Polling.lazy(600),
        feature_flag_enabled=True,
        feature_flag_refresh_enabled=True,
        feature_flag_refresh_interval=10,
        secret_resolver=lambda _address: next(answers),
        secret_refresh_interval=100,
    ) as live:
        publish(store, "new")
        set_flag(store, "Beta")
        clock.advance(10)
        live.read(value)
        eventually(lambda: _beta(live)["enabled"])
        assert inspect(live.provider).state.values["secret"] == "s1"
        clock.advance(90)
        live.read(value)
        eventually(lambda: inspect(live.provider).state.values["secret"] == "s2")
        assert live.read(value) == "v1"
        clock.advance(500)
        live.read(value)
        eventually(lambda: live.read(value) == "new")


def _beta(live: Provider) -> Any:
    management: Any = inspect(live.provider).state.values["feature_management"]
    return management["feature_flags"][0]


def test_a_pushed_event_is_due_when_its_delay_is_over(
    lazy: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A read finds the event, long before the interval has passed."""
    with lazy(polling=Polling.lazy(3600), push_delay=5) as live:
        event = publish(store, "pushed")
        live.provider.notify(event)
        clock.advance(5)
        live.read(value)
        eventually(lambda: live.read(value) == "pushed")


def test_back_off_holds_for_readers(lazy: Loader, store: Emulator, clock: FakeClock) -> None:
    """A store in trouble is left alone, however many read; when it is back, reads find it."""
    errors: list[Exception] = []
    with lazy(on_refresh_error=errors.append) as live:
        publish(store, "new")
        store.down()
        clock.advance(TTL)
        assert live.read(value) == "v1"
        for failures in (1, 2, 3):
            eventually(lambda: len(errors) == failures)  # noqa: B023 - awaited right here
            quiet = sent(live)
            for _ in range(100):
                assert live.read(value) == "v1"
            assert sent(live) == quiet
            until = inspect(live.provider).state.standing.backoff_until
            clock.advance(until - clock.monotonic() - 0.1)
            assert live.read(value) == "v1"
            assert sent(live) == quiet
            clock.advance(0.2)
            if failures == 3:
                store.up()
            live.read(value)
        eventually(lambda: live.read(value) == "new")
        assert len(errors) == 3


def test_a_refused_generation_raises_at_no_reader(
    lazy: Loader, store: Emulator, clock: FakeClock
) -> None:
    """What `validate` refuses goes to the error callback; readers keep the last good values."""
    errors: list[Exception] = []

    def validate(snapshot: Any) -> None:
        if snapshot["k"] == "bad":
            raise ValueError("no")

    with lazy(validate=validate, on_refresh_error=errors.append) as live:
        publish(store, "bad")
        clock.advance(TTL)
        assert live.read(value) == "v1"
        eventually(lambda: errors)
        assert live.read(value) == "v1"
        assert str(errors[0]) == "no"


# One refresh, whoever reads


def test_one_of_many_readers_refreshes_and_no_other_waits(
    store: Emulator, clock: FakeClock
) -> None:
    """Of eight threads that find it due one refreshes, the others go on with the old values."""
    came, go = threading.Event(), threading.Event()
    asked: list[str] = []
    values: dict[int, object] = {}

    def hold(record: RequestRecord) -> None:
        asked.append(record.target)
        came.set()
        go.wait(PATIENCE)

    def read(number: int) -> None:
        values[number] = live.provider["k"]

    with load_sync(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        polling=Polling.lazy(TTL),
    ) as live:
        publish(store, "new")
        clock.advance(TTL)
        with store.before_answer(hold):
            threads = [threading.Thread(target=read, args=(one,)) for one in range(READERS)]
            for thread in threads:
                thread.start()
            assert came.wait(PATIENCE)
            eventually(lambda: len(values) == READERS - 1)
            assert set(values.values()) == {"v1"}
            assert len(asked) == 1
            go.set()
            for thread in threads:
                thread.join(PATIENCE)
        assert sorted(map(str, values.values())) == ["new"] + ["v1"] * (READERS - 1)
        assert live.provider.status.generation == 2
        assert sum(target.startswith("/kv/sentinel") for target in asked) == 2  # before and after


def test_reads_meanwhile_start_no_second_task(
    store: Emulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In aio, while a check is to come or under way, reads on the loop and elsewhere start none."""
    came, go = threading.Event(), threading.Event()
    checks: list[object] = []

    def hold(_record: RequestRecord) -> None:
        came.set()
        go.wait(PATIENCE)

    def read_much(config: Any) -> None:
        for _ in range(1000):
            assert config["k"] == "v1"

    async def check(config: Any) -> object:
        checks.append(config)
        return await check_once(config)

    with (
        load_aio_on_thread(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            polling=Polling.lazy(TTL),
        ) as live,
        store.before_answer(hold),
    ):
        kind: Any = type(live.provider)
        check_once = kind._check  # noqa: SLF001 - what a poller calls
        monkeypatch.setattr(kind, "_check", check)
        publish(store, "new")
        clock.advance(TTL)
        live.read(read_much)
        assert came.wait(PATIENCE)
        live.read(read_much)
        read_much(live.provider)
        go.set()
        eventually(lambda: live.read(value) == "new")
        assert len(checks) == 1


def test_a_thread_without_a_loop_calls_the_loop_once(
    store: Emulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain thread that reads all the time does not fill the queue of a loop that is busy."""
    calls: list[object] = []
    with load_aio_on_thread(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        polling=Polling.lazy(TTL),
    ) as live:
        loop = live.read(lambda _: asyncio.get_running_loop())
        busy, go = threading.Event(), threading.Event()

        def hold() -> None:
            busy.set()
            go.wait(PATIENCE)

        loop.call_soon_threadsafe(hold)
        assert busy.wait(PATIENCE)
        call = loop.call_soon_threadsafe

        def noted(*given: Any, **more: Any) -> object:
            calls.append(given)
            return call(*given, **more)

        monkeypatch.setattr(loop, "call_soon_threadsafe", noted)
        publish(store, "new")
        clock.advance(TTL)
        for _ in range(1000):
            assert live.provider["k"] == "v1"
        assert len(calls) == 1
        go.set()
        eventually(lambda: live.provider["k"] == "new")


@pytest.mark.parametrize("place", ["success", "error", "validate", "mapper", "resolver"])
def test_a_read_inside_the_refresh_starts_nothing(
    lazy: Loader, store: Emulator, clock: FakeClock, place: str
) -> None:
    """Callbacks, `validate`, a mapper and a resolver read the generation that is published then."""
    seen: list[object] = []
    held: list[Provider] = []

    def look(*_: object) -> Any:
        if held:
            seen.append(held[0].provider["k"])
        return "value"

    def success(changes: object) -> None:
        look()

    def error(failure: Exception) -> None:
        look()

    def mapper(setting: Any) -> None:
        look()

    functions: dict[str, dict[str, object]] = {
        "success": {"on_refresh_success": success},
        "error": {"on_refresh_error": error},
        "validate": {"validate": look},
        "mapper": {"configuration_mapper": mapper},
        "resolver": {"secret_resolver": look},
    }
    store.set(
        "secret",
        f'{{"uri": "{secret_id("one")}"}}',
        content_type="application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8",
    )
    with lazy(**({"secret_resolver": lambda _: "value"} | functions[place])) as live:
        held.append(live)
        publish(store, "new")
        if place == "error":
            store.down()
        clock.advance(TTL)
        before = live.provider.status.generation
        live.read(value)
        eventually(lambda: seen)
        assert inspect(live.provider).state.snapshot.version in (before, before + 1)
        sent(live)
        assert set(seen) == ({"new"} if place == "success" else {"v1"})
        assert live.provider.status.generation == before + (place != "error")
        held.clear()


# Ends and beginnings


def test_after_close_reads_answer_from_the_last_generation(
    lazy: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """No request is sent, nothing is logged, and no thread or task is left."""
    with lazy() as live:
        publish(store, "new")
        live.close()
        before = live.provider.status.requests_sent
        caplog.clear()
        clock.advance(10 * TTL)
        for read in READS.values():
            live.read(read)
        assert live.provider["k"] == "v1"
        assert live.provider.status.requests_sent == before
        assert not caplog.records


def test_close_ends_the_task_of_a_reader(store: Emulator, clock: FakeClock) -> None:
    """What a read has started neither outlives `close()` nor publishes after it."""
    came, go = threading.Event(), threading.Event()

    def hold(_record: RequestRecord) -> None:
        came.set()
        go.wait(PATIENCE)

    with (
        load_aio_on_thread(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            polling=Polling.lazy(TTL),
        ) as live,
        store.before_answer(hold),
    ):
        publish(store, "new")
        clock.advance(TTL)
        live.read(value)
        assert came.wait(PATIENCE)
        live.close()
        go.set()
        assert not live.pollers
        assert live.provider["k"] == "v1"


def test_a_check_that_comes_after_close_does_not_begin(store: Emulator, clock: FakeClock) -> None:
    """A thread may call the loop just when it closes the provider: no task is begun then."""
    with load_aio_on_thread(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        polling=Polling.lazy(TTL),
    ) as live:
        clock.advance(TTL)
        poller: Any = inspect(live.provider).process.poller
        live.close()
        poller.start()
        live.read(lambda _: None)
        assert not live.pollers


def test_between_two_checks_nothing_runs(
    lazy: Loader, store: Emulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle provider has no thread, and in aio no task but while it checks for a reader."""
    checks: list[object] = []
    with lazy() as live:
        kind: Any = type(live.provider)
        refresh = kind._refresh  # noqa: SLF001 - what a read calls

        def noted(config: Any, **how: Any) -> object:
            checks.append(how)
            return refresh(config, **how)

        monkeypatch.setattr(kind, "_refresh", noted)
        assert live.refresh() is False
        assert live.read(value) == "v1"
        live.read(lambda _: None)
        assert not checks
        threads, tasks = set(threading.enumerate()), live.read(_tasks)
        publish(store, "new")
        clock.advance(TTL)
        live.read(value)
        eventually(lambda: live.read(value) == "new")
        sent(live)
        assert not any(one.name == "appconfig-provider" for one in threads)
        assert live.read(_tasks) == tasks


def _tasks(_config: object) -> int:
    """Return how many tasks there are on the loop that runs here, if one does."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0


@pytest.mark.parametrize("mode", ["sync", "aio"])
def test_a_configuration_that_nobody_holds_is_collected(
    store: Emulator, clock: FakeClock, mode: str
) -> None:
    """Neither what reads have started nor a register of ours keeps it."""
    keywords: dict[str, Any] = {
        "connection_string": store.connection_string,
        "refresh_on": ["sentinel"],
        "polling": Polling.lazy(TTL),
    }

    async def used() -> weakref.ref[Any]:
        if mode == "sync":
            config: Any = appconfig_provider.load(**keywords)
        else:
            config = await appconfig_provider.aio.load(**keywords)
        clock.advance(TTL)
        assert config["k"] == "v1"
        await asyncio.sleep(0)  # now the task has begun
        closing = config.close()
        if mode == "aio":
            await closing
        return weakref.ref(config)

    async def kept() -> object:
        seen = await used()
        gc.collect()
        return seen()

    assert asyncio.run(kept()) is None


def test_a_read_on_another_loop_refreshes_there(store: Emulator, clock: FakeClock) -> None:
    """The loop that loaded is gone: between loops a read only answers, on the next it refreshes."""

    async def begin() -> AzureAppConfigurationProvider:
        config: Any = await appconfig_provider.aio.load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            polling=Polling.lazy(TTL),
        )
        return config  # type: ignore[no-any-return]

    async def go_on() -> None:
        changed = asyncio.Event()
        config.subscribe(changed.set)
        assert config["k"] == "v1"
        await asyncio.wait_for(changed.wait(), PATIENCE)
        assert config["k"] == "new"
        await config.close()  # type: ignore[func-returns-value, misc]

    config = asyncio.run(begin())
    publish(store, "new")
    clock.advance(TTL)
    for _ in range(3):
        assert config["k"] == "v1"
    asyncio.run(go_on())


def test_a_thread_without_a_loop_finds_the_loop_that_runs(
    store: Emulator, clock: FakeClock
) -> None:
    """The loop that loaded is gone, and another one runs: a plain thread's read starts there."""

    async def begin() -> Any:
        return await appconfig_provider.aio.load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            polling=Polling.lazy(TTL),
        )

    config = asyncio.run(begin())
    with loop_on_thread() as wait:
        live = Called(config, wait)
        for number in (1, 2, 3):
            publish(store, f"new {number}")
            clock.advance(TTL)
            before = config.status.requests_sent
            assert config["k"] != f"new {number}"
            if number == 1:
                live.read(value)  # from now on plain threads know this loop
            eventually(lambda: inspect(config).state.values["k"] == f"new {number}")  # noqa: B023 - as above
            assert sent(live) > before
        live.close()


def test_a_cancelled_task_leaves_the_next_read_to_try(store: Emulator, clock: FakeClock) -> None:
    """`asyncio.run()` cancels what a read has started; the next loop's first read starts anew."""

    async def begin() -> Any:
        config: Any = await appconfig_provider.aio.load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            polling=Polling.lazy(TTL),
        )
        publish(store, "new")
        clock.advance(TTL)
        assert config["k"] == "v1"
        return config

    async def go_on() -> None:
        changed = asyncio.Event()
        config.subscribe(changed.set)
        assert config["k"] == "v1"
        await changed.wait()
        assert config["k"] == "new"
        await config.close()

    config = asyncio.run(begin())
    asyncio.run(asyncio.wait_for(go_on(), PATIENCE))


def test_an_unexpected_error_reaches_no_reader(
    lazy: Loader,
    store: Emulator,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error that ought not to happen is logged; the read answers, and later ones try again."""
    with lazy() as live:

        def fail(_self: object, *_: object, **_more: object) -> None:
            raise ZeroDivisionError

        publish(store, "new")
        clock.advance(TTL)
        with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
            patched.setattr(type(live.provider), "_take", fail)
            assert live.read(value) == "v1"
            eventually(lambda: "unexpected error: ZeroDivisionError" in caplog.text)
        eventually(lambda: live.read(value) == "new")


def test_a_refresh_that_hangs_is_told_once_and_holds_up_no_reader(
    store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Readers beside a callback that hangs go on; one warning says what may hang."""
    came, go = threading.Event(), threading.Event()

    def hang() -> None:
        came.set()
        go.wait(PATIENCE)

    with load_sync(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        polling=Polling.lazy(TTL),
        on_refresh_success=hang,
    ) as live:
        publish(store, "new")
        clock.advance(TTL)
        reader = threading.Thread(target=value, args=(live.provider,))
        reader.start()
        assert came.wait(PATIENCE)
        clock.advance(600)
        for _ in range(5):
            assert live.provider["k"] == "new"
        go.set()
        reader.join(PATIENCE)
        assert caplog.text.count("has not ended, and should have") == 1
