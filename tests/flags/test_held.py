"""Flags that do not change stay the same objects, so that nobody has to look at them again."""

from __future__ import annotations

from typing import Any

from appconfig_provider import load as load_now
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Loader, Provider
from tests.support.content import FLAG_PREFIX, set_flag
from tests.support.managers import window

WATCHING: dict[str, Any] = {
    "refresh_on": ["sentinel"],
    "feature_flag_enabled": True,
    "feature_flag_refresh_enabled": True,
}


def management(config: Provider) -> Any:
    """Return the value of `feature_management`."""
    return config.snapshot["feature_management"]


def listed(config: Provider) -> dict[str, Any]:
    """Return the flags by id."""
    return {flag["id"]: flag for flag in list.__iter__(management(config)["feature_flags"])}


def refreshed(config: Provider, store: Emulator, clock: FakeClock) -> None:
    """Publish a new generation."""
    store.set("sentinel", str(clock.time()))
    clock.advance(30)
    assert config.refresh()


def test_an_unchanged_list_is_the_same_object(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Whatever else a new generation has, the value of `feature_management` is that of before."""
    set_flag(store, "beta", conditions={"client_filters": [{"name": "x"}]})
    set_flag(store, "gamma")
    store.set_many({"sentinel": "1", "k": "1"})
    with load(connection_string=store.connection_string, **WATCHING) as config:
        before, version = management(config), config.snapshot.version
        for value in "23":
            store.set("k", value)
            refreshed(config, store, clock)
            assert config.snapshot["k"] == value
            assert management(config) is before
        assert config.snapshot.version == version + 2


def test_of_a_changed_list_the_other_flags_are_the_same_objects(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A flag that changes, comes or goes leaves the objects of the others alone."""
    for name in ("alpha", "beta", "gamma"):
        set_flag(store, name)
    store.set("sentinel", "1")
    with load(connection_string=store.connection_string, **WATCHING) as config:
        before, flags = management(config), listed(config)
        set_flag(store, "beta", enabled=False)
        set_flag(store, "delta")
        store.delete(FLAG_PREFIX + "gamma")
        refreshed(config, store, clock)
        assert management(config) is not before
        after = listed(config)
        assert list(after) == ["alpha", "beta", "delta"]
        assert after["alpha"] is flags["alpha"]
        assert after["beta"] is not flags["beta"]
        assert after["beta"]["enabled"] is False


def test_a_flag_that_was_written_again_is_another_object(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Its ETag is part of its metadata, so the same text written again is a change."""
    set_flag(store, "beta")
    store.set("sentinel", "1")
    with load(connection_string=store.connection_string, **WATCHING) as config:
        before = listed(config)["beta"]
        store.set(FLAG_PREFIX + "beta", "{}", content_type="text/plain")
        set_flag(store, "beta")
        refreshed(config, store, clock)
        after = listed(config)["beta"]
        assert after is not before
        assert after["telemetry"]["metadata"]["ETag"] != before["telemetry"]["metadata"]["ETag"]


def test_the_last_flag_that_goes_and_comes(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """An empty list is a list of its own."""
    set_flag(store, "beta")
    store.set("sentinel", "1")
    with load(connection_string=store.connection_string, **WATCHING) as config:
        store.delete(FLAG_PREFIX + "beta")
        refreshed(config, store, clock)
        empty = management(config)
        assert empty == {"feature_flags": []}
        refreshed(config, store, clock)
        assert management(config) is empty
        set_flag(store, "beta")
        refreshed(config, store, clock)
        assert list(listed(config)) == ["beta"]


def test_an_unchanged_flag_is_compiled_once(store: Emulator, clock: FakeClock) -> None:
    """A manager has the same flag over generations, and reads anew only what was changed."""
    for name in ("alpha", "beta"):
        set_flag(store, name, conditions={"client_filters": [window(Start="2020-01-01")]})
    store.set("sentinel", "1")
    with load_now(connection_string=store.connection_string, **WATCHING) as config:
        before = {name: config.feature_flags.evaluate(name).flag for name in ("alpha", "beta")}
        set_flag(store, "beta")
        store.set("sentinel", "2")
        clock.advance(30)
        assert config.refresh()
        after = {name: config.feature_flags.evaluate(name).flag for name in ("alpha", "beta")}
        assert after["alpha"] is before["alpha"]
        assert after["beta"] is not before["beta"]
