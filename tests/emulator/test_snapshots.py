"""Snapshots: what they take, what they keep, how they are archived, and what is refused."""

from __future__ import annotations

from contextlib import closing
from email.utils import formatdate
from typing import Any

import pytest

from appconfig_provider.emulator import Draft, Store
from appconfig_provider.emulator.filters import Anything
from appconfig_provider.emulator.snapshot_model import STATUSES, SnapshotDraft, SnapshotFilter
from appconfig_provider.emulator.snapshots import MAX_SNAPSHOT_BYTES
from appconfig_provider.testing import Emulator, FakeClock

from .raw import JSON, Raw, Reply, Signer
from .test_listings import LATEST, fill, pages

ALL = {"filters": [{"key": "*"}]}
EVERYTHING = (SnapshotFilter("*"),)
PATCH = {"content-type": "application/merge-patch+json"}


def patch(raw: Raw, name: str, status: object, **headers: str) -> Reply:
    """Ask for a snapshot to be archived or recovered."""
    body = f'{{"status":"{status}"}}'.encode()
    named = {n.replace("_", "-"): v for n, v in headers.items()}
    return raw.send("PATCH", f"/snapshots/{name}", {**PATCH, **named}, body)


def items(raw: Raw, name: str) -> list[tuple[str, str | None, str]]:
    """Key, label and value of everything in a snapshot."""
    found = [item for page in pages(raw, f"/kv?snapshot={name}") for item in page.json["items"]]
    return [(item["key"], item["label"], item["value"]) for item in found]


def test_creation(store: Emulator, raw: Raw) -> None:
    """Creation answers 201 with the snapshot to be, its operation and a short wait."""
    store.set("a", "1")
    content = {"filters": [{"key": "a*"}], "tags": {"t": "1"}, "description": "d"}
    reply = raw.put(f"/snapshots/my%2Fown?{LATEST}", content)
    assert reply.status == 201
    assert reply.headers["content-type"].startswith("application/vnd.microsoft.appconfig.snapshot+")
    assert reply.headers["link"] == f'</kv?snapshot=my%2Fown&{LATEST}>; rel="items"'
    operation = f"{store.endpoint}/operations?snapshot=my%2Fown&{LATEST}"
    assert reply.headers["operation-location"] == operation
    assert (reply.headers["retry-after-ms"], reply.headers["retry-after"]) == ("1", "1")
    assert (reply.json["status"], reply.json["items_count"]) == ("provisioning", 0)
    done = raw.get(operation.removeprefix(store.endpoint))
    assert (done.json["status"], done.json["error"]) == ("Succeeded", None)
    stored = raw.get("/snapshots/my%2Fown")
    assert stored.headers["etag"] == reply.headers["etag"]
    assert {name: stored.json[name] for name in ("name", "status", "filters")} == {
        "name": "my/own",
        "status": "ready",
        "filters": [{"key": "a*", "label": None, "tags": []}],
    }
    assert (stored.json["size"], stored.json["items_count"]) == (500, 1)
    assert (stored.json["composition_type"], stored.json["retention_period"]) == ("key", 2_592_000)
    assert (stored.json["tags"], stored.json["description"]) == ({"t": "1"}, "d")
    assert "expires" not in stored.json


def test_content_stays(store: Emulator, raw: Raw) -> None:
    """What a snapshot holds stays as it was, whatever happens to the settings."""
    fill(store, 4)
    store.create_snapshot("s", [("*", None)])
    before = pages(raw, "/kv?snapshot=s")
    store.set("k0", "new")
    store.delete("k1")
    store.lock("k2")
    store.set("k9", "new")
    after = pages(raw, "/kv?snapshot=s")
    assert [page.body for page in after] == [page.body for page in before]
    assert [page.keys for page in after] == [["k0", "k1", "k2"], ["k3"]]
    assert after[0].json["@nextLink"].startswith(f"/kv?{LATEST}&snapshot=s&after=")


def test_composition_by_key(store: Emulator, raw: Raw) -> None:
    """A key has one value in a snapshot composed by key: that of the last filter that takes it."""
    store.set_many([Draft("a", None, "plain"), Draft("a", "dev", "dev"), Draft("b", None, "plain")])
    store.create_snapshot("s", [("*", None), ("*", "dev")])
    assert items(raw, "s") == [("a", "dev", "dev"), ("b", None, "plain")]
    store.create_snapshot("t", [("*", "dev"), ("*", "\0")])
    assert items(raw, "t") == [("a", None, "plain"), ("b", None, "plain")]


def test_composition_by_key_and_label(store: Emulator, raw: Raw) -> None:
    """A snapshot composed by key and label keeps every label its filters match."""
    store.set_many([Draft("a", label, label or "") for label in (None, "x", "y", "z")])
    store.create_snapshot("s", [{"key": "a", "label": "x,y"}], "key_label")
    assert items(raw, "s") == [("a", "x", "x"), ("a", "y", "y")]
    store.create_snapshot("t", [("a", "*")], "key_label")
    assert len(items(raw, "t")) == 4
    store.create_snapshot("u", [("a", None)], "key_label")
    assert items(raw, "u") == [("a", None, "")]


def test_tags_in_filters(store: Emulator, raw: Raw) -> None:
    """A filter takes the settings that carry all its tags, from the version on that knows them."""
    store.set("a", "1", tags={"env": "prod", "n": None})
    store.set("b", "2", tags={"env": "dev"})
    content = {"filters": [{"key": "*", "tags": ["env=prod", "n=\0"]}]}
    assert raw.put("/snapshots/s", content).status == 201
    assert items(raw, "s") == [("a", None, "1")]
    assert raw.get("/snapshots/s").json["filters"][0]["tags"] == ["env=prod", "n=\0"]
    assert "tags" not in raw.get("/snapshots/s?api-version=2023-10-01").json["filters"][0]
    assert raw.put("/snapshots/t?api-version=2023-10-01", content).status == 201
    assert len(items(raw, "t")) == 2


def test_listing_items(store: Emulator, raw: Raw) -> None:
    """The items of a snapshot have pages, ETags, fields, conditions and HEAD like any listing."""
    fill(store, 3)
    store.create_snapshot("s", [("*", None)])
    page = raw.get("/kv?snapshot=s&$select=key")
    assert page.json["items"][0] == {"key": "k0"}
    assert page.headers["etag"] == f'"{page.json["etag"]}"'
    unchanged = raw.get("/kv?snapshot=s", if_none_match=page.headers["etag"])
    assert (unchanged.status, "link" in unchanged.headers) == (304, True)
    assert raw.send("HEAD", "/kv?snapshot=s").headers["etag"] == page.headers["etag"]
    assert raw.get("/kv?snapshot=none").json["items"] == []
    refused = raw.get("/kv?snapshot=s&key=k0")
    assert (refused.status, refused.json["name"]) == (400, "key")


def test_archive_and_recover() -> None:
    """An archived snapshot expires unless it is recovered; until then it can be read."""
    clock = FakeClock()
    with Emulator(clock=clock) as store, Raw(store.endpoint) as raw:
        store.set("a", "1")
        raw.put("/snapshots/s", {**ALL, "retention_period": 3600})
        etag = raw.get("/snapshots/s").headers["etag"]
        archived = patch(raw, "s", "archived", if_match=etag)
        assert (archived.status, archived.json["status"]) == (200, "archived")
        assert archived.json["expires"] > archived.json["created"]
        assert archived.headers["etag"] != etag
        assert patch(raw, "s", "archived").headers["etag"] == archived.headers["etag"]
        assert raw.get("/operations?snapshot=s").json["status"] == "Succeeded"
        assert items(raw, "s") == [("a", None, "1")]
        recovered = patch(raw, "s", "ready")
        assert (recovered.json["status"], "expires" in recovered.json) == ("ready", False)
        clock.advance(7200)
        signer = Signer(date=formatdate(clock.time(), usegmt=True))
        assert raw.send("GET", "/snapshots/s", signer=signer).status == 200
        assert store.archive_snapshot("s") is not None
        clock.advance(3601)
        signer = Signer(date=formatdate(clock.time(), usegmt=True))
        assert raw.send("GET", "/snapshots/s", signer=signer).status == 404
        listed = raw.send("GET", "/kv?snapshot=s", signer=signer)
        assert listed.json["items"] == []


def test_conditions(store: Emulator, raw: Raw) -> None:
    """Reads and changes of a snapshot keep to conditions on its ETag."""
    store.create_snapshot("s", [("*", None)])
    etag = raw.get("/snapshots/s").headers["etag"]
    assert raw.get("/snapshots/s", if_none_match=etag).status == 304
    assert raw.get("/snapshots/s", if_match='"other"').status == 412
    assert raw.send("HEAD", "/snapshots/s").headers["etag"] == etag
    assert patch(raw, "s", "archived", if_match='"other"').status == 412
    assert patch(raw, "s", "archived", if_none_match=etag).status == 412
    assert patch(raw, "gone", "archived", if_match=etag).status == 404
    assert patch(raw, "gone", "archived").status == 404
    assert raw.get("/snapshots/s").headers["etag"] == etag


def test_listing_snapshots(store: Emulator, raw: Raw) -> None:
    """Snapshots come by name in pages, filtered by name and state, with the fields asked for."""
    for name in ("d", "b", "a", "c"):
        store.create_snapshot(name, [("*", None)])
    store.archive_snapshot("b")
    found = pages(raw, "/snapshots")
    assert [[item["name"] for item in page.json["items"]] for page in found] == [
        ["a", "b", "c"],
        ["d"],
    ]
    assert "etag" not in found[0].headers

    def names(query: str) -> list[str]:
        return [item["name"] for item in raw.get(f"/snapshots?{query}").json["items"]]

    assert names("status=archived") == ["b"]
    assert names("status=ready,archived&name=a,b") == ["a", "b"]
    assert names("status=failed") == []
    assert names("name=c*&$select=name") == ["c"]
    assert raw.get("/snapshots?name=c&$select=name,size").json["items"] == [
        {"name": "c", "size": 0}
    ]
    assert raw.send("HEAD", "/snapshots").headers["link"] == found[0].headers["link"]
    for query, name in (("status=Ready", "status"), ("name=a*b", "name")):
        assert raw.get(f"/snapshots?{query}").json["name"] == name


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({}, "filters"),
        ({"filters": []}, "filters"),
        ({**ALL, "tags": {"\ud800": 1}}, "tags[\ud800].value"),
        ({**ALL, "tags": {"\ud800": "x"}}, "tags[\ud800].key"),
        ({"filters": [{"key": "*"}] * 4}, "filters"),
        ({"filters": ["x"]}, "filters[0]"),
        ({"filters": [{"key": "*"}, {"label": "x"}]}, "filters[1].key"),
        ({"filters": [{"key": ""}]}, "filters[0].key"),
        ({"filters": [{"key": "a*b"}]}, "filters[0].key"),
        ({"filters": [{"key": "\ud800"}]}, "filters[0].key"),
        ({"filters": [{"key": "*", "label": 1}]}, "filters[0].label"),
        ({"filters": [{"key": "*", "label": "*"}]}, "label"),
        ({"filters": [{"key": "*", "label": "a,b"}]}, "label"),
        ({"filters": [{"key": "*", "label": "a*b"}]}, "filters[0].label"),
        ({"filters": [{"key": "*", "tags": "a=b"}]}, "filters[0].tags"),
        ({"filters": [{"key": "*", "tags": ["a"]}]}, "filters[0].tags"),
        ({"filters": [{"key": "*", "tags": ["a=b"] * 6}]}, "filters[0].tags"),
        ({**ALL, "composition_type": "label"}, "composition_type"),
        ({**ALL, "retention_period": 3599}, "retention_period"),
        ({**ALL, "retention_period": 7_776_001}, "retention_period"),
        ({**ALL, "retention_period": True}, "retention_period"),
        ({**ALL, "retention_period": "3600"}, "retention_period"),
        ({**ALL, "tags": {"": "v"}}, "tags[].key"),
        ({**ALL, "tags": {"t": 1}}, "tags[t].value"),
        ({**ALL, "tags": {"t": "\n"}}, "tags[t].value"),
        ({**ALL, "description": "\ud800"}, "description"),
        ([], "body"),
    ],
)
def test_refused_creations(raw: Raw, content: Any, name: str) -> None:
    """A creation the service would refuse is a 400 that names the field; nothing is stored."""
    reply = raw.put("/snapshots/s", content)
    assert (reply.status, reply.json["name"]) == (400, name)
    assert raw.get("/snapshots").json["items"] == []


@pytest.mark.parametrize("name", ["", "a%0Ab", "n" * 257])
def test_refused_names(raw: Raw, name: str) -> None:
    """A snapshot's name is checked like a key."""
    assert raw.put(f"/snapshots/{name}", ALL).status == 400


def test_conflicts(store: Emulator, raw: Raw) -> None:
    """A taken name is a 409, another state than the two a 400, another media type a 415."""
    assert raw.put("/snapshots/s", ALL).status == 201
    again = raw.put("/snapshots/s", ALL)
    assert (again.status, again.json["type"]) == (
        409,
        "https://azconfig.io/errors/already-exists",
    )
    with pytest.raises(ValueError, match="already"):
        store.create_snapshot("s", [("*", None)])
    for status in ("failed", "provisioning", "", None):
        assert patch(raw, "s", status).json["name"] == "status"
    assert raw.send("PUT", "/snapshots/t", {"content-type": "text/plain"}, b"{}").status == 415
    assert raw.send("PATCH", "/snapshots/s", JSON, b"[]").status == 400
    assert raw.get("/operations?snapshot=gone").status == 404
    assert raw.get("/operations").json["name"] == "snapshot"
    assert raw.send("DELETE", "/snapshots/s").status == 405
    assert raw.send("PUT", "/operations?snapshot=s").status == 405


def test_too_large(store: Emulator, raw: Raw) -> None:
    """A snapshot of more than 1 MB fails, has no items, and can be neither archived nor taken."""
    count = MAX_SNAPSHOT_BYTES // 10_000 + 1
    store.set_many({f"k{number}": "x" * 10_000 for number in range(count)})
    assert raw.put("/snapshots/s", ALL).status == 201
    assert raw.get("/snapshots/s").json["status"] == "failed"
    operation = raw.get("/operations?snapshot=s").json
    assert (operation["status"], operation["error"]["code"]) == ("Failed", "QuotaExceeded")
    assert items(raw, "s") == []
    reply = patch(raw, "s", "archived")
    assert (reply.status, reply.json["type"]) == (409, "https://azconfig.io/errors/invalid-state")


@pytest.mark.parametrize(("more", "status"), [(0, "ready"), (1, "failed")])
def test_many_small_settings(store: Emulator, raw: Raw, more: int, status: str) -> None:
    """A small setting counts as 500 bytes, and the size is that of what the snapshot holds."""
    count = MAX_SNAPSHOT_BYTES // 500 + more
    store.set_many(Draft(f"k{number:05}", value="v") for number in range(count))
    both = {**ALL, "filters": [{"key": "k*"}, {"key": "k0*"}]}
    assert raw.put("/snapshots/s", both).status == 201
    snapshot = raw.get("/snapshots/s").json
    held = (count, count * 500) if status == "ready" else (0, 0)
    assert (snapshot["status"], snapshot["items_count"], snapshot["size"]) == (status, *held)


def test_a_name_is_free_again() -> None:
    """The name of a snapshot whose time is over can be taken; its settings are not mixed in."""
    clock = FakeClock()
    with closing(Store(now=clock.time)) as store:
        found = store.snapshots
        for name in ("r", "s", "t"):
            store.put(Draft("a", value=name))
            found.create(SnapshotDraft(name, EVERYTHING))
            found.set_status(name, "archived")
        clock.advance(91 * 24 * 3600)
        store.delete("a")
        store.put(Draft("b", value="new"))
        found.create(SnapshotDraft("s", EVERYTHING))
        assert [each.key for each in found.settings("s", None, -1)] == ["b"]
        assert found.settings("t", None, -1) == []
        assert [each.name for each in found.page(Anything(), STATUSES, None, 9)] == ["s"]


def test_every_change_is_a_mutation(store: Emulator, raw: Raw) -> None:
    """Creating, archiving and recovering move the Sync-Token; refusals do not."""

    def token() -> str:
        return raw.get("/labels").headers["sync-token"]

    seen = [token()]
    raw.put("/snapshots/s", ALL)
    seen.append(token())
    patch(raw, "s", "archived")
    seen.append(token())
    patch(raw, "s", "ready")
    seen.append(token())
    assert len(set(seen)) == 4
    raw.put("/snapshots/s", ALL)
    patch(raw, "s", "ready")
    patch(raw, "s", "gone")
    assert token() == seen[-1]


@pytest.mark.parametrize(
    "item", [{"key": "a", "colour": "x"}, {"label": "x"}, {"key": "a", "tags": "t=1"}]
)
def test_filters_in_tests(store: Emulator, item: dict[str, object]) -> None:
    """A test that misspells a filter hears of it."""
    with pytest.raises(ValueError, match="a filter has"):
        store.create_snapshot("s", [item])
