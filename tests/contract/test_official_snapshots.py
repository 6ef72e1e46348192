"""Snapshots, locks, revisions and tokens with the official client, sync and async."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from azure.appconfiguration import (
    AzureAppConfigurationClient,
    ConfigurationSetting,
    ConfigurationSettingsFilter,
    ResourceReadOnlyError,
)
from azure.appconfiguration.aio import AzureAppConfigurationClient as AsyncClient
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from appconfig_provider.emulator import AccessKey
from appconfig_provider.testing import (
    AsyncStaticCredential,
    Emulator,
    StaticCredential,
)

from .peers import Peer, Play, collect, problem_of


async def create(peer: Peer, name: str, *filters: ConfigurationSettingsFilter, **more: Any) -> Any:
    """Create a snapshot and wait for it."""
    begun = time.perf_counter()
    poller = await peer.call("begin_create_snapshot", name, list(filters), **more)
    result = poller.result()
    found = await result if asyncio.iscoroutine(result) else result
    assert time.perf_counter() - begun < 5, "the client was not told to come back soon"
    return found


def test_life_of_a_snapshot(play: Play) -> None:
    """A snapshot is created, read, archived and recovered with all its fields."""

    async def script(store: Emulator, peer: Peer) -> None:
        store.set("a", "1", "l", tags={"t": "1"})
        store.set("b", "2")
        taken = ConfigurationSettingsFilter(key="a*", label="l", tags=["t=1"])
        more = {"composition_type": "key_label", "retention_period": 3600, "tags": {"x": "y"}}
        created = await create(peer, "s/1", taken, description="d", **more)
        assert (created.name, created.status, created.items_count) == ("s/1", "ready", 1)
        assert (created.composition_type, created.retention_period) == ("key_label", 3600)
        assert (created.tags, created.description, created.expires) == ({"x": "y"}, "d", None)
        (shown,) = created.filters
        assert (shown.key, shown.label, shown.tags) == ("a*", "l", ["t=1"])
        read = await peer.call("get_snapshot", "s/1")
        assert (read.etag, read.size) == (created.etag, created.size)
        partial = await peer.call("get_snapshot", "s/1", fields=["name", "status"])
        assert (partial.name, partial.items_count) == ("s/1", None)
        archived = await peer.call("archive_snapshot", "s/1")
        assert archived.status == "archived"
        assert archived.expires > archived.created
        recovered = await peer.call("recover_snapshot", "s/1")
        assert (recovered.status, recovered.expires) == ("ready", None)

    play(script)


def test_snapshot_items(play: Play) -> None:
    """The items of a snapshot come over pages and stay what they were."""

    async def script(store: Emulator, peer: Peer) -> None:
        store.set_many({f"k{number}": "old" for number in range(7)})
        await create(peer, "s", ConfigurationSettingsFilter(key="*"))
        store.set_many({f"k{number}": "new" for number in range(9)})
        options = {"snapshot_name": "s"}
        found = await peer.every("list_configuration_settings", **options)
        assert [(item.key, item.value) for item in found] == [(f"k{n}", "old") for n in range(7)]
        fields = await peer.every("list_configuration_settings", fields=["key"], **options)
        assert [(item.key, item.value) for item in fields][:1] == [("k0", None)]
        assert await peer.every("list_configuration_settings", snapshot_name="none") == []

    play(script)


def test_snapshot_conflicts(play: Play) -> None:
    """A taken name, a missing snapshot and a lost condition are the mapped errors."""

    async def script(store: Emulator, peer: Peer) -> None:
        taken = ConfigurationSettingsFilter(key="*")
        created = await create(peer, "s", taken)
        with pytest.raises(ResourceExistsError):
            await create(peer, "s", taken)
        for method in ("get_snapshot", "archive_snapshot", "recover_snapshot"):
            with pytest.raises(ResourceNotFoundError):
                await peer.call(method, "gone")
        condition = {"match_condition": MatchConditions.IfNotModified}
        with pytest.raises(ResourceModifiedError):
            await peer.call("archive_snapshot", "s", etag="other", **condition)
        archived = await peer.call("archive_snapshot", "s", etag=created.etag, **condition)
        assert archived.status == "archived"
        with pytest.raises(HttpResponseError) as caught:
            await create(peer, "t", ConfigurationSettingsFilter(key="*", label="*"))
        assert problem_of(caught.value)[:2] == (400, "label")

    play(script)


def test_failed_snapshot(play: Play) -> None:
    """A snapshot that is too large raises with the operation's code."""

    async def script(store: Emulator, peer: Peer) -> None:
        store.set_many({f"k{number:03}": "x" * 10_000 for number in range(110)})
        with pytest.raises(HttpResponseError, match="QuotaExceeded"):
            await create(peer, "s", ConfigurationSettingsFilter(key="*"))
        assert (await peer.call("get_snapshot", "s")).status == "failed"

    play(script)


def test_listing_snapshots(play: Play) -> None:
    """Snapshots are listed by name and state, over pages."""

    async def script(store: Emulator, peer: Peer) -> None:
        for name in ("a1", "a2", "a3", "a4", "b"):
            store.create_snapshot(name, [("*", None)])
        store.archive_snapshot("a2")

        async def found(**options: Any) -> list[str]:
            return [snapshot.name for snapshot in await peer.every("list_snapshots", **options)]

        assert await found() == ["a1", "a2", "a3", "a4", "b"]
        assert await found(name="a*", status=["ready"]) == ["a1", "a3", "a4"]
        assert await found(status=["archived", "failed"]) == ["a2"]
        (only,) = await peer.every("list_snapshots", name="b", fields=["name"])
        assert (only.name, only.status) == ("b", None)

    play(script)


def test_read_only(play: Play) -> None:
    """A setting made read-only can be neither written nor deleted until it is made writable."""

    async def script(store: Emulator, peer: Peer) -> None:
        setting = ConfigurationSetting(key="k/1", label="l", value="v")
        added = await peer.call("add_configuration_setting", setting)
        locked = await peer.call("set_read_only", added)
        assert (locked.read_only, locked.etag == added.etag) == (True, False)
        changed = ConfigurationSetting(key="k/1", label="l", value="new")
        with pytest.raises(ResourceReadOnlyError):
            await peer.call("set_configuration_setting", changed)
        with pytest.raises(ResourceReadOnlyError):
            await peer.call("delete_configuration_setting", "k/1", "l")
        unlocked = await peer.call("set_read_only", locked, read_only=False)
        assert unlocked.read_only is False
        await peer.call("set_configuration_setting", changed)
        with pytest.raises(ResourceModifiedError):
            await peer.call("set_read_only", added, match_condition=MatchConditions.IfNotModified)
        with pytest.raises(ResourceNotFoundError):
            await peer.call("set_read_only", ConfigurationSetting(key="gone"))

    play(script)


def test_revisions(play: Play) -> None:
    """Revisions are listed over pages, newest first, locks and deleted settings included."""

    async def script(store: Emulator, peer: Peer) -> None:
        for number in range(4):
            store.set("k", str(number), tags={"n": str(number)})
        store.lock("k")
        store.set("x", "1", "l")
        store.delete("x", "l")

        async def found(**options: Any) -> list[tuple[str, str, bool]]:
            revisions = await peer.every("list_revisions", **options)
            return [(item.key, item.value, item.read_only) for item in revisions]

        history = [("k", "3", True)] + [("k", str(number), False) for number in (3, 2, 1, 0)]
        assert await found() == [("x", "1", False), *history]
        assert await found(key_filter="k*", label_filter="\0") == history
        assert await found(tags_filter=["n=1"]) == [("k", "1", False)]
        (only,) = await peer.every("list_revisions", key_filter="x", fields=["key"])
        assert (only.key, only.value) == ("x", None)

    play(script)


def test_read_only_key(play: Play) -> None:
    """With a read-only access key reading works and every write is forbidden."""

    async def script(_store: Emulator, _peer: Peer) -> None:
        keys = [AccessKey("reader", "c2VjcmV0", read_only=True)]
        with Emulator(access_keys=keys) as store:
            store.set("k", "v")
            options = {"retry_total": 0}
            text = store.connection_string
            with AzureAppConfigurationClient.from_connection_string(text, **options) as client:
                setting = client.get_configuration_setting("k")
                assert setting is not None
                taken = [ConfigurationSettingsFilter(key="*")]
                for write in (
                    lambda: client.set_configuration_setting(setting),
                    lambda: client.delete_configuration_setting("k"),
                    lambda: client.set_read_only(setting),
                    lambda: client.begin_create_snapshot("s", taken),
                ):
                    with pytest.raises(HttpResponseError) as caught:
                        write()
                    assert caught.value.status_code == 403
                kept = client.list_configuration_settings()
                assert [(item.key, item.value, item.read_only) for item in kept] == [
                    ("k", "v", False)
                ]
                assert list(client.list_snapshots()) == []

    play(script)


def test_tokens() -> None:
    """Over TLS both clients get in with a token for the audience of an unknown host."""

    async def script(store: Emulator) -> None:
        awaited = AsyncStaticCredential()
        options = {"connection_verify": store.ca_file, "retry_total": 0}
        async with AsyncClient(store.endpoint, awaited, **options) as client:
            listed = await collect(client.list_configuration_settings())
        credential = StaticCredential()
        with AzureAppConfigurationClient(store.endpoint, credential, **options) as plain:
            assert list(plain.list_configuration_settings()) == listed
        assert awaited.scopes == credential.scopes == ["https://appconfig.azure.com/.default"]
        assert [setting.key for setting in listed] == ["k"]

    with Emulator(tls=True) as store:
        store.set("k", "v")
        asyncio.run(script(store))
