"""Correlation-Context: what the official provider sends, for the same options and store."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from appconfig_provider.testing import Emulator, RequestRecord
from tests.support.adapter import LOADERS
from tests.support.official import make_settings_due

from .sides import REFERENCE_TYPE, load_official, official_keywords, own_keywords, set_flag

VAULT_REFERENCE = "https://v.vault.azure.net/secrets/pw"
AI = 'application/json; profile="https://azconfig.io/mime-profiles/ai/chat-completion"'
WITH_FLAGS = {"feature_flag_enabled": True, "feature_flag_refresh_enabled": True}
HOSTS = {
    "AzureFunction": "FUNCTIONS_EXTENSION_VERSION",
    "AzureWebApp": "WEBSITE_SITE_NAME",
    "ContainerApp": "CONTAINER_APP_NAME",
    "Kubernetes": "KUBERNETES_PORT",
    "ServiceFabric": "Fabric_NodeName",
}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as if on no known host, with tracing on."""
    for name in (*HOSTS.values(), "AZURE_APP_CONFIGURATION_TRACING_DISABLED"):
        monkeypatch.delenv(name, raising=False)


def life(config: Any, refresh: Callable[[Any], object], store: Emulator) -> list[RequestRecord]:
    """Return the requests of a load, and of a refresh after the sentinel moved."""
    store.set("sentinel", json.dumps(len(store.requests)))
    refresh(config)
    requests = store.requests
    store.clear_requests()
    config.close()
    return requests


def refresh_official(config: Any) -> None:
    """Refresh as if the interval had passed."""
    make_settings_due(config)
    config.refresh()


def official_life(store: Emulator, keywords: Mapping[str, Any]) -> list[RequestRecord]:
    """Return the requests of the official provider's life."""
    store.clear_requests()
    config = load_official(connection_string=store.connection_string, **official_keywords(keywords))
    return life(config, refresh_official, store)


def own_life(mode: str, store: Emulator, keywords: Mapping[str, Any]) -> list[RequestRecord]:
    """Return the requests of our provider's life."""
    store.clear_requests()
    with LOADERS[mode](
        connection_string=store.connection_string, **own_keywords(keywords)
    ) as config:
        return life(config, lambda one: one.refresh(force=True), store)


def headers_of(requests: list[RequestRecord]) -> list[str | None]:
    """Return the distinct headers in the order they first came; snapshots officially have none."""
    headers = [
        record.headers.get("correlation-context")
        for record in requests
        if not record.target.startswith("/snapshots/") and "snapshot=" not in record.target
    ]
    return list(dict.fromkeys(headers))


FILTERED: dict[str, Any] = {
    "id": "filtered",
    "enabled": True,
    "conditions": {
        "client_filters": [
            {"name": name}
            for name in ("Microsoft.Targeting", "Microsoft.TimeWindow", "Percentage", "Mine")
        ]
    },
    "variants": [{"name": "On"}, {"name": "Off"}, {"name": "Other"}],
    "allocation": {"seed": "s", "default_when_enabled": "On"},
    "telemetry": {"enabled": True},
}


def fill(store: Emulator) -> None:
    """Write one of everything that is counted."""
    store.set("sentinel", "0")
    store.set("a", "1")
    store.set("ai/a", "{}", content_type=AI)
    store.set("ai/b", "{}", content_type=AI.replace("chat-completion", "other"))
    store.create_snapshot("release", [("a", None)])
    store.set("ref/a", '{"snapshot_name": "release"}', content_type=REFERENCE_TYPE)
    store.set_secret("secret/pw", VAULT_REFERENCE)
    set_flag(store, "plain", {"id": "plain", "enabled": True})
    set_flag(store, "full/filtered", FILTERED)
    custom = [{"name": "Mine"}, {"name": "TimeWindowFilter"}]
    set_flag(store, "own/f", {"id": "own/f", "conditions": {"client_filters": custom}})


OPTIONS: dict[str, dict[str, Any]] = {
    "settings": {},
    "plain flags": {**WITH_FLAGS, "feature_flag_selectors": [{"key_filter": "plain"}]},
    "flags": {**WITH_FLAGS, "feature_flag_selectors": [{"key_filter": "full/*"}]},
    "own filters": {**WITH_FLAGS, "feature_flag_selectors": [{"key_filter": "own/*"}]},
    "AI": {"selects": [{"key_filter": "ai/b"}]},
    "chat completion": {"selects": [{"key_filter": "ai/*"}]},
    "snapshot reference": {"selects": [{"key_filter": "ref/*"}]},
    "resolver": {"selects": [{"key_filter": "secret/*"}], "secret_resolver": lambda _uri: "x"},
    "everything": {
        **WITH_FLAGS,
        "selects": [{"key_filter": "*"}],
        "secret_resolver": lambda _uri: "x",
    },
}


@pytest.mark.parametrize("mode", list(LOADERS))
@pytest.mark.parametrize("kind", list(OPTIONS))
def test_the_header_is_the_official_one(store: Emulator, mode: str, kind: str) -> None:
    """For the same options and store, start and refresh send the official headers."""
    fill(store)
    keywords = {
        "selects": [{"key_filter": "a"}],
        **OPTIONS[kind],
        "refresh_on": [("sentinel", "\0")],
    }
    theirs = headers_of(official_life(store, keywords))
    own = headers_of(own_life(mode, store, keywords))
    assert len(theirs) == 2
    assert own == theirs


@pytest.mark.parametrize("host", list(HOSTS))
def test_the_host_is_reported(store: Emulator, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """The platform is read from the same environment variables."""
    monkeypatch.setenv(HOSTS[host], "x")
    keywords = {"refresh_on": [("sentinel", "\0")]}
    store.set("sentinel", "1")
    own = headers_of(own_life("sync", store, keywords))
    assert own == headers_of(official_life(store, keywords))
    assert own == [f"RequestType=Startup,Host={host}", f"RequestType=Watch,Host={host}"]


@pytest.mark.parametrize("word", ["true", "TRUE"])
@pytest.mark.parametrize("mode", list(LOADERS))
def test_tracing_can_be_switched_off(
    store: Emulator, monkeypatch: pytest.MonkeyPatch, mode: str, word: str
) -> None:
    """With AZURE_APP_CONFIGURATION_TRACING_DISABLED=true no request carries the header."""
    monkeypatch.setenv("AZURE_APP_CONFIGURATION_TRACING_DISABLED", word)
    fill(store)
    keywords = {**OPTIONS["everything"], "refresh_on": [("sentinel", "\0")]}
    assert headers_of(official_life(store, keywords)) == [None]
    assert headers_of(own_life(mode, store, keywords)) == [None]


@pytest.mark.parametrize("mode", list(LOADERS))
def test_requests_for_snapshots_tell_the_same(store: Emulator, mode: str) -> None:
    """Every request of ours carries the header, those for snapshots too."""
    fill(store)
    keywords = {"selects": [{"snapshot_name": "release"}], "refresh_on": [("sentinel", "\0")]}
    requests = own_life(mode, store, keywords)
    assert any("/snapshots/" in record.target for record in requests)
    assert {record.headers["correlation-context"] for record in requests} == {
        "RequestType=Startup",
        "RequestType=Watch",
    }


def test_usage_follows_the_state(store: Emulator) -> None:
    """What is no longer used is no longer reported; officially the maximum of a life is kept."""
    fill(store)
    keywords = {
        **WITH_FLAGS,
        "selects": [{"key_filter": "a"}],
        "refresh_on": [("sentinel", "\0")],
        "feature_flag_selectors": [{"key_filter": "full/*"}],
    }
    with LOADERS["sync"](
        connection_string=store.connection_string, **own_keywords(keywords)
    ) as config:
        set_flag(store, "full/filtered", {"id": "filtered", "enabled": True})
        assert config.refresh(force=True)
        store.clear_requests()
        assert not config.refresh(force=True)
    (header,) = headers_of(store.requests)
    assert header is not None
    assert header.startswith("RequestType=Watch")
    assert not [part for part in ("Filter", "MaxVariants", "FFFeatures") if part in header]
