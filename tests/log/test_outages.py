"""An outage of the store is told from its beginning to its end."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from appconfig_provider.testing import Emulator, FakeClock, Scripted
from tests.support.adapter import Loader, Provider


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with a replica."""
    with Emulator(clock=clock, replicas=1) as emulator:
        emulator.set("sentinel", "1")
        yield emulator


def keywords(store: Emulator, *, replicas: bool = False, **more: object) -> dict[str, object]:
    """Return how the store is loaded, alone or with its replica."""
    given = [replica.connection_string for replica in store.replicas] if replicas else []
    return {
        "connection_string": store.connection_string,
        "replicas": given,
        "refresh_on": ["sentinel"],
        "retry_total": 0,
        **more,
    }


def lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Return the lines of a level but that of the first load."""
    return [
        one.getMessage()
        for one in caplog.records
        if one.name == "appconfig_provider"
        and one.levelno == level
        and "(loaded)" not in one.getMessage()
    ]


def live(config: Provider, clock: FakeClock, seconds: int) -> list[float]:
    """Call `refresh()` every second; return in which of them something was attempted."""
    attempts = []
    for second in range(1, seconds + 1):
        clock.advance(1)
        before = config.status.last_attempt
        config.refresh()
        if config.status.last_attempt != before:
            attempts.append(float(second))
    return attempts


def test_an_outage_says_when_the_next_try_is_and_when_it_is_over(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each warning tells the pause that is then made; the answer after them is one INFO line."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    with load(**keywords(store)) as config:
        with store.respond(lambda _: Scripted(503)):
            tried = live(config, clock, 400)
        messages = [re.search(r"; next try in (\d+) s$", line) for line in lines(caplog, 30)]
        pauses = [float(found[1]) for found in messages if found]
        assert len(pauses) == len(messages) == len(tried) > 2
        made = [later - earlier for earlier, later in pairwise(tried)]
        assert pauses[:-1] == pytest.approx(made, abs=1.5)
        assert "next try" not in str(config.status.last_error)
        assert lines(caplog, logging.INFO) == []
        live(config, clock, 900)
        assert lines(caplog, logging.INFO) == [f"{store.endpoint} answers again"]


def test_the_end_is_reported_where_endpoints_take_turns(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One line after an outage of all, and none after that of one."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    (replica,) = store.replicas
    with load(**keywords(store, replicas=True, load_balancing_enabled=True)) as config:
        with store.respond(lambda _: Scripted(503)):
            live(config, clock, 200)
            assert lines(caplog, logging.INFO) == []
            with replica.respond(lambda _: Scripted(503)):
                live(config, clock, 200)
        live(config, clock, 1500)
        (line,) = lines(caplog, logging.INFO)
        assert re.fullmatch(r"http://\S+ answers again", line)


def test_the_end_is_not_reported_twice(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Where another endpoint answers after an outage, the line of the failover says it."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    (replica,) = store.replicas
    with load(**keywords(store, replicas=True)) as config:
        with store.respond(lambda _: Scripted(429, {"Retry-After": "500"})):
            with replica.respond(lambda _: Scripted(503)):
                live(config, clock, 40)
            live(config, clock, 100)
        failover = f"failover from {store.endpoint} to {replica.endpoint}: it is backing off"
        assert lines(caplog, logging.INFO) == [failover]


def test_a_first_load_that_waits_says_nothing_of_an_outage(
    load: Loader, store: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """It has never been answered before, and its own line says that it was loaded."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    answers = [Scripted(503)]
    with (
        store.respond(lambda _: answers.pop() if answers else None),
        load(**keywords(store, startup_timeout=2)),
    ):
        pass
    assert lines(caplog, logging.INFO) == []
