"""The official ``azure-appconfiguration-provider`` against the emulator."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from unittest.mock import patch

import pytest
from azure.appconfiguration.provider import SettingSelector, WatchKey, load
from azure.appconfiguration.provider.aio import load as load_async

from appconfig_provider.emulator import Draft
from appconfig_provider.testing import (
    AsyncStaticCredential,
    Emulator,
    FakeClock,
    Scripted,
    StaticCredential,
    Vault,
)
from tests.support.content import set_flag

SNAPSHOT = (
    'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"; charset=utf-8'
)
INTERVAL = 10


class Loaded:
    """Either provider, awaited, under a clock that a test moves."""

    def __init__(self, config: Any, clock: FakeClock) -> None:
        self.config = config
        self._clock = clock

    def __getitem__(self, key: str) -> Any:
        return self.config[key]

    @property
    def keys(self) -> list[str]:
        """The keys it has, in order."""
        return sorted(self.config)

    @property
    def flags(self) -> dict[str, bool]:
        """Its feature flags and whether they are on."""
        flags = self.config["feature_management"]["feature_flags"]
        return {flag["id"]: flag["enabled"] for flag in flags}

    async def refresh(self) -> None:
        """Let the interval pass and refresh."""
        self._clock.advance(INTERVAL + 1)
        result = self.config.refresh()
        if inspect.isawaitable(result):
            await result


class Done:
    """What a callback returns that the async provider awaits and the sync one drops."""

    def __await__(self) -> Iterator[None]:
        return iter(())


Script = Callable[["Load"], Awaitable[None]]
Load = Callable[..., Awaitable[Loaded]]
Play = Callable[[Script], None]


@pytest.fixture(params=["sync", "async"])
def play(request: pytest.FixtureRequest) -> Iterator[Play]:
    """Play a script with a ``load`` of either kind."""
    clock = FakeClock()
    opened: list[Any] = []

    async def load_either(store: Emulator, **options: Any) -> Loaded:
        given = {"connection_string": store.connection_string, "refresh_interval": INTERVAL}
        result = (load if request.param == "sync" else load_async)(**{**given, **options})
        config = await result if inspect.isawaitable(result) else result
        opened.append(config)
        return Loaded(config, clock)

    def play_script(script: Script) -> None:
        async def run() -> None:
            await script(load_either)
            for config in opened:
                closed = config.close()
                if inspect.isawaitable(closed):
                    await closed

        asyncio.run(run())

    with patch("time.time", clock.time):
        yield play_script


def test_load_and_refresh(play: Play) -> None:
    """It loads settings and flags over pages, and loads again when the sentinel moves."""
    refreshed: list[None] = []

    async def script(load: Load) -> None:
        with Emulator(page_size=3) as store:
            store.set_many({f"app/{number}": str(number) for number in range(7)})
            store.set("app/json", '{"a": 1}', content_type="application/json")
            store.set("sentinel", "1")
            set_flag(store, "beta", enabled=True)
            config = await load(
                store,
                selects=[SettingSelector(key_filter="app/*")],
                trim_prefixes=["app/"],
                refresh_on=[WatchKey("sentinel")],
                on_refresh_success=lambda: refreshed.append(None),
                feature_flag_enabled=True,
            )
            assert config["6"] == "6"
            assert config["json"] == {"a": 1}
            assert config.flags == {"beta": True}
            store.set("app/0", "new")
            await config.refresh()
            assert (config["0"], refreshed) == ("0", [])
            store.set("sentinel", "2")
            await config.refresh()
            assert (config["0"], refreshed) == ("new", [None])

    play(script)


def test_watching_everything(play: Play) -> None:
    """Without a sentinel it asks for every page by ETag, and loads again when one changed."""

    async def script(load: Load) -> None:
        with Emulator(page_size=3) as store:
            store.set_many({f"k{number}": "old" for number in range(7)})
            config = await load(store, refresh_enabled=True)
            store.clear_requests()
            await config.refresh()
            assert [record.status for record in store.requests] == [304, 304, 304]
            store.set("k4", "new")
            store.delete("k6")
            await config.refresh()
            assert config["k4"] == "new"
            assert config.keys == [f"k{number}" for number in range(6)]

    play(script)


def test_flags(play: Play) -> None:
    """Flags are loaded by label and refreshed on their own, new, changed and deleted ones."""

    async def script(load: Load) -> None:
        with Emulator(page_size=3) as store:
            for name in ("a", "b", "c", "d"):
                set_flag(store, name, enabled=False)
            set_flag(store, "a", enabled=True, label="dev")
            config = await load(
                store,
                feature_flag_enabled=True,
                feature_flag_selectors=[
                    SettingSelector(key_filter="*"),
                    SettingSelector(key_filter="a", label_filter="dev"),
                ],
                feature_flag_refresh_enabled=True,
            )
            assert config.flags == {"a": True, "b": False, "c": False, "d": False}
            set_flag(store, "b", enabled=True)
            set_flag(store, "e", enabled=True)
            store.delete(".appconfig.featureflag/c")
            await config.refresh()
            assert config.flags == {"a": True, "b": True, "d": False, "e": True}

    play(script)


def test_snapshots(play: Play) -> None:
    """It loads a snapshot between other selectors, later ones winning; it stays as it was."""

    async def script(load: Load) -> None:
        with Emulator(page_size=3) as store:
            store.set_many({f"k{number}": "taken" for number in range(7)})
            store.create_snapshot("s", [("k*", None)])
            store.set_many({f"k{number}": "now" for number in range(8)})
            store.set("k3", "dev", "dev")
            config = await load(
                store,
                selects=[
                    SettingSelector(key_filter="*"),
                    SettingSelector(snapshot_name="s"),
                    SettingSelector(key_filter="k3", label_filter="dev"),
                ],
            )
            assert {key: config[key] for key in ("k0", "k3", "k6", "k7")} == {
                "k0": "taken",
                "k3": "dev",
                "k6": "taken",
                "k7": "now",
            }

    play(script)


def test_snapshot_references(play: Play) -> None:
    """A reference stands for the settings of its snapshot, at its place in the order."""

    async def script(load: Load) -> None:
        with Emulator() as store:
            store.set_many({"a": "taken", "z": "taken"})
            store.create_snapshot("s", [("*", None)])
            store.set_many({"a": "now", "z": "now"})
            store.set("m", json.dumps({"snapshot_name": "s"}), content_type=SNAPSHOT)
            config = await load(store, refresh_on=[WatchKey("sentinel")])
            assert {key: config[key] for key in config.keys} == {"a": "taken", "z": "now"}

    play(script)


def test_tags(play: Play) -> None:
    """Selectors with tags take the settings that carry all of them."""

    async def script(load: Load) -> None:
        with Emulator() as store:
            store.set_many(
                [
                    Draft("a", value="1", tags={"env": "prod", "team": "x"}),
                    Draft("b", value="2", tags={"env": "prod"}),
                    Draft("c", value="3", tags={"env": None}),
                ]
            )

            async def keys(*tags: str) -> list[str]:
                selector = SettingSelector(key_filter="*", tag_filters=list(tags))
                return (await load(store, selects=[selector])).keys

            assert await keys("env=prod") == ["a", "b"]
            assert await keys("env=prod", "team=x") == ["a"]
            assert await keys("env=\0") == ["c"]

    play(script)


def test_secrets_by_a_resolver(play: Play) -> None:
    """A resolver gets the ids of secrets, and what it says becomes the value."""

    async def script(load: Load) -> None:
        with Emulator() as store, Vault() as vault:
            store.set_secret("password", vault.id("db"))
            secrets: Mapping[str, str] = {vault.id("db"): "hunter2"}
            config = await load(store, secret_resolver=secrets.__getitem__)
            assert config["password"] == "hunter2"
            assert vault.requests == []

    play(script)


def test_secrets_from_the_vault(play: Play, request: pytest.FixtureRequest) -> None:
    """With a client configuration for the vault it reads the secret there."""

    async def script(load: Load) -> None:
        with Emulator() as store, Vault() as vault:
            vault.set("db", "hunter2")
            store.set_secret("password", vault.id("db"))
            awaited = "async" in request.node.name
            client = {
                "credential": AsyncStaticCredential() if awaited else StaticCredential(),
                "verify_challenge_resource": False,
                "connection_verify": vault.ca_file,
            }
            config = await load(store, keyvault_client_configs={f"{vault.url}/": client})
            assert config["password"] == "hunter2"
            assert [record.status for record in vault.requests] == [401, 200]

    play(script)


def test_failing_refresh(play: Play) -> None:
    """While the store fails it keeps what it has, and it recovers."""
    failed: list[Exception] = []

    def report(error: Exception) -> Done:
        failed.append(error)
        return Done()

    async def script(load: Load) -> None:
        with Emulator() as store:
            store.set_many({"k": "old", "sentinel": "1"})
            config = await load(
                store,
                refresh_on=[WatchKey("sentinel")],
                on_refresh_error=report,
                retry_total=0,
            )
            store.set_many({"k": "new", "sentinel": "2"})
            with store.respond(lambda record: Scripted(503)):
                await config.refresh()
            assert config["k"] == "old"
            assert len(failed) == 1
            for _ in range(6):  # it backs off first
                await config.refresh()
            assert config["k"] == "new"

    play(script)
