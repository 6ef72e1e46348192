"""Locks and revisions: what may not be written, and what was."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from appconfig_provider.emulator import Draft, Store
from appconfig_provider.emulator.queries import Selection
from appconfig_provider.testing import Emulator, FakeClock

from .raw import Raw
from .test_listings import pages

DAY = 24 * 3600


def revisions(raw: Raw, query: str = "") -> list[tuple[str, str | None, str | None]]:
    """Key, label and value of every revision."""
    found = [item for page in pages(raw, f"/revisions{query}") for item in page.json["items"]]
    return [(item["key"], item["label"], item["value"]) for item in found]


def test_lock_and_unlock(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """A lock gives the setting a new ETag and moment; locking again changes nothing."""
    before = store.set("a/b", "v", "l")
    clock.advance(1)
    locked = raw.send("PUT", "/locks/a%2Fb?label=l", {"content-length": "0"})
    assert (locked.status, locked.json["locked"], locked.json["value"]) == (200, True, "v")
    assert locked.headers["etag"] == f'"{locked.json["etag"]}"'
    assert locked.json["etag"] != before.etag
    dated = before.last_modified + timedelta(seconds=1)
    assert locked.json["last_modified"] == dated.isoformat()
    assert raw.send("PUT", "/locks/a%2Fb?label=l").json == locked.json
    unlocked = raw.send("DELETE", "/locks/a%2Fb?label=l")
    assert (unlocked.status, unlocked.json["locked"]) == (200, False)
    assert unlocked.json["etag"] != locked.json["etag"]
    assert raw.get("/kv/a%2Fb?label=l").json == unlocked.json


def test_lock_conditions(store: Emulator, raw: Raw) -> None:
    """A lock keeps to its conditions; without the setting it is a 404, with If-Match a 412."""
    etag = f'"{store.set("k", "v").etag}"'
    assert raw.send("PUT", "/locks/k", {"if-match": '"other"'}).status == 412
    assert raw.send("PUT", "/locks/k", {"if-none-match": etag}).status == 412
    assert raw.send("PUT", "/locks/k", {"if-match": etag}).status == 200
    assert raw.send("PUT", "/locks/gone").status == 404
    assert raw.send("DELETE", "/locks/gone", {"if-match": "*"}).status == 412
    assert raw.get("/locks/k").status == 405


def test_locked_settings_stay(store: Emulator, raw: Raw) -> None:
    """A locked setting is neither written nor deleted: 409, after the conditions."""
    store.set("k", "v")
    locked = store.lock("k")
    assert locked is not None
    for method, body in (("PUT", {"value": "new"}), ("PUT", {"value": "v"})):
        refused = raw.put("/kv/k", body)
        assert (refused.status, method) == (409, "PUT")
        assert refused.json["type"] == "https://azconfig.io/errors/key-locked"
        assert refused.json["name"] == "k"
    assert raw.send("DELETE", "/kv/k").status == 409
    assert raw.put("/kv/k", {"value": "new"}, if_match='"other"').status == 412
    assert store.get("k") == locked
    with pytest.raises(ValueError, match="locked"):
        store.set("k", "new")
    with pytest.raises(ValueError, match="locked"):
        store.delete("k")
    store.lock("k", locked=False)
    assert raw.put("/kv/k", {"value": "new"}).status == 200


def test_bulk_goes_over_locks(store: Emulator) -> None:
    """Writing many settings at once, as a seed does, leaves a lock on but writes."""
    store.set("k", "v")
    store.lock("k")
    assert store.set_many({"k": "new"}) == 1
    kept = store.get("k")
    assert kept is not None
    assert (kept.value, kept.locked) == ("new", True)


def test_history(store: Emulator, raw: Raw) -> None:
    """Every write and lock is a revision, the newest first of all keys and labels, none lost."""
    store.set("b", "1")
    store.set("a", "1")
    store.set("b", "1", "l")
    store.set("b", "2")
    store.set("b", "2")
    store.lock("b")
    store.lock("b")
    store.delete("a")
    assert revisions(raw) == [
        ("b", None, "2"),
        ("b", None, "2"),
        ("b", "l", "1"),
        ("a", None, "1"),
        ("b", None, "1"),
    ]
    assert revisions(raw, "?key=b") == [
        ("b", None, "2"),
        ("b", None, "2"),
        ("b", "l", "1"),
        ("b", None, "1"),
    ]
    locked = [item["locked"] for item in raw.get("/revisions?key=b&label=%00").json["items"]]
    assert locked == [True, False, False]


def test_history_filters(store: Emulator, raw: Raw) -> None:
    """Revisions are filtered by key, label and the tags each of them had."""
    store.set("k", "1", tags={"v": "1"})
    store.set("k", "2", tags={"v": "2"})
    store.set("k", "3", "l", tags={"v": "1"})
    store.set("x", "4")
    assert revisions(raw, "?tags=v%3D1") == [("k", "l", "3"), ("k", None, "1")]
    assert revisions(raw, "?key=x") == [("x", None, "4")]
    assert revisions(raw, "?key=x,k") == [
        ("x", None, "4"),
        ("k", "l", "3"),
        ("k", None, "2"),
        ("k", None, "1"),
    ]
    assert revisions(raw, "?key=x,k&tags=v%3D1") == [("k", "l", "3"), ("k", None, "1")]
    assert revisions(raw, "?label=l") == [("k", "l", "3")]
    assert revisions(raw, "?key=k*&label=%00") == [("k", None, "2"), ("k", None, "1")]
    assert raw.get("/revisions?key=a*b").json["name"] == "key"
    assert raw.get("/revisions?key=x&$select=value").json["items"] == [{"value": "4"}]


def test_history_pages(store: Emulator, raw: Raw) -> None:
    """Pages lead back in time; a change moves the ETags of all of them."""
    for number in range(7):
        store.set("kl"[number % 2], str(number))
    found = pages(raw, "/revisions")
    assert [[item["value"] for item in page.json["items"]] for page in found] == [
        ["6", "5", "4"],
        ["3", "2", "1"],
        ["0"],
    ]
    etags = [page.headers["etag"] for page in found]
    assert len(set(etags)) == 3
    assert raw.get("/revisions", if_none_match=etags[0]).status == 304
    assert raw.send("HEAD", "/revisions").headers["etag"] == etags[0]
    store.set("a", "1")
    after = [page.headers["etag"] for page in pages(raw, "/revisions")]
    assert not set(after) & set(etags)


@pytest.mark.parametrize("query", ["", "?key=k*", "?key=k0,k1,k2,k3,k4", "?label=%00"])
def test_history_pages_while_others_write(store: Emulator, raw: Raw, query: str) -> None:
    """A listing that is read while settings are written and deleted loses and repeats nothing."""
    for number in range(11):
        store.set(f"k{number % 5}", str(number))
    page = raw.get(f"/revisions{query}")
    found = page.json["items"]
    while "@nextLink" in page.json:
        store.set("k0", f"later {len(found)}")
        store.set("new", f"later {len(found)}")
        store.delete("k4")
        page = raw.get(page.json["@nextLink"])
        found += page.json["items"]
    assert [item["value"] for item in found] == [str(number) for number in reversed(range(11))]


def test_history_tokens_elsewhere(store: Emulator, raw: Raw) -> None:
    """A token of one listing given to another one begins somewhere, and never fails."""
    for number in range(4):
        store.set("k", str(number))
    token = raw.get("/revisions").json["@nextLink"].rpartition("=")[2]
    assert raw.get(f"/kv?after={token}").keys == ["k"]
    token = raw.get("/keys?name=k").json.get("@nextLink", "after=ay4").rpartition("=")[2]
    assert raw.get(f"/revisions?after={token}").status == 200


def test_history_ends() -> None:
    """A revision is forgotten after thirty days, but not the one that still holds."""
    clock = FakeClock()
    with closing(Store(now=clock.time)) as store:
        store.put(Draft("k", value="1"))
        store.put(Draft("k", value="2"))
        clock.advance(31 * 24 * 3600)
        found = store.revisions(Selection(), None, -1)
        assert [revision.setting.value for revision in found] == ["2"]


def test_a_long_past_is_forgotten_bit_by_bit(tmp_path: Path) -> None:
    """What is over is hidden at once, and a write removes a hundred revisions of it at most."""
    clock = FakeClock()
    path = tmp_path / "store.db"
    with closing(Store(path, now=clock.time)) as store:
        for value in "12":
            store.load(Draft(f"k{number}", value=value) for number in range(250))
    clock.advance(31 * DAY)
    kept = []
    for value in "1234":
        with closing(Store(path, now=clock.time)) as store:
            store.put(Draft("other", value=value))
            assert len(store.revisions(Selection(), None, -1)) == 250 + int(value)
        with closing(sqlite3.connect(path)) as file:  # which a store keeps for itself while open
            ((rows,),) = file.execute("SELECT count(*) FROM revisions")
        kept.append(rows)
    assert kept == [401, 302, 253, 254]


def test_history_survives(tmp_path: Path) -> None:
    """Locks, revisions and snapshots survive a restart."""
    path = tmp_path / "store.db"
    with closing(Store(path)) as store:
        for value in "12":
            store.put(Draft("k", value=value))
        locked = store.lock("k")
        before = store.revisions(Selection(), None, 10)
    with closing(Store(path)) as store:
        assert store.get("k") == locked
        assert store.revisions(Selection(), None, 10) == before
        assert store.revisions(Selection(), before[0].number, 10) == before[1:]


def test_the_past_reaches_back_thirty_days() -> None:
    """What held thirty days ago is still there, however long it had held; then it is forgotten."""
    clock = FakeClock()
    with closing(Store(now=clock.time)) as store:
        store.put(Draft("k", value="1"))
        store.put(Draft("gone", value="1"))
        clock.advance(40 * DAY)
        middle = store.present
        clock.advance(1)
        store.put(Draft("k", value="2"))
        store.delete("gone")
        for days, found in ((29, ["1", "1"]), (2, [])):
            clock.advance(days * DAY)
            store.put(Draft("other", value=str(days)))
            page = store.at(middle).page(Selection(), None, -1)
            assert [setting.value for setting in page] == found
        values = [revision.setting.value for revision in store.revisions(Selection(), None, -1)]
        assert values == ["2", "29", "2"]


def test_the_past_survives(tmp_path: Path) -> None:
    """Deletions and what was before them survive a restart."""
    clock, path = FakeClock(), tmp_path / "store.db"
    with closing(Store(path, now=clock.time)) as store:
        store.put(Draft("k", value="1"))
        clock.advance(10)
        before = store.present
        store.delete("k")
    clock.advance(10)
    with closing(Store(path, now=clock.time)) as store:
        kept = store.at(before - 1).page(Selection(), None, -1)
        assert [setting.value for setting in kept] == ["1"]
        assert store.at(store.present).page(Selection(), None, -1) == []
        with closing(store.copy()) as copied:
            assert copied.at(before - 1).get("k") is not None
