"""Sync and async are one engine: the same requests in the same order, the same public names."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

import appconfig_provider.aio
import appconfig_provider.provider
from appconfig_provider import SettingSelector, WatchKey
from appconfig_provider.configcat import aio, client
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord, Scripted
from tests.support.adapter import LOADERS, Provider

Told = tuple[str, str, str | None, int | None]


def sent(record: RequestRecord) -> Told:
    """Return what matters of a request."""
    return record.method, record.target, record.headers.get("if-none-match"), record.status


def script_plain(store: Emulator, config: Provider) -> None:
    """Nothing moved, then everything."""
    config.refresh(force=True)
    store.set("a", "2")
    store.set("sentinel", "2")
    config.refresh(force=True)
    store.delete("a")
    store.delete("sentinel")
    config.refresh(force=True)


def script_trouble(store: Emulator, config: Provider) -> None:
    """A store that throttles, then recovers."""
    with store.respond(lambda _: Scripted(status=429, headers={"retry-after-ms": "5"})):
        config.refresh(force=True)
    with store.respond(lambda record: Scripted(status=403) if "/kv?" in record.target else None):
        store.set("sentinel", "3")
        config.refresh(force=True)
    config.refresh(force=True)


def transcript(mode: str, script: Callable[[Emulator, Provider], None]) -> list[Told]:
    """Run a script and return the requests; etags are numbered, since each store makes its own.

    While the clock stands still every answer comes at once, so pages are asked for one by one.
    """
    with FakeClock() as clock, Emulator(page_size=2, clock=clock) as store:
        for number in range(5):
            store.set(f"k{number}", "1")
        store.set("a", "1")
        store.set("sentinel", "1")
        keywords = {"connection_string": store.connection_string, "refresh_on": ["sentinel"]}
        with LOADERS[mode](**keywords) as config:
            script(store, config)
        etags: dict[str | None, str] = {}
        return [
            (method, target, etags.setdefault(etag, f"etag {len(etags)}"), status)
            for method, target, etag, status in map(sent, store.requests)
        ]


@pytest.mark.parametrize("script", [script_plain, script_trouble])
def test_both_providers_send_the_same_transcript(
    script: Callable[[Emulator, Provider], None],
) -> None:
    """One selector, one sentinel: the same requests, conditions and order."""
    assert transcript("sync", script) == transcript("aio", script)


def batches(mode: str) -> list[set[Told]]:
    """Load several selectors and sentinels; return the requests in batches."""
    with Emulator() as store:
        store.set("sentinel", "1")
        keywords = {
            "connection_string": store.connection_string,
            "refresh_on": [WatchKey("sentinel"), WatchKey("other", "dev")],
            "selects": [SettingSelector(key_filter=f"{name}*") for name in "abc"],
        }
        with LOADERS[mode](**keywords):
            requests = [sent(record) for record in store.requests]
    assert len(requests) == 7
    return [
        {(method, target, None, status) for method, target, _, status in part}
        for part in (requests[:2], requests[2:5], requests[5:])
    ]


def test_batches_hold_the_same_requests() -> None:
    """Sentinels, then all selectors at once, then sentinels: the same sets from both providers."""
    assert batches("sync") == batches("aio")


def public_names(kind: type) -> set[str]:
    """Return the public names of a provider class; context managers have their own spelling."""
    return {name for name in dir(kind) if not name.startswith("_")}


def signature_of(function: Callable[..., object]) -> list[tuple[str, object, object]]:
    """Return the names of parameters, with their kinds and defaults."""
    parameters = inspect.signature(function).parameters.values()
    return [(one.name, one.kind, one.default) for one in parameters]


def test_both_providers_have_the_same_public_names_and_keywords() -> None:
    """`aio` mirrors sync: class, methods, and every keyword of load() with its default."""
    sync = appconfig_provider.provider
    awaited = appconfig_provider.aio
    assert public_names(sync.AzureAppConfigurationProvider) == public_names(
        awaited.AzureAppConfigurationProvider
    )

    assert signature_of(sync.load) == signature_of(awaited.load)
    assert inspect.iscoroutinefunction(awaited.load)


def test_both_configcat_clients_have_the_same_methods() -> None:
    """Each method takes and says the same; those that make clients are functions in aio."""
    sync, awaited = client.ConfigCatClient, aio.ConfigCatClient
    assert public_names(sync) - public_names(awaited) == {"of", "get", "close_all"}
    for name in public_names(awaited):
        both = getattr(sync, name), getattr(awaited, name)
        assert signature_of(both[0]) == signature_of(both[1]), name
        first, second = (str(inspect.getdoc(one)).partition("\n")[0] for one in both)
        assert first == second, name
    assert signature_of(sync.get) == signature_of(aio.get)


def test_no_signature_hides_its_keywords() -> None:
    """No public function takes **kwargs, so a misspelt keyword is a TypeError."""
    for module in (appconfig_provider.provider, appconfig_provider.aio):
        for parameter in inspect.signature(module.load).parameters.values():
            assert parameter.kind is not inspect.Parameter.VAR_KEYWORD
