"""The user's own functions take time: a plain resolver, a mapper, `validate`."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from contextvars import ContextVar

import pytest

import appconfig_provider.aio
from appconfig_provider import ConfigurationSetting
from appconfig_provider.errors import KeyVaultReferenceError, StartupTimeout
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Loader, load_aio
from tests.support.content import secret_id

WHO: ContextVar[str] = ContextVar("who", default="nobody")


def fill(store: Emulator, secrets: int) -> None:
    """Write references to so many secrets."""
    for number in range(secrets):
        store.set_secret(f"k{number:02}", secret_id(f"s{number:02}"))


def test_a_plain_resolver_is_not_called_past_the_budget(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Once `startup_timeout` is used up no further secret is asked for, and the error says so."""
    fill(store, 40)
    asked: list[str] = []

    def slow(uri: str) -> str:
        asked.append(uri)
        clock.advance(0.5)
        return "value"

    with (
        pytest.raises(StartupTimeout, match="startup_timeout=2 s was used up") as caught,
        load(connection_string=store.connection_string, secret_resolver=slow, startup_timeout=2),
    ):
        pass
    assert len(asked) == 4
    assert isinstance(caught.value.causes[0], KeyVaultReferenceError)


def test_a_reload_does_not_call_a_resolver_past_its_budget(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A reload asks no resolver once its time is used up, and the error says which time that is."""
    fill(store, 12)
    store.set("sentinel", "1")
    seconds = 0.0
    asked: list[str] = []
    errors: list[Exception] = []

    def resolver(uri: str) -> str:
        asked.append(uri)
        clock.advance(seconds)
        return "value"

    with load(
        connection_string=store.connection_string,
        secret_resolver=resolver,
        refresh_on=["sentinel"],
        on_refresh_error=errors.append,
        secret_policy="raise",
    ) as config:
        store.set("sentinel", "2")
        clock.advance(100)
        asked.clear()
        seconds = 50.0
        assert not config.refresh()
        assert 1 <= len(asked) <= 2
        assert "the time of a reload" in str(errors[0])


def test_a_mapper_is_not_called_past_the_budget(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """The clock is read before each call of the mapper, and the error says how far it came."""
    store.set_many({f"k{number:02}": "1" for number in range(40)})

    def slow(_setting: ConfigurationSetting) -> None:
        clock.advance(0.5)

    with (
        pytest.raises(StartupTimeout, match=r"4 of 40 settings, because startup_timeout=2 s"),
        load(
            connection_string=store.connection_string,
            configuration_mapper=slow,
            startup_timeout=2,
        ),
    ):
        pass


def test_a_plain_resolver_is_called_one_time_after_the_other(load: Loader, store: Emulator) -> None:
    """A plain function need not be safe for threads: no two calls of it overlap."""
    fill(store, 20)
    running = 0
    most = 0

    def resolver(_uri: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.001)
        running -= 1
        return "value"

    with load(connection_string=store.connection_string, secret_resolver=resolver) as config:
        assert len(config.snapshot) == 20
        assert most == 1


def test_a_coroutine_resolver_is_asked_sixteen_times_at_once(store: Emulator) -> None:
    """A coroutine function reads as many secrets at a time as a vault is asked for."""
    fill(store, 40)
    running = 0
    most = 0

    async def resolver(_uri: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return "value"

    with load_aio(connection_string=store.connection_string, secret_resolver=resolver) as config:
        assert len(config.snapshot) == 40
        assert most == 16


async def longest_pause(until: asyncio.Task[object]) -> float:
    """Return for how long the event loop stood still at most, in seconds."""
    longest, before = 0.0, time.perf_counter()
    while not until.done():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    return longest


def test_a_slow_plain_resolver_does_not_stop_the_loop() -> None:
    """Under asyncio a plain resolver runs on a thread that sees the caller's context variables."""
    seen: list[tuple[str, bool]] = []

    def slow(_uri: str) -> str:
        time.sleep(0.8)
        seen.append((WHO.get(), threading.current_thread() is threading.main_thread()))
        return "value"

    async def run(store: Emulator) -> float:
        WHO.set("caller")
        loading = asyncio.ensure_future(
            appconfig_provider.aio.load(
                connection_string=store.connection_string, secret_resolver=slow
            )
        )
        longest = await longest_pause(loading)
        config = await loading
        assert config["k00"] == "value"
        await config.close()
        return longest

    with Emulator() as store:
        fill(store, 1)
        assert asyncio.run(run(store)) < 0.7
    assert seen == [("caller", False)]
    for one in threading.enumerate():
        if one.name == "appconfig-blocking":
            one.join(5)  # it has delivered its answer, and may be about to end
            assert not one.is_alive()


def test_many_mapper_calls_let_the_loop_run() -> None:
    """Under asyncio other tasks run between the calls of a mapper."""

    def slow(_setting: ConfigurationSetting) -> None:
        time.sleep(0.004)

    async def run(store: Emulator) -> tuple[float, float]:
        began = time.monotonic()
        loading = asyncio.ensure_future(
            appconfig_provider.aio.load(
                connection_string=store.connection_string, configuration_mapper=slow
            )
        )
        longest = await longest_pause(loading)
        await (await loading).close()
        return longest, time.monotonic() - began

    with Emulator() as store:
        store.set_many({f"k{number:03}": "1" for number in range(300)})
        longest, whole = asyncio.run(run(store))
    assert longest < whole / 2  # a busy machine stretches both


def test_a_cancelled_load_leaves_its_resolver_behind() -> None:
    """A load that is cancelled ends at once; the resolver's thread ends when it returns."""
    begun, go_on = threading.Event(), threading.Event()

    def stuck(_uri: str) -> str:
        begun.set()
        go_on.wait(3)
        return "value"

    async def run(store: Emulator) -> float:
        loading = asyncio.ensure_future(
            appconfig_provider.aio.load(
                connection_string=store.connection_string, secret_resolver=stuck
            )
        )
        await asyncio.to_thread(begun.wait, 5)
        before = time.perf_counter()
        loading.cancel()
        with suppress(asyncio.CancelledError):
            await loading
        return time.perf_counter() - before

    with Emulator() as store:
        fill(store, 1)
        try:
            assert asyncio.run(run(store)) < 1.5
        finally:
            left = [one for one in threading.enumerate() if one.name == "appconfig-blocking"]
            assert all(one.daemon for one in left)
            go_on.set()
            for one in left:
                one.join(5)
    assert left


@pytest.mark.parametrize("error", [StopIteration("x"), SystemExit(3), LookupError("x")])
def test_what_a_resolver_raises_on_its_thread_is_reported(
    store: Emulator, error: BaseException
) -> None:
    """Whatever a plain resolver raises reaches the caller of load()."""

    def broken(_uri: str) -> str:
        raise error

    fill(store, 1)
    expected = SystemExit if isinstance(error, SystemExit) else KeyVaultReferenceError
    with (
        pytest.raises(expected),
        load_aio(
            connection_string=store.connection_string, secret_resolver=broken, startup_timeout=1
        ),
    ):
        pass


def test_without_a_thread_the_resolver_is_called_all_the_same(
    store: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the machine gives no thread, the resolver runs on the loop instead."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "appconfig-blocking":
            raise RuntimeError("can't start new thread")
        start(thread)

    fill(store, 2)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with load_aio(
        connection_string=store.connection_string, secret_resolver=lambda uri: uri[-3:]
    ) as config:
        assert dict(config.snapshot) == {"k00": "s00", "k01": "s01"}
