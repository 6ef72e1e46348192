"""The official ``azure-appconfiguration-provider`` against the emulator."""

from __future__ import annotations

import json
from collections.abc import Callable
from unittest.mock import patch

from azure.appconfiguration.provider import SettingSelector, WatchKey, load

from appconfig_provider.testing import Emulator, FakeClock

FLAG = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8"


def test_load_and_refresh() -> None:
    """It loads settings and flags over pages, and loads again when the sentinel moves."""
    clock = FakeClock()
    refreshed: list[None] = []
    on_refresh: Callable[[], None] = lambda: refreshed.append(None)  # noqa: E731
    with Emulator(page_size=3) as store, patch("time.time", clock.time):
        store.set_many({f"app/{number}": str(number) for number in range(7)})
        store.set("app/json", '{"a": 1}', content_type="application/json")
        store.set("sentinel", "1")
        flag = {"id": "beta", "enabled": True, "conditions": {"client_filters": []}}
        store.set(".appconfig.featureflag/beta", json.dumps(flag), content_type=FLAG)
        with load(
            connection_string=store.connection_string,
            selects=[SettingSelector(key_filter="app/*")],
            trim_prefixes=["app/"],
            refresh_on=[WatchKey("sentinel")],
            refresh_interval=10,
            on_refresh_success=on_refresh,
            feature_flag_enabled=True,
        ) as config:
            assert config["6"] == "6"
            assert config["json"] == {"a": 1}
            assert config["feature_management"]["feature_flags"][0]["id"] == "beta"
            store.set("app/0", "new")
            clock.advance(11)
            config.refresh()
            assert (config["0"], refreshed) == ("0", [])
            store.set("sentinel", "2")
            clock.advance(11)
            config.refresh()
            assert (config["0"], refreshed) == ("new", [None])
