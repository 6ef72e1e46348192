"""Whatever a server answers, in any way of reaching it, costs its share of time and no more.

Every defect is met at every place of an answer, through every kind of connection, sync and aio,
and always beside a healthy replica. The rule: nothing is raised, the replica's values are there
within the time that was allowed and half a second, and the connection is not used again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from appconfig_provider import load as load_sync
from tests.support.adapter import Loader, Provider
from tests.support.hostile import ANSWERS, STRAY, Defect
from tests.support.hostile_scenes import ALLOWED, LIMIT, PAGES, WAYS, Scene, scene

pytestmark = pytest.mark.unmeasured  # under a tracer, threads are slow

SLACK = 0.5


def _loads(load: Loader, way: str, defect: Defect) -> str:
    """Load beside a bad endpoint; return what broke the rule, or nothing."""
    with scene(way) as here:
        slowness = _seconds(lambda: _load_once(load, here))
        here.server.defect = defect
        began = time.monotonic()
        with load(**here.keywords) as config:
            took = time.monotonic() - began - slowness
            return _judged(here, took, ALLOWED, dict(config.snapshot), "v1")


def _refreshes(load: Loader, way: str, defect: Defect) -> str:
    """Refresh when an endpoint turns bad; return what broke the rule, or nothing."""
    with scene(way) as here, load(**here.keywords | {"startup_timeout": 20}) as config:
        if config.status.endpoint == here.store.endpoint:
            return "the endpoint was bad from the beginning"
        here.publish("v2")
        slowness = _seconds(lambda: config.refresh(force=True))
        here.publish("v3")
        here.server.defect = defect
        began = time.monotonic()
        published = config.refresh(force=True)
        took = time.monotonic() - began - slowness
        if not published:
            return f"not published: {config.status.last_error!r}"
        return _judged(here, took, 2 * LIMIT, dict(config.snapshot), "v3")


def _load_once(load: Loader, here: Scene) -> None:
    with load(**here.keywords | {"startup_timeout": 20}):
        pass


def _seconds(work: Callable[[], object]) -> float:
    """Return how long it takes where all is well: so much more a busy machine needs."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _judged(here: Scene, took: float, allowed: float, values: dict[str, Any], value: str) -> str:
    if took > allowed + SLACK:
        return f"took {took:.2f} s"
    if set(values.values()) != {value} or len(values) != PAGES + 1:
        return f"holds {values}"
    if here.server.used_again:
        return "the connection was used again"
    return "" if here.server.spoilt else "nothing bad was answered"


def _breaches(jobs: dict[str, Callable[[], str]], workers: int) -> dict[str, str]:
    """Do all jobs; one that broke the rule among others is done again, alone."""
    with ThreadPoolExecutor(workers) as pool:
        futures = {name: pool.submit(job) for name, job in jobs.items()}
        found = {name: _outcome(future.result) for name, future in futures.items()}
    for _ in range(2):
        for name in [name for name, breach in found.items() if breach]:
            found[name] = _outcome(jobs[name])
    return {name: breach for name, breach in found.items() if breach}


def _outcome(job: Callable[[], str]) -> str:
    try:
        return job()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


_WAYS = [pytest.param(way, marks=[] if way == "direct" else [pytest.mark.heavy]) for way in WAYS]
"""All but the first are left to `make test-full`: all of them wait for real time limits."""


@pytest.mark.parametrize("job", [_loads, _refreshes], ids=["load", "refresh"])
@pytest.mark.parametrize("way", _WAYS)
def test_a_bad_answer_costs_its_share_of_time_and_the_replica_answers(
    load: Loader, way: str, job: Callable[[Loader, str, Defect], str]
) -> None:
    """No defect at any place of an answer raises, outlasts its time, or hides the replica."""

    def of(defect: Defect) -> Callable[[], str]:
        return lambda: job(load, way, defect)

    jobs = {f"{kind} in {place}": of(defect) for (place, kind), defect in ANSWERS.items()}
    assert _breaches(jobs, 6) == {}


@pytest.mark.parametrize(
    "place", ["status line", "header", "interim answer", "chunk extension", "trailer"]
)
def test_a_drip_ends_with_threads_too(place: str) -> None:
    """A server that sends a byte now and then is left at the end of its time."""
    errors: list[Exception] = []

    def try_to_load(keywords: dict[str, Any]) -> None:
        try:
            load_sync(**keywords)
        except Exception as error:
            errors.append(error)

    with scene("direct") as here:
        here.server.defect = ANSWERS[place, "drip"]
        keywords = here.keywords | {"replicas": []}
        thread = threading.Thread(target=try_to_load, args=(keywords,), daemon=True)
        thread.start()
        thread.join(ALLOWED + 5)
        assert not thread.is_alive()
    assert "time" in str(errors[0])


@pytest.mark.parametrize("way", ["direct", "TLS", "HTTP proxy", "TLS by https proxy"])
@pytest.mark.parametrize("stray", STRAY)
def test_what_nobody_asked_for_is_never_an_answer(load: Loader, way: str, stray: str) -> None:
    """With something behind each answer, every generation is whole and of one deployment."""
    with scene(way, pages=12) as here:
        keywords = here.keywords | {"replicas": [], "startup_timeout": 20, "read_timeout": 5}
        with load(**keywords) as config:
            here.server.behind = STRAY[stray]
            for number in range(3):
                here.publish(f"v{number}")
                _refreshed_to(config, f"v{number}")
                assert len(config.snapshot) == 13


def _refreshed_to(config: Provider, value: str) -> None:
    """Refresh until a deployment is served; what is served meanwhile is whole.

    What comes with an answer is refused at once. On a busy machine it may come so late that the
    next request was written before; then that refresh is given up, and the next one heals it.
    """
    until = time.monotonic() + 10
    while config.snapshot["sentinel"] != value:
        assert time.monotonic() < until, config.status.last_error
        config.refresh(force=True)
        assert len(set(config.snapshot.values())) == 1
    assert set(config.snapshot.values()) == {value}


@pytest.mark.parametrize("way", ["direct", "TLS"])
@pytest.mark.parametrize("stray", ["304", "garbage"])
def test_what_came_after_the_next_request_heals_once_the_server_is_well(
    load: Loader, way: str, stray: str
) -> None:
    """What comes too late to be told from an answer is found out, and everything is read anew.

    On a busy machine an answer may be on its way still when the next check begins, and spoil that.
    """
    with scene(way, pages=12) as here:
        keywords = here.keywords | {"replicas": [], "startup_timeout": 20, "read_timeout": 5}
        with load(**keywords) as config:
            for number in range(3):
                here.publish(f"v{number}")
                here.server.behind, here.server.late = STRAY[stray], 0.002
                config.refresh(force=True)
                here.server.behind, here.server.late = b"", 0.0
                until = time.monotonic() + 5
                while not config.refresh(force=True) and config.status.last_error:
                    assert time.monotonic() < until, config.status.last_error
                    time.sleep(0.05)  # for the server to be done with what it is sending
                assert set(config.snapshot.values()) == {f"v{number}"}
                assert len(config.snapshot) == 13
                assert config.status.last_error is None


def test_a_stray_304_hides_no_page(load: Loader) -> None:
    """An extra 304 behind every answer of a reload tears no generation."""
    with scene("direct", pages=40) as here:
        keywords = here.keywords | {"replicas": [], "startup_timeout": 20, "read_timeout": 5}
        with load(**keywords) as config:
            here.server.behind = STRAY["304"]
            for number in range(10):
                here.publish(f"v{number}")
                _refreshed_to(config, f"v{number}")


def test_what_was_displaced_before_a_slow_page_is_found_by_the_next_check(load: Loader) -> None:
    """A stray 304 before a page that takes long spoils one generation at most."""
    with scene("direct", pages=8) as here:
        keywords = here.keywords | {"replicas": [], "startup_timeout": 20, "read_timeout": 5}
        with load(**keywords) as config:
            here.publish("v2")
            here.server.pace = 0.02  # so that several connections are used
            here.server.displaced = b"after="
            config.refresh(force=True)
            time.sleep(1)
            config.refresh(force=True)
            assert set(config.snapshot.values()) == {"v2"}
            assert len(config.snapshot) == 9


@pytest.mark.parametrize("goodbye", [b"HTTP/1.1 408 Request Time-out\r\n\r\n", b""])
def test_a_server_may_end_an_idle_connection_with_an_answer(
    load: Loader, goodbye: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A 408 on an idle connection is an end like any other: nothing is distrusted for it."""
    with scene("direct") as here:
        keywords = here.keywords | {"replicas": [], "startup_timeout": 20, "read_timeout": 5}
        with load(**keywords) as config:
            here.server.behind, here.server.late = goodbye, 0.05
            config.refresh(force=True)
            time.sleep(0.2)
            here.server.behind, here.server.late = b"", 0.0
            assert config.refresh(force=True) is False
            assert config.status.last_error is None
    assert "more than it was asked for" not in caplog.text
