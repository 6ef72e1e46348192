"""Snapshots with the official JavaScript client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from appconfig_provider.testing import Emulator
from tests.contract.node.process import Named, Refused

pytest_plugins = ["tests.contract.node.fixtures"]
pytestmark = pytest.mark.heavy


@pytest.fixture
def store() -> Iterator[Emulator]:
    """Give a store with pages of three."""
    with Emulator(page_size=3) as emulator:
        yield emulator


def test_life_of_a_snapshot(store: Emulator, js: Named) -> None:
    """A snapshot is created, read, archived and recovered with all its fields."""
    store.set("a", "1", "l", tags={"t": "1"})
    store.set("b", "2")
    draft = {
        "name": "s/1 é",
        "filters": [{"keyFilter": "a*", "labelFilter": "l", "tagsFilter": ["t=1"]}],
        "compositionType": "key_label",
        "retentionPeriodInSeconds": 3600,
        "tags": {"x": "y"},
        "description": "d",
    }
    created = js.call("beginCreateSnapshotAndWait", draft)
    assert {name: created[name] for name in draft} == draft
    assert (created["status"], created["itemCount"]) == ("ready", 1)
    assert js.call("getSnapshot", "s/1 é") == created
    archived = js.call("archiveSnapshot", "s/1 é", {"etag": created["etag"]})
    assert archived["status"] == "archived"
    assert archived["expiresOn"] > archived["createdOn"]
    with pytest.raises(Refused) as caught:
        js.call("recoverSnapshot", "s/1 é", {"etag": created["etag"]})
    assert caught.value.status == 412
    recovered = js.call("recoverSnapshot", "s/1 é")
    assert (recovered["status"], recovered.get("expiresOn")) == ("ready", None)


def test_snapshot_items(store: Emulator, js: Named) -> None:
    """The settings of a snapshot come over pages and stay what they were."""
    store.set_many({f"k{number}": "old" for number in range(7)})
    js.call("beginCreateSnapshotAndWait", {"name": "s", "filters": [{"keyFilter": "*"}]})
    store.set_many({f"k{number}": "new" for number in range(9)})
    found = js.items("listConfigurationSettingsForSnapshot", "s")
    assert [(item["key"], item["value"]) for item in found] == [(f"k{n}", "old") for n in range(7)]
    assert js.items("listConfigurationSettingsForSnapshot", "none") == []


def test_snapshot_conflicts(store: Emulator, js: Named) -> None:
    """A taken name, a missing snapshot and a filter that is too wide are refused."""
    store.create_snapshot("s", [("*", None)])
    wide = [{"keyFilter": "*", "labelFilter": "*"}]
    for method, argument, status in (
        ("beginCreateSnapshot", {"name": "s", "filters": [{"keyFilter": "*"}]}, 409),
        ("beginCreateSnapshotAndWait", {"name": "t", "filters": wide}, 400),
        ("getSnapshot", "gone", 404),
        ("archiveSnapshot", "gone", 404),
    ):
        with pytest.raises(Refused) as caught:
            js.call(method, argument)
        assert caught.value.status == status


def test_listing_snapshots(store: Emulator, js: Named) -> None:
    """Snapshots are listed by name and state, over pages."""
    for name in ("a1", "a2", "a3", "a4", "b"):
        store.create_snapshot(name, [("*", None)])
    store.archive_snapshot("a2")

    def found(**options: Any) -> list[str]:
        return [snapshot["name"] for snapshot in js.items("listSnapshots", options)]

    assert found() == ["a1", "a2", "a3", "a4", "b"]
    assert found(nameFilter="a*", statusFilter=["ready"]) == ["a1", "a3", "a4"]
    assert found(statusFilter=["archived", "failed"]) == ["a2"]
