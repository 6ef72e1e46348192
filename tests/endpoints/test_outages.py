"""Trouble with the store is short, quiet and bounded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)

from appconfig_provider import SettingSelector, StartupTimeout
from appconfig_provider._io.clock import SystemClock, current_clock
from appconfig_provider.aio import load as async_load
from appconfig_provider.protocols import Clock
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord, Scripted
from tests.support.adapter import Opener, Provider

INTERVAL = 3.0
LONGEST_FIRST_BACKOFF = INTERVAL * 1.25


@pytest.fixture
def errors() -> list[Exception]:
    return []


@pytest.fixture
def config(opened: Opener, store: Emulator, errors: list[Exception]) -> Provider:
    """A provider of one setting that asks its sentinel every three seconds, without retries."""
    store.set("message", "old")
    store.set("sentinel", "1")
    return opened(
        connection_string=store.connection_string,
        selects=[SettingSelector(key_filter="message")],
        refresh_on=["sentinel"],
        refresh_interval=INTERVAL,
        retry_total=0,
        on_refresh_error=errors.append,
    )


def deploy(store: Emulator) -> None:
    store.set("message", "new")
    store.set("sentinel", "2")


def poll(config: Provider, clock: FakeClock, seconds: float) -> list[bool]:
    """Call `refresh()` five times a second for some seconds."""
    answers = []
    for _ in range(round(seconds * 5)):
        clock.advance(0.2)
        answers.append(config.refresh())
    return answers


def test_one_blip_is_one_warning_and_over_after_one_back_off(
    store: Emulator,
    clock: FakeClock,
    config: Provider,
    errors: list[Exception],
) -> None:
    """One 503 costs one failed attempt, then silence, then the first back-off heals it."""
    deploy(store)
    clock.advance(INTERVAL)
    with store.respond(lambda _: Scripted(503)):
        assert not config.refresh()
    store.clear_requests()
    assert not any(poll(config, clock, INTERVAL - 0.4))
    assert store.requests == []
    assert any(poll(config, clock, LONGEST_FIRST_BACKOFF - INTERVAL + 0.6))
    assert config.provider["message"] == "new"
    assert len(errors) == 1


def test_an_outage_keeps_the_old_values_and_never_raises(
    store: Emulator,
    clock: FakeClock,
    config: Provider,
    errors: list[Exception],
) -> None:
    """Through a long outage each call returns False, and attempts grow rarer."""
    deploy(store)
    store.clear_requests()
    with store.respond(lambda _: Scripted(503)):
        assert not any(poll(config, clock, 120))
    assert config.provider["message"] == "old"
    assert len(store.requests) == len(errors)
    assert 5 <= len(errors) <= 6  # 3 s, then 3, 6, 12, 24, 48 s later, each up to a quarter more
    assert all(isinstance(error, HttpResponseError) for error in errors)
    assert config.status.last_error is errors[-1]


def test_success_forgets_the_failures_before_it(
    store: Emulator,
    clock: FakeClock,
    config: Provider,
    errors: list[Exception],
) -> None:
    """Blips that each healed cost the same: the back-off of the sixth is as short as the first."""
    for blip in range(1, 7):
        clock.advance(INTERVAL)
        with store.respond(lambda _: Scripted(503)):
            config.refresh()
        assert len(errors) == blip
        store.clear_requests()
        clock.advance(LONGEST_FIRST_BACKOFF)
        config.refresh()
        assert len(store.requests) == 1
        assert config.status.last_error is None


@pytest.mark.parametrize("status", [429, 503])
def test_a_long_retry_after_is_a_back_off_and_not_a_sleep(
    opened: Opener, store: Emulator, clock: FakeClock, status: int
) -> None:
    """`Retry-After: 60` ends the attempt at once; the store is left alone for these 60 seconds."""
    config = opened(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        refresh_interval=INTERVAL,
    )
    clock.advance(INTERVAL)
    store.clear_requests()
    before = clock.monotonic()
    with store.respond(lambda _: Scripted(status, {"Retry-After": "60"})):
        assert not config.refresh()
        assert clock.monotonic() == before
        poll(config, clock, 59)
    assert len(store.requests) == 1
    clock.advance(1.2)
    config.refresh()
    assert len(store.requests) == 2


@pytest.mark.parametrize("seconds", ["0.1", "1.9", "6", "86400"])
def test_retries_of_a_throttled_refresh_stay_within_its_budget(
    opened: Opener, store: Emulator, clock: FakeClock, seconds: str
) -> None:
    """Whatever `Retry-After` says, one refresh waits no longer than connect and read timeout."""
    config = opened(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        connect_timeout=1,
        read_timeout=2,
        retry_total=5,
    )
    clock.advance(30)
    before = clock.monotonic()
    with store.respond(lambda _: Scripted(429, {"Retry-After": seconds})):
        assert not config.refresh()
    assert clock.monotonic() - before <= 3


@pytest.fixture
def real_time() -> Iterator[None]:
    """Take the machine's own clock: these tests measure how long something really takes."""
    clock: Clock = SystemClock()
    token = current_clock.set(clock)
    yield
    current_clock.reset(token)


@pytest.mark.usefixtures("real_time")
def test_a_silent_server_ends_the_load_when_its_budget_does(opened: Opener) -> None:
    """A server that accepts and says nothing costs `startup_timeout`, not the read timeouts."""
    with Emulator() as store, store.respond(lambda _: Scripted(delay=30)):
        began = time.monotonic()
        with pytest.raises(StartupTimeout) as caught:
            opened(connection_string=store.connection_string, startup_timeout=0.5)
        assert 0.4 < time.monotonic() - began < 1.5
        assert caught.value.causes
        assert isinstance(caught.value, TimeoutError)


@pytest.mark.usefixtures("real_time")
def test_a_silent_server_does_not_hold_a_refresh_past_its_budget(opened: Opener) -> None:
    """A refresh waits for a silent server at most as long as its check may take."""
    with Emulator() as store:
        config = opened(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            connect_timeout=0.2,
            read_timeout=0.3,
        )
        with store.respond(lambda _: Scripted(delay=30)):
            began = time.monotonic()
            assert not config.refresh(force=True)
            assert time.monotonic() - began < 1.5


CLASSES = {
    400: HttpResponseError,
    401: ClientAuthenticationError,
    403: HttpResponseError,
    404: ResourceNotFoundError,
}


@pytest.mark.parametrize("status", CLASSES)
def test_what_waiting_cannot_heal_fails_at_once_with_the_azure_class(
    opened: Opener, store: Emulator, clock: FakeClock, status: int
) -> None:
    """A permanent status is raised without any wait, as azure-core's class, with its cause."""
    before = clock.monotonic()
    with store.respond(lambda _: Scripted(status)), pytest.raises(HttpResponseError) as caught:
        opened(connection_string=store.connection_string)
    assert clock.monotonic() == before
    assert type(caught.value) is CLASSES[status]
    assert caught.value.status_code == status
    assert caught.value.__cause__ is not None
    assert len(store.requests) == 1


def test_a_start_that_nobody_answers_says_why(
    opened: Opener, store: Emulator, clock: FakeClock
) -> None:
    """`StartupTimeout` comes within the budget, is an `AzureError`, and holds the last failures."""
    with store.respond(lambda _: Scripted(503)), pytest.raises(StartupTimeout) as caught:
        opened(connection_string=store.connection_string, startup_timeout=20)
    assert clock.monotonic() <= 20
    assert isinstance(caught.value, AzureError)
    (cause,) = caught.value.causes
    assert isinstance(cause, HttpResponseError)
    assert cause.status_code == 503
    assert "503" in str(caught.value)


def test_a_store_that_comes_up_during_the_start_is_loaded(
    opened: Opener, store: Emulator, clock: FakeClock
) -> None:
    """A start that meets a store still booting waits for it within the budget."""
    store.set("message", "hi")
    asked: list[RequestRecord] = []

    def booting(record: RequestRecord) -> Scripted | None:
        asked.append(record)
        return Scripted(503) if len(asked) <= 4 else None

    with store.respond(booting):
        config = opened(connection_string=store.connection_string)
    assert config.provider["message"] == "hi"
    assert 0 < clock.monotonic() < 100


@pytest.mark.usefixtures("real_time")
def test_a_failing_async_load_leaves_the_loop_to_others() -> None:
    """While `await load()` waits for a store that is down, other tasks run."""

    async def scenario(connection_string: str) -> int:
        ticks = 0
        loading = asyncio.ensure_future(
            async_load(connection_string=connection_string, startup_timeout=0.6)
        )
        while not loading.done():
            await asyncio.sleep(0.01)
            ticks += 1
        with pytest.raises(StartupTimeout):
            await loading
        return ticks

    with Emulator() as store, store.respond(lambda _: Scripted(503)):
        assert asyncio.run(scenario(store.connection_string)) > 5
