"""The official ``@azure/app-configuration-provider`` for JavaScript against the emulator."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appconfig_provider.testing import Emulator
from tests.contract.node.process import Named, Node
from tests.support.content import FLAG_TYPE

pytest_plugins = ["tests.contract.node.fixtures"]
pytestmark = pytest.mark.heavy

INTERVAL = 10_000  # milliseconds


class Provider:
    """A provider whose clock a test moves."""

    def __init__(self, node: Node, connection_string: str, **options: Any) -> None:
        node.do("load", "provider", connection_string, options)
        self._node = node
        self._config = Named(node, "provider")

    def refresh(self) -> None:
        """Let the interval pass and refresh."""
        self._node.do("advance", INTERVAL + 1000)
        self._config.call("refresh")

    def values(self) -> dict[str, Any]:
        """Everything it holds."""
        held: dict[str, Any] = self._config.call("constructConfigurationObject")
        return held


def refreshing(*watched: str) -> dict[str, Any]:
    """Refresh options; without a watched key everything is watched."""
    options: dict[str, Any] = {"enabled": True, "refreshIntervalInMs": INTERVAL}
    return {**options, "watchedSettings": [{"key": key} for key in watched]} if watched else options


def flag(name: str, *, enabled: bool) -> tuple[str, str, None, str]:
    """Key, value, label and content type of a feature flag."""
    value = json.dumps({"id": name, "enabled": enabled, "conditions": {"client_filters": []}})
    return f".appconfig.featureflag/{name}", value, None, FLAG_TYPE


def test_refresh_by_sentinel(store: Emulator, node: Node) -> None:
    """Everything is loaded again when the sentinel moved, and only then."""
    store.set_many({f"k{number:03}": "old" for number in range(150)})
    store.set("sentinel", "1")
    provider = Provider(node, store.connection_string, refreshOptions=refreshing("sentinel"))
    assert provider.values() == {f"k{n:03}": "old" for n in range(150)} | {"sentinel": "1"}
    store.set("k120", "new")
    store.clear_requests()
    provider.refresh()
    assert provider.values()["k120"] == "old"
    assert [record.status for record in store.requests] == [304]
    store.set("sentinel", "2")
    provider.refresh()
    assert (provider.values()["k120"], provider.values()["sentinel"]) == ("new", "2")


def test_refresh_by_page_etags(store: Emulator, node: Node) -> None:
    """Watching everything, a change on any page is found, and no change costs no page."""
    store.set_many({f"k{number:03}": "old" for number in range(150)})
    provider = Provider(node, store.connection_string, refreshOptions=refreshing())
    store.clear_requests()
    provider.refresh()
    assert [record.status for record in store.requests] == [304, 304]
    store.set("k120", "new")
    store.delete("k003")
    provider.refresh()
    assert provider.values()["k120"] == "new"
    assert "k003" not in provider.values()


def test_selectors_and_content(store: Emulator, node: Node) -> None:
    """Prefixes are trimmed, JSON is parsed, the later selector wins."""
    store.set("app/host", "plain")
    store.set("app/host", "labelled", "prod", tags={"t": "1"})
    store.set("app/json", '{"a": [1]}', content_type="application/json")
    selectors = [
        {"keyFilter": "app/*"},
        {"keyFilter": "app/*", "labelFilter": "prod", "tagFilters": ["t=1"]},
    ]
    provider = Provider(
        node, store.connection_string, selectors=selectors, trimKeyPrefixes=["app/"]
    )
    assert provider.values() == {"host": "labelled", "json": {"a": [1]}}


def test_snapshot(store: Emulator, node: Node) -> None:
    """A selector with a snapshot's name loads what was taken."""
    store.set("k", "old")
    store.create_snapshot("s", [("*", None)])
    store.set("k", "new")
    provider = Provider(node, store.connection_string, selectors=[{"snapshotName": "s"}])
    assert provider.values() == {"k": "old"}


@pytest.mark.parametrize("enabled", [True, False])
def test_feature_flags(store: Emulator, node: Node, *, enabled: bool) -> None:
    """Flags are loaded beside the settings and follow the store."""
    store.set(*flag("Beta", enabled=not enabled))
    refresh = {"enabled": True, "refreshIntervalInMs": INTERVAL}
    provider = Provider(
        node, store.connection_string, featureFlagOptions={"enabled": True, "refresh": refresh}
    )

    def flags() -> dict[str, bool]:
        held = provider.values()["feature_management"]["feature_flags"]
        return {flag["id"]: flag["enabled"] for flag in held}

    assert flags() == {"Beta": not enabled}
    store.set(*flag("Beta", enabled=enabled))
    provider.refresh()
    assert flags() == {"Beta": enabled}
