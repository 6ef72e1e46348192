"""The dates of time travel: how they are read, and how answers tell the moment they are about."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider.emulator import Draft
from appconfig_provider.emulator.time_travel import parse_instant
from appconfig_provider.testing import Emulator, FakeClock

from .raw import Raw
from .test_time_travel import MICROSECOND, get, now, pages

EPOCH = datetime.fromisoformat("1970-01-01")


DATES = {
    "Fri, 02 Jan 2026 03:04:05 GMT": 0,
    "2 Jan 2026 03:04:05 +0000": 0,
    "2 Jan 2026 03:04:05 -0000": 0,
    "2026-01-02T03:04:05Z": 0,
    "2026-01-02T03:04:05.000Z": 0,
    "2026-01-02t03:04:05.1234567z": 123_456,
    "2026-01-02T04:04:05+01:00": 0,
    "2026-01-02T02:34:05-0030": 0,
    "2026-01-02 03:04:05": 0,
    "2026-01-02 03:04:05+00:00": 0,
    "2026-01-02 03:04:05.000007": 7,
    "2026-01-02 05:04:05.000007+02:00": 7,
    "2026-01-02T03:04": -5_000_000,
    "2026-01-02": -3 * 3_600_000_000 - 245_000_000,
}


@pytest.mark.parametrize(("text", "microseconds"), DATES.items())
def test_dates(text: str, microseconds: int) -> None:
    """Dates are read as clients write them; without an offset they are UTC."""
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc).timestamp() * 1_000_000
    assert parse_instant(text) == int(moment) + microseconds


@given(st.datetimes(EPOCH.min + timedelta(1), EPOCH.max - timedelta(1)))
def test_dates_of_python(moment: datetime) -> None:
    """What ``str`` makes of any datetime is that datetime, to the microsecond."""
    expected = (moment - EPOCH) // MICROSECOND
    assert parse_instant(str(moment)) == expected
    assert parse_instant(str(moment.replace(tzinfo=timezone.utc))) == expected
    shifted = moment.replace(tzinfo=timezone(timedelta(hours=-5, minutes=-30)))
    assert parse_instant(shifted.isoformat()) == expected + 19_800_000_000


NO_DATES = [
    "",
    "yesterday",
    "1767323045",
    "2026-13-01",
    "2026-02-30 00:00:00",
    "2026-01-02 24:00:00",
    "2026-01-02T03:04:05ZZ",
    "2026-01-02 03:04:05 +99:99",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31 23:59:59-01:00",
    "Fri, 02 Foo 2026 03:04:05 GMT",
]


@pytest.mark.parametrize("text", NO_DATES)
def test_no_dates(store: Emulator, raw: Raw, text: str) -> None:
    """A date that cannot be read is ignored: the present, without a word about moments."""
    store.set("k", "v")
    for target in ("/kv", "/kv/k", "/keys", "/labels", "/revisions"):
        reply = raw.get(target, accept_datetime=text)
        assert reply.status == 200
        assert not {"memento-datetime", "link"} & reply.headers.keys()
        assert reply.json.get("items", [None])


def test_the_future(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """A date in the future asks for the present; the very moment that is now does not."""
    clock.advance(10)
    store.set("k", "v")
    clock.advance(10)
    for seconds, shown in ((0, True), (0.000001, False), (1, False), (10**9, False)):
        reply = get(raw, "/kv/k", now(clock) + timedelta(seconds=seconds))
        assert reply.json["value"] == "v"
        assert ("memento-datetime" in reply.headers) is shown
        assert ("link" in reply.headers) is shown
    assert "memento-datetime" not in raw.get("/kv/k").headers


def test_answers_tell_the_moment(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """An answer below 300 and a 404 tell the moment and where the present is; errors do not."""
    etag = f'"{store.set("a/b", "v").etag}"'
    clock.advance(10)
    moment = now(clock)
    memento = format_datetime(moment, usegmt=True)
    clock.advance(10)
    for target in ("/kv/a%2fb?Api-Version=1.0&label=", "/kv/gone?x=%3E,;"):
        reply = get(raw, target, moment)
        assert reply.headers["memento-datetime"] == memento
        assert reply.headers["link"] == f'<{target}>; rel="original"'
    assert get(raw, "/kv/a?x=<>", moment).headers["link"] == '</kv/a?x=%3C%3E>; rel="original"'
    unchanged = get(raw, "/kv/a%2fb", moment, if_none_match=etag)
    failed = get(raw, "/kv/a%2fb", moment, if_match='"other"')
    refused = get(raw, "/kv?key=a*b", moment)
    assert [reply.status for reply in (unchanged, failed, refused)] == [304, 412, 400]
    for reply in (unchanged, failed, refused):
        assert not {"memento-datetime", "link"} & reply.headers.keys()
    for target, status in (("/kv/a%2fb", 200), ("/kv/gone", 404)):
        head = raw.send("HEAD", target, {"accept-datetime": str(moment)})
        assert (head.status, head.headers["memento-datetime"]) == (status, memento)
        assert "link" not in head.headers


@pytest.mark.parametrize("path", ["/kv", "/keys", "/labels", "/revisions"])
def test_links_of_listings(clock: FakeClock, store: Emulator, raw: Raw, path: str) -> None:
    """The link to the present comes second, and never where a client takes it for the next page."""
    store.set_many(Draft(f"k{number}", f"l{number}") for number in range(4))
    clock.advance(10)
    moment = now(clock)
    target = f"{path}?api-version=2026-04-01&$select=key,name"
    full, last = pages(raw, target, moment)
    following, original = full.headers["link"].split(", ")
    assert following == f'<{full.json["@nextLink"]}>; rel="next"'
    assert original == f'<{target}>; rel="original"'
    assert "link" not in last.headers
    assert full.headers["memento-datetime"] == last.headers["memento-datetime"]
    head = raw.send("HEAD", target, {"accept-datetime": str(moment)})
    assert (head.status, head.headers["link"]) == (200, following)
    assert "memento-datetime" in head.headers
    assert [len(full.json["items"]), len(last.json["items"])] == [3, 1]
