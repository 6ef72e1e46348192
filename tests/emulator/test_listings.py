"""Listings: order, pages, links, page ETags, filters."""

from __future__ import annotations

import re

import pytest

from appconfig_provider.emulator import Draft
from appconfig_provider.emulator.paging import (
    decode_position,
    encode_position,
    page_etag,
)
from appconfig_provider.emulator.queries import Position
from appconfig_provider.testing import Emulator

from .raw import Raw, Reply

LATEST = "api-version=2026-04-01"


def pages(raw: Raw, target: str) -> list[Reply]:
    """Every page of a listing, by its next links."""
    found = [raw.get(target)]
    while "@nextLink" in found[-1].json:
        found.append(raw.get(found[-1].json["@nextLink"]))
    return found


def fill(store: Emulator, count: int) -> None:
    """Settings k0, k1, ..."""
    store.set_many({f"k{number}": str(number) for number in range(count)})


def test_order(store: Emulator, raw: Raw) -> None:
    """Settings come by key, then label, without label first, in code point order."""
    given = [("b", None), ("a", "x"), ("a", None), ("B", None), ("a", "X"), ("é", None)]
    store.set_many(Draft(key, label, "v") for key, label in given)
    items = [item for page in pages(raw, "/kv") for item in page.json["items"]]
    assert [(item["key"], item["label"]) for item in items] == [
        ("B", None),
        ("a", None),
        ("a", "X"),
        ("a", "x"),
        ("b", None),
        ("é", None),
    ]


@pytest.mark.parametrize(("count", "sizes"), [(0, [0]), (2, [2]), (3, [3, 0]), (7, [3, 3, 1])])
def test_a_full_page_has_a_next_link(
    store: Emulator, raw: Raw, count: int, sizes: list[int]
) -> None:
    """A full page is followed by another, empty if need be; every page has its own ETag."""
    fill(store, count)
    found = pages(raw, "/kv")
    assert [len(page.keys) for page in found] == sizes
    assert len({page.headers["etag"] for page in found}) == len(found)
    assert "link" not in found[-1].headers


def test_next_link(store: Emulator, raw: Raw) -> None:
    """A next link is relative, repeats the parameters, and ends with a URL-safe ``after``."""
    fill(store, 3)
    page = raw.get("/kv?Key=k*&After=&$Select=key,etag&tags=&label=%00&" + LATEST)
    link = page.json["@nextLink"]
    assert page.headers["link"] == f'<{link}>; rel="next"'
    path, _, query = link.partition("?")
    names = [part.partition("=")[0] for part in query.split("&")]
    assert (path, names) == ("/kv", ["key", "%24select", "tags", "label", "api-version", "after"])
    assert re.fullmatch("[A-Za-z0-9_-]+", query.rpartition("=")[2])
    assert ";" not in link


def test_after_is_never_the_first_parameter(store: Emulator, raw: Raw) -> None:
    """A request without parameters gets a next link that begins with the API version."""
    fill(store, 3)
    assert raw.get("/kv").json["@nextLink"].startswith(f"/kv?{LATEST}&after=")


@pytest.mark.parametrize("token", ["", "%", "abc", "====", "YWJj", "%ff", "a%20b", "w7%2A"])
def test_unknown_token(store: Emulator, raw: Raw, token: str) -> None:
    """A token nobody issued begins at the first page, or is refused as text; it never fails."""
    fill(store, 2)
    reply = raw.get(f"/kv?after={token}")
    assert reply.status == 400 if token == "%ff" else reply.keys == ["k0", "k1"]


@pytest.mark.parametrize("position", [Position("k"), Position("k", "ä?>"), Position("", "")])
def test_tokens_keep_positions(position: Position) -> None:
    """A token decodes to the position it was made of, label or not."""
    assert decode_position(encode_position(position)) == position


@pytest.mark.parametrize(
    ("etags", "following", "expected"),
    [
        ([], None, "00wWELzclWef22f82qcUDI7FbJweVOoKWZDA_JoUeD0"),
        (["e1", "e2"], None, "aO8gl7N_Ga9HdB8vo3vqcnf5mH3Hno1wtRS-fACfmc4"),
        (["e1"], Position("k1"), "KFG_HzU5k9k87hwah56wcLaZcYtEn7NbbapuDqfEaVg"),
    ],
)
def test_page_etag_vectors(etags: list[str], following: Position | None, expected: str) -> None:
    """A page ETag is a hash of the ETags on the page and where it goes on."""
    assert page_etag(etags, following) == expected


def test_page_etags_are_pure(store: Emulator, raw: Raw) -> None:
    """A change moves the ETags from its page on; the pages before keep theirs."""
    fill(store, 9)
    before = [page.headers["etag"] for page in pages(raw, "/kv")]
    assert [page.headers["etag"] for page in pages(raw, "/kv?$select=key")] == before
    store.set("k4a", "new")
    after = [page.headers["etag"] for page in pages(raw, "/kv")]
    assert after[0] == before[0]
    assert after[1] != before[1]
    store.delete("k4a")
    assert [page.headers["etag"] for page in pages(raw, "/kv")] == before
    store.set("k4", "new")
    after = [page.headers["etag"] for page in pages(raw, "/kv")]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True, True]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_unchanged_page(store: Emulator, raw: Raw, method: str) -> None:
    """An unchanged page is a 304 with its link and Sync-Token, without ETag and body."""
    fill(store, 3)
    page = raw.get("/kv")
    reply = raw.send(method, "/kv", {"if-none-match": page.headers["etag"]})
    assert (reply.status, reply.body) == (304, b"")
    assert reply.headers["link"] == page.headers["link"]
    assert "sync-token" in reply.headers
    assert "etag" not in reply.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-none-match": '"other"'}, 200),
        ({"if-none-match": "*"}, 304),
        ({"if-match": '"other"'}, 412),
        ({"if-match": "*"}, 200),
        ({"if-match": "bare"}, 200),
        ({"if-none-match": "bare"}, 200),
    ],
)
def test_page_conditions(raw: Raw, headers: dict[str, str], status: int) -> None:
    """Conditions hold for pages as for settings; an unquoted tag is no condition."""
    assert raw.send("GET", "/kv", headers).status == status


def test_head(store: Emulator, raw: Raw) -> None:
    """HEAD has the headers of GET, the next link first, and no body."""
    fill(store, 3)
    get, head = raw.get("/kv"), raw.send("HEAD", "/kv")
    assert (head.status, head.body) == (200, b"")
    for name in ("etag", "link", "content-type", "sync-token"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("key=a*", ["a+c", "a,b"]),
        ("key=a%5C,b", ["a,b"]),
        ("key=a%5C%2Cb&label=%00", ["a,b"]),
        ("key=a%2Bc,B", ["B", "a+c"]),
        ("label=dev", ["B"]),
        ("label=%00,dev&key=B", ["B"]),
        ("label=d*", ["B"]),
        ("KEY=B", ["B"]),
        ("key=x+y", ["x y"]),
        ("key=x%20y", ["x y"]),
        ("key=%zz", []),
        ("tags=t%3D1", ["B"]),
        ("tags=n%3D%00", ["B"]),
        ("tags=n%3D", []),
        ("tags=t%3D1&tags=n%3D%00", ["B"]),
        ("tags=t%3D1&tags=n%3D1", []),
        ("snapshot=any", []),
    ],
)
def test_filters(store: Emulator, raw: Raw, query: str, expected: list[str]) -> None:
    """Filters on key, label and tags work together, encoded or not."""
    store.set_many({"a,b": "1", "a+c": "2", "x y": "4"})
    store.set("B", "3", "dev", tags={"t": "1", "n": None})
    assert raw.get(f"/kv?{query}").keys == expected


@pytest.mark.parametrize(
    ("target", "name", "detail"),
    [
        ("/kv?key=a*b", "key", "key(1): Invalid character"),
        ("/kv?label=a,b*", "label", "label(3): Invalid character"),
        ("/keys?name=a*b", "key", "key(1): Invalid character"),
        ("/labels?name=test'@*$!%", "label", "label(6): Invalid character"),
        ("/kv?tags=a", "tags", None),
    ],
)
def test_filter_errors(raw: Raw, target: str, name: str, detail: str | None) -> None:
    """A bad filter is a 400 with a problem document that names the parameter and the place."""
    reply = raw.get(target)
    assert reply.headers["content-type"] == "application/problem+json; charset=utf-8"
    problem = reply.json
    assert (reply.status, problem["status"], problem["name"]) == (400, 400, name)
    assert problem["title"] == f"Invalid request parameter '{name}'"
    assert problem["type"] == "https://azconfig.io/errors/invalid-argument"
    assert detail is None or problem["detail"] == detail


def test_keys_and_labels(store: Emulator, raw: Raw) -> None:
    """Distinct names come in pages, "no label" first as null."""
    for key in "cba":
        for label in (None, "z", "y", "x"):
            store.set(key, "v", label)
    assert [i["name"] for p in pages(raw, "/keys") for i in p.json["items"]] == ["a", "b", "c"]
    found = pages(raw, "/labels")
    assert [[i["name"] for i in page.json["items"]] for page in found] == [[None, "x", "y"], ["z"]]
    assert "etag" not in found[0].headers
    assert "etag" not in found[0].json
    assert raw.get("/labels?name=%00").json == {"items": [{"name": None}]}
    assert raw.get("/keys?name=b*&$select=name").json == {"items": [{"name": "b"}]}
    assert raw.get("/labels?$select=none&name=z").json == {"items": [{}]}


def test_labels_after_no_label() -> None:
    """A page that ends with "no label" is followed by the labelled rest."""
    with Emulator(page_size=1) as store, Raw(store.endpoint) as raw:
        store.set("k", "v")
        store.set("k", "v", "x")
        names = [[i["name"] for i in page.json["items"]] for page in pages(raw, "/labels")]
        assert names == [[None], ["x"], []]


def test_versions_shape_listings(store: Emulator, raw: Raw) -> None:
    """Page ETags and tag filters exist from the version on that brought them."""
    store.set("k", "v", tags={"a": "b"})
    old = raw.get("/kv?api-version=1.0&tags=x%3Dy", if_none_match="*")
    assert (old.status, old.keys) == (200, ["k"])
    assert "etag" not in old.headers
    assert "etag" not in old.json
    assert raw.get("/kv?api-version=2023-10-01&tags=bad").headers["etag"]
    assert raw.get("/kv?api-version=2023-11-01&tags=x%3Dy").keys == []


def test_long_listings_stay_cheap(raw: Raw, store: Emulator) -> None:
    """Going through a listing page by page shows every setting once, prefix or not."""
    fill(store, 50)
    for target in ("/kv", "/kv?key=k*", "/kv?key=k*&label=%00"):
        keys = [key for page in pages(raw, target) for key in page.keys]
        assert keys == sorted(f"k{number}" for number in range(50))
