"""Feature flags that go, come, are malformed, or have a timer of their own."""

from __future__ import annotations

import json
from typing import Any

import featuremanagement
import pytest

import appconfig_provider
from appconfig_provider import ChangeSet, SettingSelector, load
from appconfig_provider.snapshot import ConfigurationSnapshot
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Loader, Provider
from tests.support.content import FLAG_PREFIX, FLAG_TYPE, secret_id, set_flag


def flags(config: Provider) -> dict[str, bool]:
    """Return which flags there are and whether each is enabled."""
    listed: object = config.snapshot["feature_management"]
    assert isinstance(listed, dict)
    return {flag["id"]: flag["enabled"] for flag in listed["feature_flags"]}


def test_deleting_the_last_flag_takes_effect(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """When the only flag is deleted the next refresh drops it, calls back once and is done."""
    set_flag(store, "beta")
    news: list[ChangeSet] = []
    with load(
        connection_string=store.connection_string,
        feature_flag_enabled=True,
        feature_flag_refresh_enabled=True,
        on_refresh_success=news.append,
    ) as config:
        assert flags(config) == {"beta": True}
        store.delete(FLAG_PREFIX + "beta")
        clock.advance(30)
        assert config.refresh()
        assert flags(config) == {}
        assert [(change.flags, change.reason) for change in news] == [(("beta",), "flag")]
        clock.advance(30)
        assert not config.refresh()


def test_the_first_flag_of_an_empty_list_takes_effect(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A provider that began without flags gets the first one by a refresh."""
    with load(
        connection_string=store.connection_string,
        feature_flag_enabled=True,
        feature_flag_refresh_enabled=True,
    ) as config:
        assert flags(config) == {}
        set_flag(store, "beta")
        clock.advance(30)
        assert config.refresh()
        assert flags(config) == {"beta": True}


def test_flags_stay_without_their_own_switch(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Without `feature_flag_refresh_enabled` a reload of the settings leaves the flags alone."""
    set_flag(store, "beta")
    store.set("sentinel", "1")
    with load(
        connection_string=store.connection_string,
        feature_flag_enabled=True,
        refresh_on=["sentinel"],
    ) as config:
        set_flag(store, "beta", enabled=False)
        store.set("sentinel", "2")
        clock.advance(30)
        assert config.refresh()
        assert flags(config) == {"beta": True}


def test_flags_have_their_own_timer(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """`feature_flag_refresh_interval` decides alone when flags are checked, and nothing else."""
    set_flag(store, "beta")
    store.set("sentinel", "1")
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        refresh_interval=100,
        feature_flag_enabled=True,
        feature_flag_refresh_enabled=True,
        feature_flag_refresh_interval=10,
    ) as config:
        set_flag(store, "beta", enabled=False)
        store.set("sentinel", "2")
        store.clear_requests()
        clock.advance(9)
        assert not config.refresh()
        assert not store.requests
        clock.advance(1)
        assert config.refresh()
        assert flags(config) == {"beta": False}
        assert config.snapshot["sentinel"] == "1"
        assert not [one for one in store.requests if "sentinel" in one.target]
        clock.advance(90)
        assert config.refresh()
        assert config.snapshot["sentinel"] == "2"


def test_the_last_of_an_id_wins(load: Loader, store: Emulator) -> None:
    """A flag that two selectors find is listed once, as the later selector has it."""
    set_flag(store, "beta")
    store.set(
        FLAG_PREFIX + "beta", '{"id": "beta", "enabled": false}', "prod", content_type=FLAG_TYPE
    )
    both = [
        SettingSelector(key_filter="*"),
        SettingSelector(key_filter="*", label_filter="prod"),
    ]
    for selectors, enabled in ((both, False), (both[::-1], True)):
        with load(
            connection_string=store.connection_string,
            feature_flag_enabled=True,
            feature_flag_selectors=selectors,
        ) as config:
            assert flags(config) == {"beta": enabled}


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "null", '"text"'])
def test_a_malformed_flag_is_named_and_not_fatal(
    load: Loader, store: Emulator, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """A flag that cannot be read is left out with one warning that names its key."""
    store.set(FLAG_PREFIX + "bad", text, content_type=FLAG_TYPE)
    set_flag(store, "good")
    with load(connection_string=store.connection_string, feature_flag_enabled=True) as config:
        assert flags(config) == {"good": True}
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [FLAG_PREFIX + "bad" in record.getMessage() for record in warnings] == [True]


def test_a_flag_that_becomes_malformed_is_not_fatal(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A flag that turns malformed goes at the refresh, is reported once, and comes back mended."""
    set_flag(store, "beta")
    with load(
        connection_string=store.connection_string,
        feature_flag_enabled=True,
        feature_flag_refresh_enabled=True,
    ) as config:
        store.set(FLAG_PREFIX + "beta", "{", content_type=FLAG_TYPE)
        for expected in (True, False):
            clock.advance(30)
            assert config.refresh() is expected
            assert flags(config) == {}
        assert caplog.text.count(FLAG_PREFIX + "beta") == 1
        set_flag(store, "beta")
        clock.advance(30)
        assert config.refresh()
        assert flags(config) == {"beta": True}


def test_flags_with_filters_are_evaluated(store: Emulator) -> None:
    """`featuremanagement` evaluates a flag that has client filters."""
    window = {
        "name": "Microsoft.TimeWindow",
        "parameters": {"End": "Fri, 22 Oct 3024 07:00:00 GMT"},
    }
    set_flag(store, "beta", conditions={"client_filters": [window]})
    with appconfig_provider.load(
        connection_string=store.connection_string, feature_flag_enabled=True
    ) as config:
        manager: Any = featuremanagement.FeatureManager(config)
        assert manager.is_enabled("beta")


@pytest.mark.parametrize(
    "more",
    [
        {"conditions": "no"},
        {"conditions": {"client_filters": ["a"]}},
        {"conditions": {"client_filters": 5}},
        {"conditions": {"client_filters": [{"name": ["a"]}]}},
        {"variants": 5},
        {"allocation": "no"},
        {"telemetry": {"enabled": True}, "allocation": {"percentile": [{"variant": "a", "to": 5}]}},
        {"x": json.loads("[" * 700 + "]" * 700)},
    ],
)
def test_a_flag_of_a_wrong_shape_is_not_fatal(
    load: Loader, store: Emulator, more: dict[str, Any]
) -> None:
    """A flag that is JSON of the wrong shape does not end load()."""
    text = json.dumps({"id": "bad", **more})
    store.set(FLAG_PREFIX + "bad", text, content_type=FLAG_TYPE)
    store.set("a", "1")
    with load(connection_string=store.connection_string, feature_flag_enabled=True) as config:
        assert config.snapshot["a"] == "1"


def test_a_kill_switch_works_beside_a_bad_setting(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Watching all, a flag is switched off though a new setting cannot be resolved."""
    set_flag(store, "beta")
    store.set("a", "1")
    with load(
        connection_string=store.connection_string,
        refresh_enabled=True,
        feature_flag_enabled=True,
        feature_flag_refresh_enabled=True,
    ) as config:
        store.set_secret("pw", secret_id("pw"))
        set_flag(store, "beta", enabled=False)
        for _ in range(4):
            clock.advance(30)
            config.refresh()
        flags: Any = config.snapshot["feature_management"]
        assert not flags["feature_flags"][0]["enabled"]


def test_the_flag_type_on_another_key_is_json(load: Loader, store: Emulator) -> None:
    """A setting with a flag's content type but another key is JSON, as officially."""
    store.set("plain", '{"a": 1}', content_type=FLAG_TYPE)
    with load(connection_string=store.connection_string) as config:
        assert dict(config.snapshot) == {"plain": {"a": 1}}


@pytest.mark.parametrize("interval", [30, 900])
def test_a_kill_switch_works_beside_settings_that_are_refused(interval: float) -> None:
    """A flag that moved together with a sentinel counts at once, though `validate` refuses."""

    def check(snapshot: ConfigurationSnapshot) -> None:
        if snapshot["k"] == "bad":
            raise ValueError("bad k")

    with FakeClock() as clock, Emulator(clock=clock) as store:
        store.set_many({"k": "good", "sentinel": "1"})
        set_flag(store, "f", enabled=True)
        with load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            refresh_interval=interval,
            validate=check,
            feature_flag_enabled=True,
            feature_flag_refresh_enabled=True,
        ) as config:
            store.set_many({"k": "bad", "sentinel": "2"})
            set_flag(store, "f", enabled=False)
            clock.advance(interval)
            config.refresh()
            assert config["k"] == "good"
            management: Any = config["feature_management"]
            assert management["feature_flags"][0]["enabled"] is False
