"""What operators see: one log line a change, and a status that says how it goes."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest

from appconfig_provider.models import ConfigurationSetting
from appconfig_provider.testing import Emulator, FakeClock, Scripted
from tests.support.adapter import Loader


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with two endpoints."""
    with Emulator(clock=clock, replicas=1) as emulator:
        emulator.set_many({"k": "secret-1", "gone": "secret-2", "sentinel": "secret-3"})
        yield emulator


def changes_reported(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return the INFO lines but that of the first load."""
    reported = [one for one in caplog.records if one.levelno == logging.INFO]
    return [one for one in reported if "(loaded)" not in one.getMessage()]


def keywords(store: Emulator, **more: object) -> dict[str, object]:
    """Return how the store is loaded."""
    return {
        "connection_string": store.connection_string,
        "refresh_on": ["sentinel"],
        "retry_total": 0,
        **more,
    }


def test_one_line_a_change(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A change is one INFO line with version, reason, keys, requests and time, never a value."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    with load(**keywords(store)) as config:
        sent = config.status.requests_sent
        store.delete("gone")
        store.set_many({"k": "secret-4", "new": "secret-5", "sentinel": "secret-6"})
        with store.before_answer(lambda _: clock.advance(0.5)):
            assert config.refresh(force=True)
        sent = config.status.requests_sent - sent
        assert not config.refresh(force=True)
    (line,) = changes_reported(caplog)
    assert line.name == "appconfig_provider"
    assert line.getMessage() == (
        "configuration version 2 (forced): added new; changed k, sentinel; removed gone; "
        f"{sent} requests, {500 * sent} ms"
    )
    assert "secret-" not in caplog.text


def test_a_change_of_nothing_and_of_very_much(
    load: Loader, store: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A moved sentinel alone is a line too, and a line names at most twenty keys of a kind."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    with load(**keywords(store, selects=[])) as config:
        store.set("sentinel", "2")
        assert config.refresh(force=True)
    with load(**keywords(store)) as config:
        store.set_many({f"x{number:02}": "1" for number in range(25)})
        store.set("sentinel", "3")
        assert config.refresh(force=True)
    first, second = (one.getMessage() for one in changes_reported(caplog))
    assert re.match(r"configuration version 2 \(forced\): no key differs; \d+ requests", first)
    assert "x19 and 5 more; changed sentinel; " in second


def test_a_key_cannot_forge_a_line(
    load: Loader, store: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A key with a line break, as a mapper may make one, stays within the one line."""
    caplog.set_level(logging.INFO, "appconfig_provider")

    def forging(one: ConfigurationSetting) -> None:
        one.key += "\nconfiguration version 9\x1b[2J" if one.key == "x" else ""

    with load(**keywords(store, configuration_mapper=forging)) as config:
        store.set("x", "1")
        store.set("sentinel", "2")
        assert config.refresh(force=True)
        assert "x\nconfiguration version 9\x1b[2J" in config.snapshot
    (line,) = [one.getMessage() for one in changes_reported(caplog)]
    assert line.isprintable()
    assert r"added 'x\nconfiguration version 9\x1b[2J'" in line


def at(clock: FakeClock) -> datetime:
    """Return the time of day."""
    return datetime.fromtimestamp(clock.time(), timezone.utc)


def test_status_after_a_load_and_after_success(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """After a load and after each check that was answered, all fields say so."""
    with load(**keywords(store)) as config:
        status = config.status
        assert (status.generation, status.last_error, status.stale) == (1, None, False)
        assert status.last_success is not None
        assert (status.age, status.backoff_until) == (0, None)
        assert (status.endpoint, status.requests_sent) == (store.endpoint, 3)
        clock.advance(40)
        assert config.status.age == pytest.approx(40)
        config.refresh()
        status = config.status
        assert status.last_attempt == status.last_success == at(clock)
        assert (status.age, status.requests_sent, status.generation) == (0, 4, 1)
        store.set("sentinel", "2")
        config.refresh(force=True)
        assert config.status.generation == 2


def test_status_after_failure_and_during_back_off(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """After a failure attempt and error are reported, age goes on, and back-off has its end."""
    with load(**keywords(store)) as config:
        loaded = config.status.last_success
        clock.advance(40)
        with store.respond(lambda _: Scripted(503)):
            assert not config.refresh()
        status = config.status
        assert (status.last_attempt, status.last_success) == (at(clock), loaded)
        assert "503" in str(status.last_error)
        assert status.age == pytest.approx(40)
        assert status.generation == 1
        assert status.backoff_until is not None
        assert 30 <= (status.backoff_until - at(clock)).total_seconds() <= 37.5
        assert not status.stale
        clock.advance(38)
        assert config.status.backoff_until is None
        config.refresh()
        status = config.status
        assert (status.last_error, status.age) == (None, 0)
        assert status.last_success == at(clock)


def test_status_after_failover(load: Loader, store: Emulator) -> None:
    """The endpoint is the one that answered last; while another is free nothing backs off."""
    replica = store.replicas[0]
    with load(**keywords(store, replicas=[replica.connection_string])) as config:
        assert config.status.endpoint == store.endpoint
        with store.respond(lambda _: Scripted(503)):
            config.refresh(force=True)
        status = config.status
        assert (status.endpoint, status.backoff_until) == (replica.endpoint, None)
        assert status.last_error is None
        assert status.age == pytest.approx(0)
        config.refresh(force=True)
        assert config.status.endpoint == store.endpoint


def test_healthy(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """Healthy is: the store confirmed what is served within so many seconds."""
    with load(**keywords(store)) as config:
        clock.advance(60)
        assert config.status.healthy(60)
        assert not config.status.healthy(59.9)
        with store.respond(lambda _: Scripted(503)):
            config.refresh()
        assert not config.status.healthy(59.9)
        config.refresh(force=True)
        assert config.status.healthy(0)
