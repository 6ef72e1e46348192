"""How answers are read: pages, links, ETags, dates and waiting times."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from appconfig_provider._azure.rest.responses import (
    Malformed,
    etag_of,
    next_link,
    parse_date,
    read_object,
    read_page,
    read_sentinel,
)
from appconfig_provider._azure.settings.records import Columns, Details, Page, Setting
from appconfig_provider._fetch.waiting import retry_after
from appconfig_provider._plan import Response

FLAG = ".appconfig.featureflag/b"
HOST = {
    "key": "host",
    "label": "prod",
    "value": "north",
    "content_type": "text/plain",
    "tags": {"a": "1", "b": None},
    "etag": "e",
    "last_modified": "2026-11-20T12:00:00Z",
    "locked": True,
}


def body(**fields: Any) -> bytes:
    """Return a JSON object."""
    return json.dumps(fields).encode()


def read(
    *items: Any,
    headers: dict[str, str] | None = None,
    detailed: bool = False,
    others: dict[str, Any] | None = None,
) -> Page:
    """Read a page of items, and of other fields."""
    response = Response(200, headers or {}, body(items=items, **(others or {})))
    return read_page(response, "/kv?key=a", detailed=detailed)


def test_a_page_keeps_what_is_asked_of_a_setting() -> None:
    """Who asks for details has ETag, date and lock, too; a feature flag always has."""
    plain = Setting("host", "prod", "north", "text/plain", {"a": "1", "b": None})
    details = Details("e", "2026-11-20T12:00:00Z", locked=True)
    assert list(read(HOST).settings) == [plain]
    assert list(read(HOST, detailed=True).settings) == [plain._replace(details=details)]
    (flag, bare) = read({**HOST, "key": FLAG}, {"key": "bare"}).settings
    assert flag.details == details
    assert bare == Setting("bare", None, None, None)
    (unlocked,) = read({"key": FLAG, "locked": "yes"}).settings
    assert unlocked.details == Details(None, None, locked=False)


def test_a_field_that_no_setting_has_takes_no_room() -> None:
    """Its column is empty; equal labels and types are one object."""
    assert read({"key": "a", "tags": {}}, {"key": "b"}).columns == Columns(("a", "b"), (None, None))
    labels = read({"key": "a", "label": "x1"}, {"key": "b", "label": "x" + str(1)}).columns.labels
    assert labels[0] is labels[1]


def test_a_page_tells_its_place_and_its_size() -> None:
    """Its target, its ETag, its next page, and how many settings it was answered with."""
    found = read(HOST, {"key": "b"}, headers={"etag": '"p1"'}, others={"@nextLink": "/kv?after=b"})
    assert (found.target, found.etag, found.next, found.size) == (
        "/kv?key=a", "p1", "/kv?after=b", 2,
    )  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        b"<html>",
        b"[]",
        b"7",
        b"{}",
        body(items=None),
        body(items={}),
        body(items="ab"),
        body(items=[7]),
        body(items=[{}]),
        body(items=[{"key": 7}]),
        body(items=[{"key": "a", "value": 7}]),
        body(items=[{"key": "a", "label": []}]),
        body(items=[{"key": "a", "content_type": {}}]),
        body(items=[{"key": "a", "tags": []}]),
        body(items=[{"key": "a", "tags": "x"}]),
        body(items=[{"key": "a", "tags": {"x": 1}}]),
        body(items=[{"key": FLAG, "etag": 7}]),
        body(items=[{"key": FLAG, "last_modified": 7}]),
    ],
)
def test_what_is_no_page_of_settings_is_not_believed(content: bytes) -> None:
    """Every part must have its type; the error names what was asked for."""
    with pytest.raises(Malformed, match=r"/kv\?key=a did not answer with a page"):
        read_page(Response(200, {}, content), "/kv?key=a")


@pytest.mark.parametrize(
    ("fields", "header", "following"),
    [
        ({}, None, None),
        ({"@nextLink": None}, None, None),
        ({}, '<>; rel="next"', None),
        ({"@nextLink": ""}, '</kv?x>; rel="next"', "/kv?x"),
        ({"@nextLink": "/kv?a"}, '</kv?x>; rel="next"', "/kv?a"),
        ({}, '</kv?x>; rel="next"', "/kv?x"),
        ({"@nextLink": "?after=b"}, None, "/kv?after=b"),
        ({"@nextLink": "https://one.azconfig.io/kv?after=b"}, None, "/kv?after=b"),
        ({"@nextLink": "/kv?after=b#part"}, None, "/kv?after=b"),
    ],
)
def test_the_next_page_is_a_target_of_the_same_store(
    fields: dict[str, Any], header: str | None, following: str | None
) -> None:
    """Body before header; of an address only path and query count."""
    assert read(headers={"link": header} if header else {}, others=fields).next == following


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (7, "is no text"),
        ([], "is no text"),
        (False, "is no text"),
        ("/kv?" + "x" * 32_768, "no request can be made of"),
        ("/kv?é", "no request can be made of"),
        ("https://[broken/kv", "is no address"),
        ("/secrets?x", "leads out of the listing"),
        ("https://evil.example.org/x?kv", "leads out of the listing"),
        ("/kv?a b", "leads out of the listing"),
        ("/kv?a\x00", "leads out of the listing"),
    ],
)
def test_a_link_that_leads_elsewhere_is_not_followed(link: object, words: str) -> None:
    """The page is not believed then."""
    with pytest.raises(Malformed, match=words):
        read(others={"@nextLink": link})
    assert read(others={"@nextLink": "/kv?" + "x" * (32_768 - 4)}).next is not None


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('</kv?a>; rel="next"', "/kv?a"),
        ("</kv?a>; rel=next", "/kv?a"),
        ('</kv?first>; rel="original", </kv?a>; x="y"; rel="next"', "/kv?a"),
        ('</kv?a>; rel="prev"', None),
        ('</kv?a; rel="next"', None),
        ('/kv?a; rel="next"', None),
        ("", None),
    ],
)
def test_the_next_link_of_a_header(header: str, target: str | None) -> None:
    """The first address with that relation, in pointed brackets."""
    assert next_link(header) == target


@pytest.mark.parametrize(
    ("header", "etag"),
    [
        ('"abc"', "abc"),
        ('W/"abc"', "abc"),
        ("abc", "abc"),
        ('""', None),
        ("", None),
        (None, None),
        ('"' + "x" * 4094 + '"', "x" * 4094),
        ('"' + "x" * 4095 + '"', None),
    ],
)
def test_an_etag_has_no_quotes(header: str | None, etag: str | None) -> None:
    """A weak one is as good; one that is too long to be sent back is none."""
    headers = {} if header is None else {"etag": header}
    assert etag_of(Response(200, headers, b"")) == etag


NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20T12:00:00Z", NOON),
        ("2026-11-20T12:00:00+00:00", NOON),
        ("2026-11-20T13:00:00+01:00", NOON),
        ("2026-11-20T12:00:00", NOON),
        ("2026-11-20T12:00:00.5Z", NOON + timedelta(seconds=0.5)),
        ("2026-11-20T12:00:00.1234567Z", NOON + timedelta(microseconds=123_456)),
        ("yesterday", None),
        ("", None),
        ("2026-11-20T12:00:00." + "1" * 43 + "Z", NOON + timedelta(microseconds=111_111)),
        ("2026-11-20T12:00:00." + "1" * 44 + "Z", None),
        (7, None),
        (None, None),
    ],
)
def test_a_date_is_read_as_the_service_writes_it(text: object, moment: datetime | None) -> None:
    """With or without a zone and fractions; what is none is none."""
    found = parse_date(text)
    assert found == moment
    assert found is None or found.tzinfo is not None


def test_a_sentinel_is_its_etag_and_its_date() -> None:
    """Without an ETag or a key it is no setting."""
    content = body(key="s", last_modified="2026-11-20T12:00:00Z")
    found = read_sentinel(Response(200, {"etag": '"e"'}, content), "/kv/s")
    assert (found.etag, found.modified) == ("e", NOON)
    for headers, broken in (({}, content), ({"etag": '"e"'}, b"{}")):
        with pytest.raises(Malformed, match="/kv/s did not answer with a setting"):
            read_sentinel(Response(200, headers, broken), "/kv/s")


def test_an_object_is_nothing_else() -> None:
    """The error says what was being done."""
    assert read_object(Response(200, {}, b'{"a": 1}'), "GET x") == {"a": 1}
    for content, words in ((b"<html>", "with JSON"), (b"[]", "with a JSON object")):
        with pytest.raises(Malformed, match=f"GET x did not answer {words}"):
            read_object(Response(200, {}, content), "GET x")


DATE = "Fri, 20 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "x-ms-retry-after-ms": "9", "retry-after": "7"}, 0.25),
        ({"x-ms-retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": DATE}, 90.0),
        ({"retry-after": "Fri, 20 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-7"}, None),
        ({"retry-after": "1234567890123"}, None),
        ({"retry-after": "1." + "1" * 33}, None),
        ({"retry-after": DATE + " " * 64}, None),
        ({"retry-after": "Fri, 99 Nov 2026 12:00:00 GMT"}, None),
    ],
)
def test_the_wait_is_read_from_any_of_three_headers(
    headers: dict[str, str], seconds: float | None
) -> None:
    """Milliseconds before seconds, seconds or a date; what is none of them is not waited for."""
    assert retry_after(Response(503, headers, b""), NOON.timestamp() - 90) == seconds
