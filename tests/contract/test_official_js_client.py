"""The official JavaScript client ``@azure/app-configuration`` against the emulator.

It writes its requests in another way than the Python client does: keys and filters go unescaped
into paths and queries, next links are taken apart, condition headers and media types differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from appconfig_provider.testing import Emulator
from tests.contract.node.process import Named, Node, Refused

pytest_plugins = ["tests.contract.node.fixtures"]
pytestmark = pytest.mark.heavy

COVERED = {
    "addConfigurationSetting",
    "archiveSnapshot",
    "beginCreateSnapshot",
    "beginCreateSnapshotAndWait",
    "checkConfigurationSettings",
    "deleteConfigurationSetting",
    "getConfigurationSetting",
    "getSnapshot",
    "listConfigurationSettings",
    "listConfigurationSettingsForSnapshot",
    "listLabels",
    "listRevisions",
    "listSnapshots",
    "recoverSnapshot",
    "setConfigurationSetting",
    "setReadOnly",
    "updateSyncToken",
}
INTERNAL = {
    "_context",
    "checkConfigurationSettingsRequest",
    "constructor",
    "sendConfigurationSettingsRequest",
    "sendLabelsRequest",
    "sendRevisionsRequest",
    "sendSnapShotsRequest",
}
# The client leaves % ? # and a segment of .. as they are, so it cannot name a key with them; in
# queries that goes for & and + too.
KEYS = ["a/b", "a//b/", "a:b c", "*,\\", "ü+é", "=&", "'\"<>", "..a", "$@!;()[]", "~^`{|}", "😀"]
LABELS = ["a/../b", "a:b c", "%", "50%", "*,\\", "ü", "a=b", "'\"<>", "$@!;()[]", "~^`{|}", "😀"]
UNCHANGED = {"onlyIfUnchanged": True}
CHANGED = {"onlyIfChanged": True}
READ_ONLY = True
WRITABLE = False


@pytest.fixture
def store() -> Iterator[Emulator]:
    """Give a store with pages of three."""
    with Emulator(page_size=3) as emulator:
        yield emulator


def escaped(text: str) -> str:
    """A text as a filter that only it passes."""
    return "".join("\\" + character if character in "*,\\" else character for character in text)


def test_every_method_is_accounted_for(js: Named) -> None:
    """Each method is tested here or in the file about snapshots, or is none of its users'."""
    assert js.methods() == COVERED | INTERNAL


def test_life_of_a_setting(js: Named) -> None:
    """A setting is added, read, replaced and deleted with all its fields."""
    draft = {
        "key": "k",
        "label": "l",
        "value": "v",
        "contentType": "c",
        "tags": {"t": "1"},
        "description": "d",
    }
    added = js.call("addConfigurationSetting", draft)
    assert added == {
        **draft,
        "isReadOnly": False,
        "etag": added["etag"],
        "lastModified": added["lastModified"],
    }
    name = {"key": "k", "label": "l"}
    assert js.call("getConfigurationSetting", name) == {**added, "statusCode": 200}
    changed = js.call("setConfigurationSetting", {**name, "value": "new"})
    assert (changed["value"], changed["tags"], changed.get("contentType")) == ("new", {}, None)
    assert changed["etag"] != added["etag"]
    deleted = js.call("deleteConfigurationSetting", name)
    assert deleted == {**changed, "statusCode": 200}
    assert js.call("deleteConfigurationSetting", name)["statusCode"] == 204
    with pytest.raises(Refused) as caught:
        js.call("getConfigurationSetting", name)
    assert caught.value.status == 404


def test_over_tls(node: Node) -> None:
    """With the CA file in NODE_EXTRA_CA_CERTS the client speaks TLS to the store."""
    with Emulator(tls=True) as store, closing(Node(node.program, store.ca_file)) as trusting:
        trusting.do("connect", "client", store.connection_string)
        Named(trusting, "client").call("setConfigurationSetting", {"key": "k", "value": "v"})
        kept = store.get("k")
        assert kept is not None
        assert kept.value == "v"


def test_fields(store: Emulator, js: Named) -> None:
    """With fields only these come."""
    store.set("k", "v", tags={"a": "b"})
    options = {"fields": ["key", "isReadOnly", "lastModified"]}
    read = js.call("getConfigurationSetting", {"key": "k"}, options)
    assert (read["key"], read.get("value"), read.get("tags")) == ("k", None, None)
    assert read["lastModified"]
    (listed,) = js.items("listConfigurationSettings", options)
    assert (listed["key"], listed.get("etag")) == ("k", None)


def test_conditional_reads(store: Emulator, js: Named) -> None:
    """A read with the present ETag says that nothing changed; with another it gives the setting."""
    store.set("k", "v")
    read = js.call("getConfigurationSetting", {"key": "k"})
    same = js.call("getConfigurationSetting", read, CHANGED)
    assert same == {"key": "k", "statusCode": 304}
    store.set("k", "new")
    assert js.call("getConfigurationSetting", read, CHANGED)["value"] == "new"


def test_conditional_writes(store: Emulator, js: Named) -> None:
    """A write or delete only for an unchanged setting is refused once it changed."""
    read = {"key": "k", "value": "mine", "etag": store.set("k", "v").etag}
    theirs = store.set("k", "theirs")
    for method, *arguments in (
        ("setConfigurationSetting", read, UNCHANGED),
        ("addConfigurationSetting", {"key": "k", "value": "mine"}),
        ("deleteConfigurationSetting", read, UNCHANGED),
        ("setReadOnly", read, READ_ONLY, UNCHANGED),
        ("setConfigurationSetting", {"key": "gone", "value": "v", "etag": "*"}, UNCHANGED),
    ):
        with pytest.raises(Refused) as caught:
            js.call(str(method), *arguments)
        assert caught.value.status == 412
    assert store.get("k") == theirs
    mine = js.call("setConfigurationSetting", {**read, "etag": theirs.etag}, UNCHANGED)
    assert mine["value"] == "mine"
    assert js.call("deleteConfigurationSetting", mine, UNCHANGED)["statusCode"] == 200


def test_listing(store: Emulator, js: Named) -> None:
    """Listings filter by key, label and tags, over pages, in order."""
    store.set_many({f"k{number}": "v" for number in range(7)})
    store.set("k1", "v", "dev", tags={"a": "b", "n": None, "e": "", "x=,": "y\\"})
    store.set("x,y", "v", "x*")

    def found(**options: Any) -> list[tuple[str, str | None]]:
        settings = js.items("listConfigurationSettings", options)
        return [(setting["key"], setting.get("label")) for setting in settings]

    everything = [("k0", None), ("k1", None), ("k1", "dev")]
    everything += [(f"k{number}", None) for number in range(2, 7)] + [("x,y", "x*")]
    assert found() == everything
    assert found(keyFilter="k1*") == everything[1:3]
    assert found(keyFilter="k5,k3") == [("k3", None), ("k5", None)]
    assert found(labelFilter="\0") == [pair for pair in everything if pair[1] is None]
    assert found(labelFilter="dev,\0", keyFilter="k1") == everything[1:3]
    assert found(keyFilter="x\\,y", labelFilter="x\\*") == everything[-1:]
    assert found(tagsFilter=["a=b", "n=\0", "e=", "x\\=\\,=y\\\\"]) == [("k1", "dev")]
    assert found(tagsFilter=["a=c"]) == []
    with pytest.raises(Refused) as caught:
        found(keyFilter="a*b")
    assert (caught.value.status, caught.value.problem["name"]) == (400, "key")


@pytest.mark.parametrize("method", ["listConfigurationSettings", "checkConfigurationSettings"])
def test_conditional_pages(store: Emulator, js: Named, method: str) -> None:
    """With the ETags of all pages only a changed page comes, from GET as from HEAD."""
    store.set_many({f"k{number}": "v" for number in range(8)})

    def statuses(etags: list[str]) -> list[int]:
        pages = js.call(method, {"keyFilter": "k*", "pageEtags": etags})
        return [page["status"] for page in pages]

    before = js.call(method, {"keyFilter": "k*"})
    etags = [page["etag"] for page in before]
    assert len(set(etags)) == 3
    assert statuses(etags) == [304, 304, 304]
    store.set("k4", "new")
    assert statuses(etags) == [304, 200, 304]
    store.set("k0a", "new")
    assert statuses(etags) == [200] * 4  # three full pages, and the one after them
    expected = [200] * 3 + [304] * 3 + [304, 200, 304] + [200] * 4
    assert [record.status for record in store.requests] == expected


def test_changed_page(store: Emulator, js: Named) -> None:
    """A changed page comes whole and with its new ETag, and pages that are new come too."""
    store.set_many({f"k{number}": "v" for number in range(5)})
    before = js.call("listConfigurationSettings")
    store.set("k3", "new")
    store.set("k5", "v")
    etags = [page["etag"] for page in before]
    after = js.call("listConfigurationSettings", {"pageEtags": etags})
    assert [page["status"] for page in after] == [304, 200, 200]
    assert [[item["key"] for item in page["items"]] for page in after] == [
        [],
        ["k3", "k4", "k5"],
        [],
    ]
    assert after[0]["etag"] == etags[0]
    assert after[1]["etag"] not in etags


def test_revisions(store: Emulator, js: Named) -> None:
    """Revisions are listed over pages, newest first, locks and deleted settings included."""
    for number in range(4):
        store.set("k", str(number), tags={"n": str(number)})
    store.lock("k")
    store.set("x", "1", "l")
    store.delete("x", "l")

    def found(**options: Any) -> list[tuple[str, str, bool]]:
        revisions = js.items("listRevisions", options)
        return [(item["key"], item["value"], item["isReadOnly"]) for item in revisions]

    history = [("k", "3", True)] + [("k", str(number), False) for number in (3, 2, 1, 0)]
    assert found() == [("x", "1", False), *history]
    assert found(keyFilter="k*", labelFilter="\0") == history
    assert found(tagsFilter=["n=1"]) == [("k", "1", False)]


def test_labels(store: Emulator, js: Named) -> None:
    """Labels are listed once each, over pages, with filters."""
    for label in (None, "a", "b", "c*"):
        store.set("k", "v", label)
        store.set("l", "v", label)

    def found(**options: Any) -> list[str | None]:
        return [item["name"] for item in js.items("listLabels", options)]

    assert found() == [None, "a", "b", "c*"]
    assert found(nameFilter="\0") == [None]
    assert found(nameFilter="c\\*,a") == ["a", "c*"]
    assert found(nameFilter="b*", fields=["name"]) == ["b"]


def test_read_only(store: Emulator, js: Named) -> None:
    """A setting made read-only can be neither written nor deleted until it is made writable."""
    store.set("k/1", "v", "l")
    name = {"key": "k/1", "label": "l"}
    assert js.call("setReadOnly", name, READ_ONLY)["isReadOnly"] is True
    for method in ("setConfigurationSetting", "deleteConfigurationSetting"):
        with pytest.raises(Refused) as caught:
            js.call(method, {**name, "value": "new"})
        assert caught.value.status == 409
        assert caught.value.problem["type"].endswith("/key-locked")
        assert caught.value.problem["name"] == "k/1"
    assert js.call("setReadOnly", name, WRITABLE)["isReadOnly"] is False
    assert js.call("setConfigurationSetting", {**name, "value": "new"})["value"] == "new"
    with pytest.raises(Refused) as caught:
        js.call("setReadOnly", {"key": "gone"}, READ_ONLY)
    assert caught.value.status == 404


@pytest.mark.parametrize("key", KEYS)
def test_special_characters_in_keys(store: Emulator, js: Named, key: str) -> None:
    """A key the client can send comes back as it was, from reading, locking and deleting it."""
    stored = store.set(key, "v")
    name = {"key": key}
    assert js.call("getConfigurationSetting", name)["etag"] == stored.etag
    assert js.call("setConfigurationSetting", {**name, "value": "new"})["key"] == key
    assert js.call("setReadOnly", name, READ_ONLY)["key"] == key
    js.call("setReadOnly", name, WRITABLE)
    if not set("+&") & set(key):
        (listed,) = js.items("listConfigurationSettings", {"keyFilter": escaped(key)})
        assert (listed["key"], listed["value"]) == (key, "new")
    js.call("deleteConfigurationSetting", name)
    assert store.get(key) is None


@pytest.mark.parametrize("label", LABELS)
def test_special_characters_in_labels(store: Emulator, js: Named, label: str) -> None:
    """A label the client can send comes back as it was, from reading, listing and deleting it."""
    name = {"key": "k", "label": label}
    added = js.call("addConfigurationSetting", {**name, "value": "v"})
    assert added["label"] == label
    assert store.get("k", label) is not None
    assert js.call("getConfigurationSetting", name) == {**added, "statusCode": 200}
    assert js.items("listConfigurationSettings", {"labelFilter": escaped(label)}) == [added]
    assert js.items("listLabels", {"nameFilter": escaped(label)}) == [{"name": label}]
    assert js.call("deleteConfigurationSetting", name)["statusCode"] == 200
    assert store.get("k", label) is None


def test_percent_sign_in_a_key(store: Emulator, js: Named) -> None:
    """A key with a percent sign is refused, and the client says which parameter is to blame."""
    with pytest.raises(Refused) as caught:
        js.call("setConfigurationSetting", {"key": "50%", "value": "v"})
    assert (caught.value.status, caught.value.problem["name"]) == (400, "key")
    assert store.get("50%") is None


def test_sync_tokens(store: Emulator, js: Named) -> None:
    """The client echoes the Sync-Token, which grows with a write; one that it was given is kept."""

    def sent() -> str:
        js.items("listLabels")
        return store.requests[-1].headers.get("sync-token", "")

    sent()
    first = sent()
    store.set("k", "v")
    sent()
    second = sent()
    assert first.startswith("kv=")
    assert second.startswith("kv=")
    assert first != second
    js.call("updateSyncToken", "other=abc;sn=3")
    assert "other=abc" in sent().split(",")


def test_wrong_secret(store: Emulator, node: Node) -> None:
    """A client with another secret is refused."""
    wrong = store.connection_string.rpartition(";")[0] + ";Secret=b3RoZXI="
    node.do("connect", "stranger", wrong)
    with pytest.raises(Refused) as caught:
        Named(node, "stranger").items("listLabels")
    assert caught.value.status == 401
