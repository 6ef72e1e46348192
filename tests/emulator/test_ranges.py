"""Parts of the history by number, as ``Range: items=a-b`` asks for them."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from appconfig_provider.testing import Emulator, FakeClock

from .raw import Raw, Reply


def fill(store: Emulator) -> None:
    """Seven revisions, the newest of them first: 6, 5, ... 0."""
    for number in range(7):
        store.set("k", str(number))


def values(reply: Reply) -> list[str]:
    """The values on a page."""
    return [item["value"] for item in reply.json["items"]]


PARTS = {
    "items=0-2": (["6", "5", "4"], "items 0-2/7"),
    "items=2-3": (["4", "3"], "items 2-3/7"),
    "items=6-6": (["0"], "items 6-6/7"),
    "items=5-8": (["1", "0"], "items 5-6/7"),
    "items=5-": (["1", "0"], "items 5-6/7"),
    "items=0-6": (["6", "5", "4"], "items 0-2/7"),
    "items=1-999999999999999999": (["5", "4", "3"], "items 1-3/7"),
    " Items = 00-01 ": (["6", "5"], "items 0-1/7"),
}


@pytest.mark.parametrize(("text", "expected"), PARTS.items())
def test_parts(store: Emulator, raw: Raw, text: str, expected: tuple[list[str], str]) -> None:
    """A part is a 206 that tells its place in the whole, and is never longer than a page."""
    fill(store)
    reply = raw.get("/revisions", range=text)
    assert (reply.status, values(reply), reply.headers["content-range"]) == (206, *expected)
    assert reply.headers["accept-ranges"] == "items"
    assert "link" not in reply.headers
    assert "@nextLink" not in reply.json


@pytest.mark.parametrize("text", ["items=7-7", "items=7-", "items=999999999999999999-"])
def test_behind_the_end(store: Emulator, raw: Raw, text: str) -> None:
    """A part that begins behind the last revision is a 416 that tells how many there are."""
    fill(store)
    reply = raw.get("/revisions", range=text)
    assert (reply.status, reply.body) == (416, b"")
    assert reply.headers["content-range"] == "items */7"
    assert raw.get("/revisions?key=gone", range="items=0-0").status == 416


NO_RANGES = [
    "",
    "items",
    "items=-3",
    "items=3-1",
    "items=a-b",
    "items=0-1,3-4",
    "items=+0-1",
    "items=0-1000000000000000000",
    f"items={'9' * 5_000}-",
    "bytes=0-2",
    "items=\u00b9-2",
]


@pytest.mark.parametrize("text", NO_RANGES)
def test_no_ranges(store: Emulator, raw: Raw, text: str) -> None:
    """What is no range is ignored: the first page, which tells that there could be parts."""
    fill(store)
    reply = raw.get("/revisions", range=text)
    assert (reply.status, values(reply)) == (200, ["6", "5", "4"])
    assert reply.headers["accept-ranges"] == "items"
    assert "content-range" not in reply.headers
    assert reply.json == raw.get("/revisions").json


def test_where_ranges_are_not_served(store: Emulator, raw: Raw) -> None:
    """A HEAD has no parts, and neither have the other listings."""
    fill(store)
    head = raw.send("HEAD", "/revisions", {"range": "items=0-0"})
    assert (head.status, head.headers["accept-ranges"]) == (200, "items")
    assert "content-range" not in head.headers
    for path in ("/kv", "/keys", "/labels", "/snapshots", "/kv/k"):
        reply = raw.get(path, range="items=0-0")
        assert (reply.status, "accept-ranges" in reply.headers) == (200, False)


def test_parts_of_a_selection(store: Emulator, raw: Raw) -> None:
    """Numbers count what passes the filters, whatever page a token stands for."""
    fill(store)
    store.set("l", "a", tags={"t": "1"})
    store.set("l", "b", tags={"t": "1"})
    token = raw.get("/revisions").json["@nextLink"].rpartition("&")[2]
    for query in ("tags=t%3D1", "key=l"):
        reply = raw.get(f"/revisions?{query}&$select=value", range="items=1-5")
        assert (reply.json["items"], reply.headers["content-range"]) == (
            [{"value": "a"}],
            "items 1-1/2",
        )
    reply = raw.get(f"/revisions?{token}", range="items=1-2")
    assert (values(reply), reply.headers["content-range"]) == (["a", "6"], "items 1-2/9")
    assert raw.get("/revisions?key=a*b", range="items=0-0").status == 400


def test_conditions_on_parts(store: Emulator, raw: Raw) -> None:
    """A part has an ETag like a page, and keeps to conditions."""
    fill(store)
    etag = raw.get("/revisions", range="items=0-1").headers["etag"]
    assert etag != raw.get("/revisions", range="items=1-2").headers["etag"]
    unchanged = raw.get("/revisions", range="items=0-1", if_none_match=etag)
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert "content-range" not in unchanged.headers
    assert raw.get("/revisions", range="items=0-1", if_match='"other"').status == 412
    store.set("k", "7")
    assert raw.get("/revisions", range="items=0-1", if_none_match=etag).status == 206


def test_parts_of_the_past(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """A part of the history of a moment counts what there was then, and tells the moment."""
    fill(store)
    moment = formatdate(clock.time(), usegmt=True)
    clock.advance(5)
    store.set("k", "7")
    reply = raw.get("/revisions", range="items=5-9", accept_datetime=moment)
    assert (reply.status, values(reply)) == (206, ["1", "0"])
    assert reply.headers["content-range"] == "items 5-6/7"
    assert "memento-datetime" in reply.headers
    assert "link" not in reply.headers
