"""Asking the sentinels: which answers count as moved."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from appconfig_provider import WatchKey
from appconfig_provider._azure.listing.watch import read_sentinels
from appconfig_provider._azure.rest.responses import Sentinel, parse_date
from appconfig_provider._azure.rest.services import StoreService
from appconfig_provider._fetch.exchange import Session
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider._plan import Request, Response
from tests.support.scripted import ScriptedDriver, status

ORIGIN = "https://one.azconfig.io"
EARLY, LATE = "2026-11-20T12:00:00+00:00", "2026-11-20T12:00:01+00:00"


def sentinel(etag: str | None, modified: str | None = None) -> Sentinel:
    """Return a sentinel as it is held."""
    return Sentinel(etag, parse_date(modified))


def answered(etag: str, modified: str | None = None) -> Response:
    """Return the answer of a store for a sentinel."""
    body = {"key": "s", "last_modified": modified}
    return Response(200, {"etag": f'"{etag}"'}, json.dumps(body).encode())


def ask(
    answers: Mapping[str, Response], held: tuple[Sentinel, ...] | None
) -> tuple[tuple[Sentinel, ...], list[Request]]:
    """Ask for sentinels by name; return what was seen and the requests."""
    driver = ScriptedDriver(
        lambda request: answers[request.target.removeprefix("/kv/").partition("?")[0]]
    )
    session = Session(
        origin=ORIGIN,
        sign=None,
        service=StoreService(()),
        deadline=1e9,
        max_retry_wait=0.0,
        retries=0,
        clock=driver.clock,
        random=lambda: 0.0,
    )
    watch = tuple(map(WatchKey, answers))
    return driver.run(read_sentinels(session, watch, held)), driver.requests


HELD = sentinel("e1", EARLY)
AFTER_HELD = Sentinel("e2", HELD.modified, ("e1",))
"""What is held after it, within one second."""


@pytest.mark.parametrize(
    ("answer", "held", "seen"),
    [
        (status(304), HELD, HELD),
        (answered("e1", EARLY), HELD, HELD),
        (answered("e1", LATE), HELD, HELD),
        (answered("e2", LATE), HELD, sentinel("e2", LATE)),
        (answered("e2", EARLY), HELD, AFTER_HELD),
        (answered("e1", EARLY), AFTER_HELD, AFTER_HELD),
        (answered("e3", EARLY), AFTER_HELD, sentinel("e3", EARLY)._replace(before=("e1", "e2"))),
        (answered("e1", LATE), AFTER_HELD, sentinel("e1", LATE)),
        (answered("e2"), sentinel("e1"), sentinel("e2")),
        (answered("e0", EARLY), sentinel("e1", LATE), sentinel("e1", LATE)),
        (answered("e0"), HELD, sentinel("e0")),
        (answered("e0", EARLY), sentinel("e1"), sentinel("e0", EARLY)),
        (status(404), HELD, sentinel(None)),
        (status(404), sentinel(None), sentinel(None)),
        (answered("e1", EARLY), sentinel(None), HELD),
    ],
    ids=[
        "not modified",
        "the same ETag",
        "the same ETag, written again",
        "newer",
        "another ETag of the same second",
        "one that was held before in the same second: a replica lags behind",
        "a third one of the same second",
        "one that was held before, in a later second",
        "neither has a date",
        "older: a replica lags behind",
        "without a date",
        "held without a date",
        "deleted",
        "still not there",
        "created",
    ],
)
def test_a_sentinel_has_moved_when_it_is_another_and_not_older(
    answer: Response, held: Sentinel, seen: Sentinel
) -> None:
    """It is asked for by the ETag that is held; what has not moved is what is held."""
    (found,), (request,) = ask({"s": answer}, (held,))
    assert (found, found.before) == (seen, seen.before)
    condition = None if held.etag is None else f'"{held.etag}"'
    assert dict(request.headers).get("if-none-match") == condition


def test_the_first_time_every_answer_counts() -> None:
    """Nothing is held, so nothing is asked conditionally, and a key may be absent."""
    seen, requests = ask({"a": answered("e1", EARLY), "b": status(404)}, None)
    assert seen == (HELD, sentinel(None))
    assert all("if-none-match" not in dict(request.headers) for request in requests)


def test_beside_one_that_moved_an_older_one_counts_as_it_was_answered() -> None:
    """The data of this endpoint is loaded, so the next check must find what it lacks."""
    held = (sentinel("a1", LATE), sentinel("b1", EARLY))
    seen, _ = ask({"a": answered("a0", EARLY), "b": answered("b2", LATE)}, held)
    assert seen == (sentinel("a0", EARLY), sentinel("b2", LATE))
    seen, _ = ask({"a": answered("a0", EARLY), "b": status(304)}, held)
    assert seen == held


@pytest.mark.parametrize(
    "answer",
    [
        Response(200, {}, b'{"key": "s"}'),
        Response(200, {"etag": '"e2"'}, b"{}"),
        Response(200, {"etag": '"e2"'}, b"<html>"),
        Response(200, {"etag": '"e2"'}, b"[]"),
    ],
    ids=["no ETag", "no key", "no JSON", "no object"],
)
def test_an_answer_that_is_no_setting_is_the_endpoints_failure(answer: Response) -> None:
    """A sign-in page must not pass for a change."""
    with pytest.raises(RequestFailed, match="did not answer with"):
        ask({"s": answer}, (HELD,))
