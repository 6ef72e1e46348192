"""`config.feature_flags`: the flags of a provider, evaluated, over generations."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from azure.appconfiguration.provider import load as load_official

from appconfig_provider import ChangeSet, Overrides, Polling, load
from appconfig_provider.flags import FeatureManager
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Loader, Provider
from tests.support.content import FLAG_PREFIX, set_flag
from tests.support.managers import Called, window
from tests.support.official import make_flags_due

LOADED: dict[str, Any] = {"feature_flag_enabled": True, "feature_flag_refresh_enabled": True}


def flags_of(config: Provider) -> Any:
    """Return the manager of a provider, called without `await`."""
    provider: Any = config.provider
    manager = provider.feature_flags
    return manager if isinstance(manager, FeatureManager) else Called(manager)


def test_flags_are_evaluated_and_follow_every_refresh(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Flags come, change and go with each refresh, and never before."""
    set_flag(store, "beta")
    with load(connection_string=store.connection_string, **LOADED) as config:
        flags = flags_of(config)
        assert (flags.is_enabled("beta"), flags.is_enabled("gamma")) == (True, False)
        set_flag(store, "beta", enabled=False)
        set_flag(store, "gamma")
        assert flags.is_enabled("beta")
        clock.advance(30)
        assert config.refresh()
        assert (flags.is_enabled("beta"), flags.is_enabled("gamma")) == (False, True)
        assert flags.names() == flags.list_feature_flag_names() == ["beta", "gamma"]
        for name in ("beta", "gamma"):
            store.delete(FLAG_PREFIX + name)
        clock.advance(30)
        assert config.refresh()
        assert (flags.names(), flags.is_enabled("gamma")) == ([], False)


def test_it_is_always_the_same_manager(load: Loader, store: Emulator) -> None:
    """Two reads of `feature_flags` give one object, which has compiled flags once."""
    with load(connection_string=store.connection_string, **LOADED) as config:
        provider: Any = config.provider
        assert provider.feature_flags is provider.feature_flags


def test_time_windows_live_by_the_clock_of_the_provider() -> None:
    """A `FakeClock` that is in force when the provider is loaded opens and closes windows."""
    begin = window(Start="2024-05-01T01:00:00Z", End="2024-05-01T02:00:00Z")
    with FakeClock(1714521600.0) as clock, Emulator(clock=clock) as store:  # 2024-05-01T00:00:00Z
        set_flag(store, "beta", conditions={"client_filters": [begin]})
        config = load(connection_string=store.connection_string, feature_flag_enabled=True)
    with config:  # outside of the clock's block, so that only the provider knows it
        managers = (config.feature_flags, FeatureManager(config))
        seen = []
        for hours in (0, 1, 1):
            clock.advance(hours * 3600)
            seen.append([manager.is_enabled("beta") for manager in managers])
        assert seen == [[False, False], [True, True], [False, False]]


def test_without_loaded_flags_one_warning_names_the_keyword(
    load: Loader, store: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever forgets `feature_flag_enabled=True` is told once, and every flag is off."""
    set_flag(store, "beta")
    with load(connection_string=store.connection_string) as config:
        caplog.clear()
        assert [flags_of(config).is_enabled("beta") for _ in range(3)] == [False] * 3
        told = [one.getMessage() for one in caplog.records]
        assert [text for text in told if "feature_flag_enabled=True" in text] == told[:1]


def test_a_pinned_request_stays_with_its_generation(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """`of(snapshot)` evaluates the flags of the snapshot, by the same rules."""
    set_flag(store, "beta")
    with load(connection_string=store.connection_string, **LOADED) as config:
        flags = flags_of(config)
        pinned = flags.of(config.snapshot)
        set_flag(store, "beta", enabled=False)
        clock.advance(30)
        assert config.refresh()
        assert (pinned.is_enabled("beta"), flags.is_enabled("beta")) == (True, False)
        assert not flags.of(config.snapshot).is_enabled("beta")


def test_a_change_of_a_flag_calls_back(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """`on_change(name)` is told of that flag alone, whatever characters its name has."""
    for name in ("beta", "a*b,c", "a"):
        set_flag(store, name)
    with load(connection_string=store.connection_string, **LOADED) as config:
        seen: list[ChangeSet] = []
        flags_of(config).on_change("a*b,c")(seen.append)
        set_flag(store, "beta", enabled=False)
        set_flag(store, "a", enabled=False)
        clock.advance(30)
        assert config.refresh()
        assert seen == []
        set_flag(store, "a*b,c", enabled=False)
        clock.advance(30)
        assert config.refresh()
        assert [changes.flags for changes in seen] == [("a*b,c",)]


@pytest.mark.parametrize("lasting", ["snapshot", "dict"])
def test_a_plain_mapping_tells_no_changes(store: Emulator, lasting: str) -> None:
    """`on_change` of flags that nobody refreshes is a TypeError, not silence."""
    with load(connection_string=store.connection_string, **LOADED) as config:
        mapping = config.snapshot if lasting == "snapshot" else dict(config.snapshot)
        with pytest.raises(TypeError, match="tells no changes"):
            FeatureManager(mapping).on_change("beta")


def test_a_program_without_flags_does_not_import_what_evaluates_them() -> None:
    """`load()` does not pay for it."""
    program = (
        "import sys, appconfig_provider.provider, appconfig_provider.aio;"
        "print([name for name in sys.modules if name.startswith('appconfig_provider.flags')])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert shown.stdout.strip() == b"[]"


def test_an_evaluation_is_a_read_of_a_lazy_provider() -> None:
    """With `Polling.lazy` an evaluation refreshes first what is due; nobody calls `refresh()`."""
    with FakeClock() as clock, Emulator(clock=clock) as store:
        set_flag(store, "beta")
        with load(
            connection_string=store.connection_string, polling=Polling.lazy(10), **LOADED
        ) as config:
            flags = config.feature_flags
            assert flags.is_enabled("beta")
            set_flag(store, "beta", enabled=False)
            assert flags.is_enabled("beta")
            clock.advance(30)
            assert not flags.is_enabled("beta")


def test_flags_of_overrides_are_evaluated_and_held(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A flag of the program's own wins over the store's; unchanged ones stay the same objects."""
    set_flag(store, "beta")
    set_flag(store, "gamma")
    mine = {"feature_management": {"feature_flags": [{"id": "beta", "enabled": False}], "more": 1}}
    with load(
        connection_string=store.connection_string, overrides=Overrides.from_dict(mine), **LOADED
    ) as config:
        flags, before = flags_of(config), config.snapshot["feature_management"]
        assert (flags.is_enabled("beta"), flags.is_enabled("gamma")) == (False, True)
        store.set("k", "v")
        set_flag(store, "delta")
        clock.advance(30)
        assert config.refresh()
        after = config.snapshot["feature_management"]
        assert after["more"] == 1
        old, new = (
            {flag["id"]: flag for flag in list.__iter__(one["feature_flags"])}
            for one in (before, after)
        )
        assert [name for name in new if new[name] is old.get(name)] == ["beta", "gamma"]
        assert (flags.is_enabled("beta"), flags.is_enabled("delta")) == (False, True)


def test_the_official_provider_is_a_mapping_too(store: Emulator) -> None:
    """A manager over azure-appconfiguration-provider follows what that one loads."""
    set_flag(store, "beta")
    config = load_official(
        connection_string=store.connection_string,
        feature_flag_enabled=True,
        feature_flag_refresh_enabled=True,
        refresh_interval=1,
    )
    with config:
        manager = FeatureManager(config)
        assert manager.is_enabled("beta")
        set_flag(store, "beta", enabled=False)
        make_flags_due(config)
        config.refresh()
        assert not manager.is_enabled("beta")


@pytest.mark.parametrize("refreshed", [True, False])
def test_who_waits_for_flags_that_are_not_refreshed_is_told(
    store: Emulator, caplog: pytest.LogCaptureFixture, refreshed: bool
) -> None:
    """Without their own switch flags do not change: INFO says so to whom subscribes to one."""
    caplog.set_level("INFO")
    set_flag(store, "beta")

    def changed() -> None:
        """Never called."""

    keywords: Any = {"feature_flag_enabled": True, "feature_flag_refresh_enabled": refreshed}
    with load(connection_string=store.connection_string, **keywords) as config:
        config.feature_flags.on_change("beta")(changed)
        config.on_change("other")(changed)
    told = [one.getMessage() for one in caplog.records if "will hear of no" in one.getMessage()]
    assert len(told) == (0 if refreshed else 1)
    assert all("changed will hear of no change of a feature flag" in one for one in told)
