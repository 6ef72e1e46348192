"""A callback's own trouble stays its own, and async callbacks are awaited."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError

from appconfig_provider import ChangeSet, aio, load
from appconfig_provider.testing import Emulator, FakeClock, Scripted
from tests.support.adapter import LOADERS, Loader, Opener, Provider

TROUBLE = [ValueError("mine"), ServiceRequestError("another Azure client of the callback's")]
Load = Callable[..., Provider]


@pytest.fixture
def load_watched(opened: Opener, store: Emulator) -> Load:
    """Load one setting and watch one sentinel, with the keywords a test adds."""
    store.set("message", "old")
    store.set("sentinel", "1")

    def load(**keywords: object) -> Provider:
        return opened(
            connection_string=store.connection_string, refresh_on=["sentinel"], **keywords
        )

    return load


def deploy(store: Emulator, clock: FakeClock, version: str) -> None:
    store.set("message", version)
    store.set("sentinel", version)
    clock.advance(30)


def raising(error: Exception) -> Callable[[], None]:
    def callback() -> None:
        raise error

    return callback


@pytest.mark.parametrize("error", TROUBLE, ids=["own", "azure"])
def test_what_a_success_callback_raises_does_not_escape_refresh(
    store: Emulator, clock: FakeClock, load_watched: Load, error: Exception
) -> None:
    """A success callback that raises leaves `refresh()` True and the other callbacks called."""
    called: list[str] = []
    config = load_watched(on_refresh_success=[raising(error), lambda: called.append("second")])
    deploy(store, clock, "2")
    assert config.refresh()
    assert config.provider["message"] == "2"
    assert called == ["second"]


@pytest.mark.parametrize("error", TROUBLE, ids=["own", "azure"])
def test_what_a_success_callback_raises_is_not_booked_as_an_outage(
    store: Emulator, clock: FakeClock, load_watched: Load, error: Exception
) -> None:
    """No back-off, no last error, no error callback: the store did nothing wrong."""
    reported: list[Exception] = []
    config = load_watched(on_refresh_success=raising(error), on_refresh_error=reported.append)
    for version in "234":
        deploy(store, clock, version)
        assert config.refresh()
        assert config.status.last_error is None
        assert config.status.backoff_until is None
    assert reported == []


def test_what_a_callback_raises_is_logged_with_its_place(
    store: Emulator,
    clock: FakeClock,
    load_watched: Load,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says what a callback raised and where, because nobody else is told."""
    error = ValueError("mine")
    config = load_watched(on_refresh_success=raising(error))
    deploy(store, clock, "2")
    config.refresh()
    (record,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert record.name.startswith("appconfig_provider")
    assert "ValueError raised at" in record.getMessage()
    assert "mine" not in record.getMessage()


def test_what_an_error_callback_raises_changes_nothing(
    store: Emulator, clock: FakeClock, load_watched: Load
) -> None:
    """An error callback that raises neither escapes nor replaces the error it was told."""
    reported: list[Exception] = []
    config = load_watched(
        on_refresh_error=[raising(ValueError("mine")), reported.append], retry_total=0
    )
    clock.advance(30)
    with store.respond(lambda _: Scripted(503)):
        assert not config.refresh()
    assert reported == [config.status.last_error]


def test_callbacks_run_after_the_swap_and_a_refresh_inside_them_is_refused(
    load: Loader, opened: Opener, store: Emulator, clock: FakeClock
) -> None:
    """Inside a callback the new values are readable, and `refresh()` returns False."""
    seen: list[object] = []
    store.set("sentinel", "1")

    def look() -> None:
        seen.append(provider["message"])
        seen.append(provider.refresh(force=True))

    async def look_async() -> None:
        seen.append(provider["message"])
        seen.append(await provider.refresh(force=True))

    config = opened(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        on_refresh_success=look if load is LOADERS["sync"] else look_async,
    )
    provider: Any = config.provider
    deploy(store, clock, "2")
    assert config.refresh()
    assert seen == ["2", False]


def test_callbacks_are_called_once_per_new_generation(
    store: Emulator, clock: FakeClock, load_watched: Load
) -> None:
    """Not at the start, not for a refresh that finds nothing, once for each that publishes."""
    news: list[ChangeSet] = []
    config = load_watched(on_refresh_success=news.append)
    clock.advance(30)
    config.refresh()
    config.refresh(force=True)
    assert news == []
    deploy(store, clock, "2")
    config.refresh()
    config.refresh(force=True)
    assert news == [ChangeSet(changed=("message", "sentinel"))]


@pytest.mark.parametrize("load", ["aio"], indirect=True)
def test_async_takes_coroutine_functions_and_plain_ones(
    store: Emulator, clock: FakeClock, load_watched: Load
) -> None:
    """In aio both kinds are called in order, and coroutines are awaited before refresh returns."""
    called: list[str] = []

    async def awaited(changes: ChangeSet) -> None:
        await asyncio.sleep(0)
        called.append("awaited " + ",".join(changes.changed))

    class Awaitable:
        async def __call__(self) -> None:
            await asyncio.sleep(0)
            called.append("object")

    config = load_watched(on_refresh_success=[awaited, lambda: called.append("plain"), Awaitable()])
    deploy(store, clock, "2")
    assert config.refresh()
    assert called == ["awaited message,sentinel", "plain", "object"]


@pytest.mark.parametrize("load", ["aio"], indirect=True)
def test_async_awaits_error_callbacks_too(
    store: Emulator, clock: FakeClock, load_watched: Load
) -> None:
    """A coroutine `on_refresh_error` is awaited with the error of the attempt."""
    reported: list[Exception] = []

    async def report(error: Exception) -> None:
        await asyncio.sleep(0)
        reported.append(error)

    config = load_watched(on_refresh_error=report, retry_total=0)
    clock.advance(30)
    with store.respond(lambda _: Scripted(503)):
        assert not config.refresh()
    assert reported == [config.status.last_error]


@pytest.mark.parametrize("load", ["aio"], indirect=True)
def test_what_a_coroutine_callback_raises_does_not_escape(
    store: Emulator, clock: FakeClock, load_watched: Load
) -> None:
    """An exception behind an await is isolated like any other."""
    called: list[str] = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ServiceRequestError("mine")

    config = load_watched(on_refresh_success=[fail, lambda: called.append("second")])
    deploy(store, clock, "2")
    assert config.refresh()
    assert called == ["second"]
    assert config.status.last_error is None


def test_a_generation_that_was_not_published_is_not_announced() -> None:
    """A refresh that ends after close() publishes nothing and announces nothing."""
    with Emulator() as store:
        called: list[Any] = []
        config = load(
            connection_string=store.connection_string,
            refresh_on=["s"],
            on_refresh_success=called.append,
        )
        store.set("s", "1")
        with store.after_answer(lambda _: config.close()):
            assert not config.refresh(force=True)
        assert "s" not in config
        assert called == []


@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10 cannot tell whose cancellation it is"
)
def test_a_cancelled_error_inside_a_callback_does_not_escape() -> None:
    """A cancellation inside a callback is that callback's own trouble."""

    async def main() -> None:
        called: list[str] = []

        async def callback() -> None:
            task = asyncio.ensure_future(asyncio.sleep(10))
            task.cancel()
            await task

        with Emulator() as store:
            config = await aio.load(
                connection_string=store.connection_string,
                refresh_on=["s"],
                on_refresh_success=[callback, lambda: called.append("second")],
            )
            store.set("s", "1")
            async with config:
                assert await config.refresh(force=True)
            assert called == ["second"]

    asyncio.run(main())
