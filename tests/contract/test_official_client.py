"""The official ``azure-appconfiguration`` client, sync and async, against the emulator.

One script serves both: it is written for the async client, and the sync client is put behind the
same adapter. Client-side retries are off, so an unexpected status shows at once.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from azure.appconfiguration import AzureAppConfigurationClient, ConfigurationSetting
from azure.appconfiguration.aio import AzureAppConfigurationClient as AsyncClient
from azure.core import MatchConditions
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.core.rest import HttpRequest

from appconfig_provider.testing import Emulator

from .peers import Peer, Play, problem_of

COVERED = {
    "add_configuration_setting",
    "archive_snapshot",
    "begin_create_snapshot",
    "check_configuration_settings",
    "close",
    "delete_configuration_setting",
    "from_connection_string",
    "get_configuration_setting",
    "get_snapshot",
    "list_configuration_settings",
    "list_labels",
    "list_revisions",
    "list_snapshots",
    "recover_snapshot",
    "send_request",
    "set_configuration_setting",
    "set_read_only",
    "update_sync_token",
}
OPTIONS = {"accept_datetime", "fields", "key_filter", "label_filter", "tags_filter"}
TRAVELLERS = {
    "check_configuration_settings",
    "get_configuration_setting",
    "list_configuration_settings",
    "list_labels",
    "list_revisions",
}
NAMES = ["a/b", "a:b c", "%", "*,\\", "ü+é", "=&?#", "'\"<>", "..a", "a//", "\U0001f600"]


@pytest.mark.parametrize("client", [AzureAppConfigurationClient, AsyncClient])
def test_every_method_is_accounted_for(client: type[object]) -> None:
    """Each public method of the client is tested here or in the file about snapshots."""
    assert {name for name in vars(client) if not name.startswith("_")} == COVERED


@pytest.mark.parametrize("client", [AzureAppConfigurationClient, AsyncClient])
def test_every_option_of_listings_is_accounted_for(client: type[Any]) -> None:
    """Everything that listings can be asked for is tested here."""
    documented = client.list_revisions.__doc__
    options = set(re.findall(r":(?:keyword|param) (?:[^:]* )?(\w+):", documented))
    assert options == OPTIONS


@pytest.mark.parametrize("client", [AzureAppConfigurationClient, AsyncClient])
def test_every_traveller_is_accounted_for(client: type[object]) -> None:
    """Each method that takes a moment is tested in the file about time travel."""
    sources = {name: inspect.getsource(getattr(client, name)) for name in COVERED}
    assert {name for name, text in sources.items() if "accept_datetime" in text} == TRAVELLERS


def test_life_of_a_setting(play: Play) -> None:
    """A setting is added, read, replaced and deleted with all its fields."""

    async def script(store: Emulator, peer: Peer) -> None:
        draft = ConfigurationSetting(
            key="k", label="l", value="v", content_type="c", tags={"t": "1"}, description="d"
        )
        added = await peer.call("add_configuration_setting", draft)
        for name in ("key", "label", "value", "content_type", "tags", "description"):
            assert getattr(added, name) == getattr(draft, name)
        assert added.read_only is False
        assert added.last_modified.utcoffset().total_seconds() == 0
        assert await peer.call("get_configuration_setting", "k", "l") == added
        added.value = "new"
        changed = await peer.call("set_configuration_setting", added)
        assert (changed.value, changed.tags) == ("new", {"t": "1"})
        assert changed.etag != added.etag
        deleted = await peer.call("delete_configuration_setting", "k", "l")
        assert deleted.etag == changed.etag
        assert await peer.call("delete_configuration_setting", "k", "l") is None
        with pytest.raises(ResourceNotFoundError):
            await peer.call("get_configuration_setting", "k", "l")

    play(script)


def test_conditional_reads(play: Play) -> None:
    """A read with an ETag gives the setting, None when unchanged, or the mapped error."""

    async def script(store: Emulator, peer: Peer) -> None:
        etag = store.set("k", "v").etag
        conditions = MatchConditions

        async def get(etag: str, condition: MatchConditions, key: str = "k") -> Any:
            return await peer.call(
                "get_configuration_setting", key, etag=etag, match_condition=condition
            )

        assert await get(etag, conditions.IfModified) is None
        assert (await get("other", conditions.IfModified)).value == "v"
        assert (await get(etag, conditions.IfNotModified)).value == "v"
        assert (await get("*", conditions.IfPresent)).value == "v"
        with pytest.raises(ResourceModifiedError):
            await get("other", conditions.IfNotModified)
        with pytest.raises(ResourceNotFoundError):
            await get(etag, conditions.IfModified, "gone")

    play(script)


def test_conditional_writes(play: Play) -> None:
    """Writes and deletes with conditions succeed or raise the mapped error."""

    async def script(store: Emulator, peer: Peer) -> None:
        etag = store.set("k", "v").etag
        new = ConfigurationSetting(key="k", value="new")
        gone = ConfigurationSetting(key="gone", value="v")
        conditions = MatchConditions

        async def put(draft: ConfigurationSetting, condition: MatchConditions, tag: str) -> Any:
            return await peer.call(
                "set_configuration_setting", draft, match_condition=condition, etag=tag
            )

        async def delete(key: str, condition: MatchConditions, tag: str) -> Any:
            return await peer.call(
                "delete_configuration_setting", key, match_condition=condition, etag=tag
            )

        with pytest.raises(ResourceExistsError):
            await peer.call("add_configuration_setting", new)
        with pytest.raises(ResourceModifiedError):
            await put(new, conditions.IfNotModified, "other")
        with pytest.raises(ResourceExistsError):
            await put(new, conditions.IfMissing, "*")
        with pytest.raises(ResourceNotFoundError):
            await put(gone, conditions.IfPresent, "*")
        with pytest.raises(ResourceModifiedError):
            await delete("k", conditions.IfNotModified, "other")
        with pytest.raises(ResourceNotFoundError):
            await delete("gone", conditions.IfPresent, "*")
        assert [(s.key, s.value) for s in await peer.every("list_configuration_settings")] == [
            ("k", "v")
        ]
        changed = await put(new, conditions.IfNotModified, etag)
        assert (await delete("k", conditions.IfNotModified, changed.etag)).value == "new"

    play(script)


def test_listing(play: Play) -> None:
    """Listings filter by key, label and tags, over pages, in order."""

    async def script(store: Emulator, peer: Peer) -> None:
        store.set_many({f"k{number}": "v" for number in range(7)})
        store.set("k1", "v", "dev", tags={"a": "b", "n": None, "e": ""})
        store.set("x,y", "v", "x*")

        async def found(**options: Any) -> list[tuple[str, str | None]]:
            settings = await peer.every("list_configuration_settings", **options)
            return [(setting.key, setting.label) for setting in settings]

        everything = [("k0", None), ("k1", None), ("k1", "dev")]
        everything += [(f"k{number}", None) for number in range(2, 7)] + [("x,y", "x*")]
        assert await found() == everything
        assert await found(key_filter="k1*,"[:-1]) == [("k1", None), ("k1", "dev")]
        assert await found(key_filter="k5,k3") == [("k3", None), ("k5", None)]
        assert await found(label_filter="\0") == [pair for pair in everything if pair[1] is None]
        assert await found(label_filter="dev,\0", key_filter="k1") == everything[1:3]
        assert await found(key_filter="x\\,y", label_filter="x\\*") == [("x,y", "x*")]
        assert await found(tags_filter=["a=b", "n=\0", "e="]) == [("k1", "dev")]
        assert await found(tags_filter=["a=c"]) == []
        with pytest.raises(HttpResponseError) as caught:
            await found(key_filter="a*b")
        assert problem_of(caught.value) == (400, "key", "key(1): Invalid character")

    play(script)


def test_fields(play: Play) -> None:
    """A listing with fields has these and leaves the others empty."""

    async def script(store: Emulator, peer: Peer) -> None:
        store.set("k", "v", "l", tags={"a": "b"})
        options = {"fields": ["key", "read_only", "etag", "last_modified", "description"]}
        (setting,) = await peer.every("list_configuration_settings", **options)
        assert (setting.key, setting.read_only, setting.value) == ("k", False, None)
        assert setting.etag
        assert setting.label is None

    play(script)


@pytest.mark.parametrize("method", ["list_configuration_settings", "check_configuration_settings"])
def test_conditional_pages(play: Play, method: str) -> None:
    """With the ETags of all pages only changed pages come, from GET as from HEAD."""

    async def script(store: Emulator, peer: Peer) -> None:
        store.set_many({f"k{number}": "v" for number in range(9)})
        before = await peer.pages(method)
        etags = [etag for etag, _ in before]
        assert len(set(etags)) == 4
        assert await peer.pages(method, etags) == []
        store.set("k4", "new")
        changed = await peer.pages(method, etags)
        assert len(changed) == 1
        assert changed[0][0] not in etags
        store.set("k0a", "new")
        assert len(await peer.pages(method, etags)) == 4
        expected = [200] * 4 + [304] * 4 + [304, 200, 304, 304] + [200] * 4
        assert [record.status for record in store.requests] == expected

    play(script)


def test_labels(play: Play) -> None:
    """Labels are listed once each, "no label" as None, over pages, with filters."""

    async def script(store: Emulator, peer: Peer) -> None:
        for label in (None, "a", "b", "c*", "d"):
            store.set("k", "v", label)
            store.set("l", "v", label)

        async def found(**options: Any) -> list[str | None]:
            return [label.name for label in await peer.every("list_labels", **options)]

        assert await found() == [None, "a", "b", "c*", "d"]
        assert await found(name="\0") == [None]
        assert await found(name="c\\*,a") == ["a", "c*"]
        assert await found(name="d*", fields=["name"]) == ["d"]
        with pytest.raises(HttpResponseError) as caught:
            await found(name="test'@*$!%")
        assert problem_of(caught.value) == (400, "label", "label(6): Invalid character")

    play(script)


def test_special_characters(play: Play) -> None:
    """Keys and labels of any characters come back as they were; '%' is refused in keys."""

    async def script(store: Emulator, peer: Peer) -> None:
        for name in NAMES:
            draft = ConfigurationSetting(key="k" + name, label=name, value=name)
            if "%" in name:
                with pytest.raises(HttpResponseError) as caught:
                    await peer.call("add_configuration_setting", draft)
                assert problem_of(caught.value) == (400, "key", "")
                draft.key = "k"
            added = await peer.call("add_configuration_setting", draft)
            assert (added.key, added.label, added.value) == (draft.key, name, name)
            assert await peer.call("get_configuration_setting", draft.key, name) == added
            escaped = "".join("\\" + c if c in "*,\\" else c for c in name)
            options = {"key_filter": draft.key[:1] + "*", "label_filter": escaped}
            assert await peer.every("list_configuration_settings", **options) == [added]
        assert len(await peer.every("list_configuration_settings")) == len(NAMES)

    play(script)


def test_sync_tokens(play: Play) -> None:
    """The client echoes the Sync-Token, which grows with a write; one that it was given is kept."""

    async def script(store: Emulator, peer: Peer) -> None:
        async def sent() -> str:
            await peer.every("list_labels")
            return store.requests[-1].headers.get("sync-token", "")

        await peer.every("list_labels")
        first = await sent()
        store.set("k", "v")
        await peer.every("list_labels")
        second = await sent()
        assert first.startswith("kv=")
        assert second.startswith("kv=")
        assert first != second
        await peer.call("update_sync_token", "other=abc;sn=3")
        assert "other=abc" in (await sent()).split(",")

    play(script)


def test_plain_requests(play: Play) -> None:
    """A request the client signs for its user is served like its own."""

    async def script(store: Emulator, peer: Peer) -> None:
        store.set("k", "v")
        answer = await peer.call("send_request", HttpRequest("GET", "/kv/k?api-version=1.0"))
        assert answer.status_code == 200
        assert answer.json()["value"] == "v"

    play(script)


def test_wrong_secret() -> None:
    """A client with another secret gets the error for failed authentication."""
    with Emulator() as store:
        wrong = store.connection_string.rpartition("=")[0].rpartition(";")[0] + ";Secret=b3RoZXI="
        client = AzureAppConfigurationClient.from_connection_string(wrong, retry_total=0)
        with client, pytest.raises(ClientAuthenticationError):
            client.get_configuration_setting("k")


def test_endpoint_with_a_slash_at_the_end() -> None:
    """A connection string whose endpoint ends with a slash works all the same."""
    with Emulator() as store:
        store.set("k", "v")
        slashed = store.connection_string.replace(";Id=", "/;Id=")
        with AzureAppConfigurationClient.from_connection_string(slashed, retry_total=0) as client:
            setting = client.get_configuration_setting("k")
        assert setting is not None
        assert setting.value == "v"
