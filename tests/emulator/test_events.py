"""The events that a subscriber of Event Grid would get."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from appconfig_provider.testing import Emulator, FakeClock

from .raw import Raw

TYPE = "Microsoft.AppConfiguration."


def token_of(store: Emulator) -> str:
    """The token that answers carry at this moment."""
    with Raw(store.endpoint) as raw:
        return raw.get("/kv").headers["sync-token"]


def test_modified(store: Emulator) -> None:
    """A setting that is there was modified: the event has its ETag, its moment and the token."""
    stored = store.set("Foo", "v", "FizzBuzz")
    event = store.event("Foo", "FizzBuzz")
    assert set(event) == {
        "id",
        "topic",
        "subject",
        "eventType",
        "eventTime",
        "data",
        "dataVersion",
        "metadataVersion",
    }
    assert event["eventType"] == TYPE + "KeyValueModified"
    assert event["subject"] == f"{store.endpoint}/kv/Foo?label=FizzBuzz"
    assert event["topic"].endswith("/configurationstores/emulator")
    assert event["eventTime"].endswith("Z")
    assert _moment(event["eventTime"]) == stored.last_modified
    assert event["data"] == {
        "key": "Foo",
        "label": "FizzBuzz",
        "etag": stored.etag,
        "syncToken": token_of(store),
    }
    assert json.loads(json.dumps(event)) == event


def test_without_a_label(store: Emulator) -> None:
    """A setting without label has a subject without query, and no label in its data."""
    store.set("k", "v")
    for label in (None, "", "\0"):
        event = store.event("k", label)
        assert event["subject"] == f"{store.endpoint}/kv/k"
        assert event["data"]["label"] is None


@pytest.mark.parametrize(
    ("key", "label", "path"),
    [
        ("a/b", None, "/kv/a%2Fb"),
        (
            ".appconfig.featureflag/x y",
            "ä&b=c",
            "/kv/.appconfig.featureflag%2Fx%20y?label=%C3%A4%26b%3Dc",
        ),
        ("a?b#c:d", "1/2", "/kv/a%3Fb%23c%3Ad?label=1%2F2"),
        ("\U0001f600+", "~", "/kv/%F0%9F%98%80%2B?label=~"),
    ],
)
def test_subjects_are_addresses(store: Emulator, key: str, label: str | None, path: str) -> None:
    """The subject is the address of the setting: what it names can be read there."""
    store.set(key, "v", label)
    subject = store.event(key, label)["subject"]
    assert subject == store.endpoint + path
    with Raw(store.endpoint) as raw:
        content = raw.get(subject.removeprefix(store.endpoint)).json
    assert (content["key"], content["label"]) == (key, label)


def test_deleted() -> None:
    """A setting that is gone was deleted: the event has the ETag it had, and a later token."""
    clock = FakeClock(1_000_000_000.0)
    with Emulator(clock=clock) as store:
        store.set("k", "1", "l")
        deleted = store.set("k", "2", "l")
        store.set("k", "other")
        modified = store.event("k", "l")
        clock.advance(60)
        store.delete("k", "l")
        event = store.event("k", "l")
        assert event["eventType"] == TYPE + "KeyValueDeleted"
        assert event["subject"] == modified["subject"]
        assert event["data"]["etag"] == deleted.etag
        assert _number(event) == _number(modified) + 1
        assert _moment(event["eventTime"]).timestamp() == 1_000_000_060
        assert store.event("k")["eventType"] == TYPE + "KeyValueModified"
        store.set("k", "3", "l")
        assert store.event("k", "l")["eventType"] == TYPE + "KeyValueModified"


def test_cloud_events(store: Emulator) -> None:
    """In the other schema the same event has the members of CloudEvents."""
    store.set("k", "v")
    event, cloud = store.event("k"), store.event("k", schema="cloudevents")
    assert cloud == {
        "id": event["id"],
        "source": event["topic"],
        "subject": event["subject"],
        "type": event["eventType"],
        "time": event["eventTime"],
        "data": event["data"],
        "specversion": "1.0",
    }


def test_each_change_has_an_id(store: Emulator) -> None:
    """Two changes have two ids; an event that is asked for again is the same one."""
    ids = []
    for value in ("1", "2"):
        store.set("k", value)
        ids.append(store.event("k")["id"])
        assert store.event("k")["id"] == ids[-1]
    store.delete("k")
    ids.append(store.event("k")["id"])
    assert len(set(ids)) == 3


def test_locking_is_a_change(store: Emulator) -> None:
    """A lock gives a setting another ETag, so it is an event of its own."""
    store.set("k", "v")
    before = store.event("k")
    locked = store.lock("k")
    assert locked is not None
    assert store.event("k")["data"]["etag"] == locked.etag != before["data"]["etag"]


def test_tokens_grow_with_every_write(store: Emulator) -> None:
    """The token of an event is that of the present state, whatever was written after the change."""
    store.set("k", "v")
    before = store.event("k")
    store.set("other", "v")
    after = store.event("k")
    assert _number(after) == _number(before) + 1
    assert after["data"]["etag"] == before["data"]["etag"]


@pytest.mark.parametrize("tls", [False, True], ids=["http", "tls"])
def test_events_of_replicas(*, tls: bool) -> None:
    """A replica names its own endpoint; the rest is the same."""
    with Emulator(replicas=1, tls=tls) as store:
        store.set("k", "v", "l")
        (replica,) = store.replicas
        event = replica.event("k", "l")
        assert event["subject"] == f"{replica.endpoint}/kv/k?label=l"
        assert event["subject"].startswith("https://" if tls else "http://")
        assert event["data"] == store.event("k", "l")["data"]
        with replica.lag():
            store.set("k", "new", "l")
            assert replica.event("k", "l")["data"] == store.event("k", "l")["data"]


def test_unknown_settings_and_schemas(store: Emulator) -> None:
    """There is no event about what never was, and none in a schema that nobody knows."""
    store.set("k", "v", "l")
    with pytest.raises(LookupError, match="'k' with the label None"):
        store.event("k")
    with pytest.raises(LookupError, match="'x'"):
        store.snapshot_event("x")
    with pytest.raises(ValueError, match="eventgrid or cloudevents"):
        store.event("k", "l", schema="xml")  # type: ignore[arg-type]


def test_snapshot_events(store: Emulator) -> None:
    """A snapshot was created, and is modified when it is archived."""
    store.set("k", "v")
    created = store.create_snapshot("a b", [("k", None)])
    event = store.snapshot_event("a b")
    assert event["eventType"] == TYPE + "SnapshotCreated"
    assert event["subject"] == f"{store.endpoint}/snapshots/a%20b"
    assert event["data"] == {"name": "a b", "etag": created.etag, "syncToken": token_of(store)}
    archived = store.archive_snapshot("a b")
    assert archived is not None
    event = store.snapshot_event("a b", schema="cloudevents")
    assert event["type"] == TYPE + "SnapshotModified"
    assert event["data"]["etag"] == archived.etag


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=timezone.utc)


def _number(event: dict[str, dict[str, str]]) -> int:
    return int(event["data"]["syncToken"].rpartition("=")[2])
