"""`consistency="point_in_time"`: all pages of a load show the store at one time.

Providers and the store live by a clock that the test moves; the store's `Date` header tells it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.startup import start
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider._plan import Request, Response
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord
from tests.support.adapter import Loader
from tests.support.content import FLAG_TYPE
from tests.support.scripted import (
    CONNECTION,
    ScriptedDriver,
    context_for,
    page,
    setting,
    single,
    status,
)

FLAG = ".appconfig.featureflag/"
WATCHES: dict[str, dict[str, object]] = {
    "sentinel": {"refresh_on": ["sentinel"]},
    "watch-all": {"refresh_enabled": True},
    "flags": {"feature_flag_enabled": True, "feature_flag_refresh_enabled": True},
    "both": {
        "refresh_on": ["sentinel"],
        "feature_flag_enabled": True,
        "feature_flag_refresh_enabled": True,
    },
}


def write(store: Emulator, version: str) -> None:
    """Write settings and flags on many pages, and the sentinel last."""
    for name in ("a", "b", "c"):
        store.set(name, version)
        text = {"id": name, "enabled": True, "description": version}
        store.set(FLAG + name, json.dumps(text), content_type=FLAG_TYPE)
    store.set("sentinel", version)


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """Give the clock that everybody lives by."""
    with FakeClock(1_000_000_000.5) as fake:
        yield fake


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with one setting a page, written a while ago."""
    with Emulator(page_size=1, clock=clock) as emulator:
        write(emulator, "1")
        clock.advance(2)
        yield emulator


def keywords(store: Emulator, watch: str) -> dict[str, object]:
    """Return how the store is loaded."""
    return {
        "connection_string": store.connection_string,
        "consistency": "point_in_time",
        **WATCHES[watch],
    }


def versions(snapshot: Mapping[str, object]) -> list[object]:
    """Return the version of each setting and each flag."""
    found = [snapshot[name] for name in ("a", "b", "c")]
    management: object = snapshot.get("feature_management", {"feature_flags": []})
    assert isinstance(management, dict)
    return found + [flag["description"] for flag in management["feature_flags"]]


@contextmanager
def writing_between_pages(store: Emulator, version: str) -> Iterator[None]:
    """Write everything but the sentinel once, after the first page was answered."""
    pages: list[RequestRecord] = []

    def second_page(record: RequestRecord) -> None:
        if record.target.startswith("/kv?"):
            pages.append(record)
            if len(pages) == 2:
                for name in ("a", "b", "c"):
                    store.set(name, version)
                    text = {"id": name, "enabled": True, "description": version}
                    store.set(FLAG + name, json.dumps(text), content_type=FLAG_TYPE)

    with store.before_answer(second_page):
        yield
    assert len(pages) > 2, "the write was meant to be between two pages"


def moments(store: Emulator) -> list[str]:
    """Return the points in time that the pages were asked for, "" for the present."""
    pages = [one for one in store.requests if one.target.startswith("/kv?")]
    return sorted({one.headers.get("accept-datetime", "") for one in pages})


@pytest.mark.parametrize("watch", WATCHES)
def test_a_load_shows_one_point_in_time(
    load: Loader, store: Emulator, clock: FakeClock, watch: str
) -> None:
    """A write between two pages of a load is not seen by it, but by the next refresh."""
    with writing_between_pages(store, "2"), load(**keywords(store, watch)) as config:
        assert set(versions(config.snapshot)) == {"1"}
        assert len(moments(store)) == 1
        assert moments(store) != [""]
        store.set("sentinel", "2")
        clock.advance(2)
        config.refresh(force=True)
        newest = {"1", "2"} if watch == "flags" else {"2"}  # then settings are not checked
        assert set(versions(config.snapshot)) == newest


@pytest.mark.parametrize("watch", ["sentinel", "both"])
def test_a_reload_shows_one_point_in_time(load: Loader, store: Emulator, watch: str) -> None:
    """A reload that a sentinel caused asks all its pages, flags included, for one point in time.

    The sentinel was written in the second that is running: that second is waited for, so that what
    was written before the sentinel is seen.
    """
    with load(**keywords(store, watch)) as config:
        write(store, "2")
        assert config.refresh(force=True)
        assert set(versions(config.snapshot)) == {"2"}
        write(store, "3")
        with writing_between_pages(store, "between"):
            assert config.refresh(force=True)
        # With flags due, these are listed first: the write may be before the moment then.
        assert set(versions(config.snapshot)) == ({"3"} if watch == "sentinel" else {"between"})


def asked(load: Loader, store: Emulator, watch: str, **more: object) -> list[str]:
    """Return the methods of the requests of a load."""
    store.clear_requests()
    with load(**{**keywords(store, watch), **more}):
        return [one.method for one in store.requests]


@pytest.mark.parametrize("watch", WATCHES)
def test_it_costs_one_request_more(load: Loader, store: Emulator, watch: str) -> None:
    """A load at one point in time makes the requests of any load and one HEAD."""
    usual = asked(load, store, watch, consistency=None)
    pinned = asked(load, store, watch)
    assert sorted(pinned) == sorted([*usual, "HEAD"])


def test_a_refresh_that_lists_nothing_asks_for_no_time(load: Loader, store: Emulator) -> None:
    """Sentinels that have not moved cost what they always do."""
    with load(**keywords(store, "sentinel")) as config:
        store.clear_requests()
        config.refresh(force=True)
        assert [one.method for one in store.requests] == ["GET"]


class Scripted:
    """A store of one page in virtual time, whose answers to HEAD and listings a test scripts."""

    def __init__(self, date: Callable[[], str | None], memento: str | None, modified: str) -> None:
        self.date = date
        self.memento = memento
        self.modified = modified

    def __call__(self, request: Request) -> Response:
        if request.method == "HEAD":
            date = self.date()
            return status(200, {} if date is None else {"date": date})
        if request.target.startswith("/kv/sentinel"):
            return single(setting("sentinel", "1", last_modified=self.modified))
        answer = page([setting("k", "v")])
        headers = {**answer.headers, **({"memento-datetime": self.memento} if self.memento else {})}
        return Response(200, headers, answer.body)


def run(store: Scripted) -> ScriptedDriver:
    """Load from a scripted store and return who did it."""
    given: dict[str, object] = {
        "connection_string": CONNECTION,
        "refresh_on": ["sentinel"],
        "consistency": "point_in_time",
        "startup_timeout": 0,
        "retry_total": 0,
    }
    driver = ScriptedDriver(store, FakeClock())
    options = Keywords(**given).checked()  # type: ignore[arg-type]  # keywords come as they are
    driver.run(start(context_for(driver.clock, options)))
    return driver


NOON = "Sat, 21 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("modified", "waited", "chosen"),
    [
        ("2026-11-21T11:00:00+00:00", [], "Sat, 21 Nov 2026 11:59:59 GMT"),
        ("2026-11-21T11:59:58.999+00:00", [], "Sat, 21 Nov 2026 11:59:59 GMT"),
        ("2026-11-21T11:59:59+00:00", [1], NOON),
        ("2026-11-21T12:00:00+00:00", [2], "Sat, 21 Nov 2026 12:00:01 GMT"),
        ("2026-11-21T12:00:00.9+00:00", [2], "Sat, 21 Nov 2026 12:00:01 GMT"),
        ("2026-11-21T12:00:01.5+00:00", [3], "Sat, 21 Nov 2026 12:00:02 GMT"),
    ],
)
def test_the_second_after_a_sentinel_is_waited_for(
    modified: str, waited: list[int], chosen: str
) -> None:
    """The second is later than the sentinel's and over by the store's clock; no wait is longer."""
    driver = run(Scripted(lambda: NOON, chosen, modified))
    assert driver.slept == waited
    pages = [one for one in driver.requests if one.target.startswith("/kv?")]
    assert [dict(one.headers)["accept-datetime"] for one in pages] == [chosen]


@pytest.mark.parametrize(
    ("date", "memento", "modified", "reported"),
    [
        (None, NOON, "2026-11-21T11:00:00Z", "the answer has no date"),
        ("yesterday", NOON, "2026-11-21T11:00:00Z", "the answer has no date"),
        (NOON, None, "2026-11-21T11:00:00Z", "point_in_time"),
        (NOON, NOON, "2026-11-21T12:00:05Z", "5 s in the future"),
    ],
)
def test_a_store_that_cannot_travel_is_a_clear_error(
    date: str | None, memento: str | None, modified: str, reported: str
) -> None:
    """Without Date, without Memento-Datetime, or with sentinels of its future: an error says so."""
    with pytest.raises(Exception, match=reported) as caught:
        run(Scripted(lambda: date, memento, modified))
    causes = getattr(caught.value, "failures", (caught.value,))
    assert all(isinstance(one, RequestFailed) for one in causes)
