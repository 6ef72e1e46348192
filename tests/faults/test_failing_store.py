"""A store in trouble: old values stay, refresh() never raises, all waiting is bounded."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from appconfig_provider.errors import AzureError, HttpResponseError, StartupTimeout
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord, Scripted
from tests.support.adapter import Loader
from tests.support.raw_server import (
    Behaviour,
    babbling,
    cut_off,
    dripping,
    hanging_up,
    raw_server,
    silent,
)


@contextmanager
def virtual_store() -> Iterator[tuple[FakeClock, Emulator]]:
    """Give a store and a clock that both sides live by."""
    with FakeClock() as clock, Emulator(clock=clock) as store:
        store.set_many({"k": "v1", "sentinel": "1"})
        yield clock, store


def keywords(store: Emulator, **more: object) -> dict[str, object]:
    """Return how the store is loaded."""
    return {
        "connection_string": store.connection_string,
        "refresh_on": ["sentinel"],
        "retry_total": 0,
        **more,
    }


STATUSES = [400, 401, 403, 408, 429, 500, 502, 503, 504]


@pytest.mark.parametrize("status", STATUSES)
def test_refresh_keeps_the_old_values_and_tells_the_error(
    load: Loader, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the store answers, refresh() returns False, warns once and tells the error."""
    errors: list[Exception] = []
    with (
        virtual_store() as (_, store),
        load(**keywords(store, on_refresh_error=errors.append)) as config,
    ):
        store.set("k", "v2")
        store.set("sentinel", "2")
        with store.respond(lambda _: Scripted(status=status)):
            assert config.refresh(force=True) is False
        assert config.snapshot["k"] == "v1"
        (error,) = errors
        assert isinstance(error, HttpResponseError)
        assert error.status_code == status
        assert config.status.last_error is error
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert len(warnings) == 1
        assert config.refresh(force=True) is True
        assert config.snapshot["k"] == "v2"
        assert config.status.last_error is None


def test_a_failing_listing_loses_nothing(load: Loader) -> None:
    """When the sentinel answers and the data does not, the change is still found next time."""
    with virtual_store() as (_, store), load(**keywords(store)) as config:
        store.set("k", "v2")
        store.set("sentinel", "2")

        def no_data(record: RequestRecord) -> Scripted | None:
            return Scripted(status=503) if record.target.startswith("/kv?") else None

        with store.respond(no_data):
            assert config.refresh(force=True) is False
        assert config.refresh(force=True) is True
        assert config.snapshot["k"] == "v2"


def test_while_backing_off_refresh_is_as_quiet_as_when_nothing_is_due(load: Loader) -> None:
    """A failure is followed by silence: no request, no callback, no exception until it is time."""
    errors: list[Exception] = []
    with (
        virtual_store() as (clock, store),
        load(**keywords(store, on_refresh_error=errors.append)) as config,
    ):
        hook = store.respond(lambda _: Scripted(status=503))
        clock.advance(30)
        store.clear_requests()
        for _ in range(200):
            config.refresh()
            clock.advance(0.1)
        assert len(store.requests) == 1
        assert len(errors) == 1
        assert config.status.backoff_until is not None
        hook.remove()
        store.set("k", "v2")
        store.set("sentinel", "2")
        clock.advance(20)
        assert config.refresh() is True
        assert config.status.backoff_until is None


def test_back_off_grows_and_every_failed_attempt_is_reported(load: Loader) -> None:
    """An hour of outage costs ten attempts, each reported; one success resets the back-off."""
    errors: list[Exception] = []
    attempts: list[float] = []
    with (
        virtual_store() as (clock, store),
        load(**keywords(store, on_refresh_error=errors.append)) as config,
    ):
        hook = store.respond(lambda _: Scripted(status=503))
        for _ in range(3_600):
            reported = len(errors)
            config.refresh()
            if len(errors) > reported:
                attempts.append(clock.monotonic())
            clock.advance(1)
        pauses = [later - earlier for earlier, later in itertools.pairwise(attempts)]
        assert all(30 <= pause <= 601 for pause in pauses)
        assert pauses[:4] == sorted(pauses[:4])
        assert 8 <= len(attempts) <= 12
        hook.remove()
        clock.advance(600)
        config.refresh()
        hook = store.respond(lambda _: Scripted(status=503))
        clock.advance(30)
        config.refresh()
        clock.advance(38)
        config.refresh()
        assert len(errors) == len(attempts) + 2


def test_exceptions_of_callbacks_change_nothing(
    load: Loader, caplog: pytest.LogCaptureFixture
) -> None:
    """A callback that raises is logged by its name; the others run, the result stands."""
    called: list[str] = []

    def broken() -> None:
        raise AzureError("the callback's own trouble")

    with (
        virtual_store() as (_, store),
        load(
            **keywords(
                store,
                on_refresh_success=[broken, lambda: called.append("success")],
                on_refresh_error=[broken, lambda: called.append("error")],
            )
        ) as config,
    ):
        store.set("sentinel", "2")
        assert config.refresh(force=True) is True
        assert config.status.last_error is None
        with store.respond(lambda _: Scripted(status=500)):
            assert config.refresh(force=True) is False
        assert called == ["success", "error"]
        reported = [record for record in caplog.records if "broken failed" in record.getMessage()]
        assert len(reported) == 2
        assert config.refresh(force=True) is False


def test_a_refresh_inside_a_callback_returns_false(store: Emulator) -> None:
    """Callbacks run while the flag is held, so they come once per publish."""
    import appconfig_provider

    store.set("sentinel", "1")
    inner: list[bool] = []

    def changed() -> None:
        store.set("sentinel", f"{len(inner)} more")
        inner.append(config.refresh(force=True))

    with appconfig_provider.load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        on_refresh_success=changed,
    ) as config:
        store.set("sentinel", "2")
        assert config.refresh(force=True)
        assert inner == [False]


def test_a_long_retry_after_does_not_hold_refresh(load: Loader) -> None:
    """Retry-After beyond the patience becomes back-off; refresh() comes back at once."""
    with virtual_store() as (clock, store), load(**keywords(store, retry_total=2)) as config:
        began = clock.monotonic()
        with store.respond(lambda _: Scripted(status=429, headers={"Retry-After": "120"})):
            config.refresh(force=True)
        assert clock.monotonic() - began < 1
        clock.advance(119)
        store.clear_requests()
        config.refresh()
        assert store.requests == []
        clock.advance(2)
        config.refresh()
        assert len(store.requests) == 1


@pytest.mark.parametrize("behave", [silent, cut_off, dripping, hanging_up, babbling])
def test_load_ends_within_its_budget(load: Loader, behave: Behaviour) -> None:
    """Whatever a server does to the connection, load() is over when startup_timeout is."""
    before = threading.active_count()
    with raw_server(behave) as connection_string:
        began = time.monotonic()
        with (
            pytest.raises(StartupTimeout) as caught,
            load(connection_string=connection_string, startup_timeout=0.6, refresh_on=["s"]),
        ):
            pass
        elapsed = time.monotonic() - began
    assert elapsed < 1.2
    assert caught.value.causes
    assert caught.value.__cause__ is None
    assert threading.active_count() <= before


@pytest.mark.parametrize("behave", [silent, cut_off, dripping, hanging_up, babbling])
def test_the_second_endpoint_still_gets_its_turn(
    load: Loader, store: Emulator, behave: Behaviour
) -> None:
    """With a broken first endpoint the second is asked before the budget is used up."""
    store.set("k", "v1")
    with raw_server(behave) as broken:
        began = time.monotonic()
        with load(
            connection_string=broken,
            replicas=[store.connection_string],
            startup_timeout=2,
            read_timeout=0.5,
        ) as config:
            assert config.snapshot["k"] == "v1"
            assert config.status.endpoint == store.endpoint
        assert time.monotonic() - began < 2


def test_a_refused_connection_is_reported_with_its_cause(load: Loader) -> None:
    """Nobody listening: the error names the endpoint and keeps the chain of causes."""
    with (
        pytest.raises(StartupTimeout, match=r"127\.0\.0\.1:1: no connection") as caught,
        load(
            connection_string="Endpoint=http://127.0.0.1:1;Id=i;Secret=c2VjcmV0", startup_timeout=0
        ),
    ):
        pass
    assert "c2VjcmV0" not in str(caught.value)


def test_a_budget_is_used_before_load_gives_up(load: Loader) -> None:
    """A store that comes up within the budget is found, though the first tries failed."""
    with FakeClock() as clock, Emulator(clock=clock) as store:
        store.set("k", "v1")
        began = clock.monotonic()

        def still_down(_: RequestRecord) -> Scripted | None:
            return Scripted(status=503) if clock.monotonic() - began < 8 else None

        store.respond(still_down)
        with load(
            connection_string=store.connection_string, startup_timeout=10, retry_total=0
        ) as config:
            assert config.snapshot["k"] == "v1"
