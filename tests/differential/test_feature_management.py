"""The `featuremanagement` package reads its flags from our provider, and the vectors agree."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import featuremanagement
import featuremanagement.aio
import pytest

import appconfig_provider
import appconfig_provider.aio
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Loader
from tests.support.vectors import vectors

from .sides import FLAG_PREFIX, set_flag

WITH_FLAGS: dict[str, Any] = {
    "feature_flag_enabled": True,
    "feature_flag_refresh_enabled": True,
}


def test_flags_are_evaluated_before_and_after_a_refresh() -> None:
    """FeatureManager(config) sees flags come, change and go with each refresh."""
    with FakeClock() as clock, Emulator(clock=clock) as store:
        set_flag(store, "beta", {"id": "beta", "enabled": True})
        with appconfig_provider.load(
            connection_string=store.connection_string, **WITH_FLAGS
        ) as config:
            manager: Any = featuremanagement.FeatureManager(config)
            assert manager.is_enabled("beta")
            assert not manager.is_enabled("gamma")
            set_flag(store, "beta", {"id": "beta", "enabled": False})
            set_flag(store, "gamma", {"id": "gamma", "enabled": True})
            assert manager.is_enabled("beta")
            clock.advance(30)
            assert config.refresh()
            assert not manager.is_enabled("beta")
            assert manager.is_enabled("gamma")
            store.delete(FLAG_PREFIX + "beta")
            store.delete(FLAG_PREFIX + "gamma")
            clock.advance(30)
            assert config.refresh()
            assert manager.list_feature_flag_names() == []
            assert not manager.is_enabled("gamma")


def test_flags_are_evaluated_in_aio() -> None:
    """The async FeatureManager reads the async provider."""

    async def work(store: Emulator, clock: FakeClock) -> None:
        async with await appconfig_provider.aio.load(
            connection_string=store.connection_string, **WITH_FLAGS
        ) as config:
            manager: Any = featuremanagement.aio.FeatureManager(config)
            assert await manager.is_enabled("beta")
            set_flag(store, "beta", {"id": "beta", "enabled": False})
            clock.advance(30)
            assert await config.refresh()
            assert not await manager.is_enabled("beta")

    with FakeClock() as clock, Emulator(clock=clock) as store:
        set_flag(store, "beta", {"id": "beta", "enabled": True})
        asyncio.run(work(store, clock))


def test_a_held_snapshot_evaluates_alike(store: Emulator) -> None:
    """A snapshot is a Mapping too: a FeatureManager over it stays with its generation."""
    set_flag(store, "beta", {"id": "beta", "enabled": True})
    with appconfig_provider.load(connection_string=store.connection_string, **WITH_FLAGS) as config:
        manager: Any = featuremanagement.FeatureManager(config.snapshot)
        set_flag(store, "beta", {"id": "beta", "enabled": False})
        assert config.refresh(force=True)
        assert manager.is_enabled("beta")
        live: Any = featuremanagement.FeatureManager(config)
        assert not live.is_enabled("beta")


def metadata(flag: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the telemetry metadata of a flag."""
    found: Mapping[str, str] = flag["telemetry"]["metadata"]
    return found


def loaded(load: Loader, store: Emulator) -> dict[str, Mapping[str, Any]]:
    """Return the flags that our provider loads, by id."""
    with load(connection_string=store.connection_string, **WITH_FLAGS) as config:
        listed: Any = config.snapshot["feature_management"]
        return {flag["id"]: flag for flag in listed["feature_flags"]}


def test_allocation_ids(load: Loader, store: Emulator) -> None:
    """The allocation id of every vector is the published one, and absent where there is none."""
    cases = vectors("AllocationId.derived.json")
    assert len(cases) == 12
    for case in cases:
        flag = {**case["flag"], "telemetry": {"enabled": True}}
        set_flag(store, flag["id"], flag)
    flags = loaded(load, store)
    for case in cases:
        reported = metadata(flags[case["flag"]["id"]])
        assert reported.get("AllocationId") == case["allocation_id"], case["flag"]["id"]


@pytest.mark.parametrize("name", ["ProviderTelemetry", "ProviderTelemetryComplete"])
def test_published_telemetry(load: Loader, store: Emulator, name: str) -> None:
    """Reference, allocation id and ETag of the published events are in the flags' metadata."""
    cases = vectors(f"{name}.tests.json")
    sample = vectors("ProviderTelemetry.sample.json")
    for flag in sample["feature_management"]["feature_flags"]:
        set_flag(store, flag["id"], flag)
    flags = loaded(load, store)
    for case in cases:
        expected = case["Telemetry"]["EventProperties"]
        reported = metadata(flags[case["FeatureFlagName"]])
        stored = store.get(FLAG_PREFIX + case["FeatureFlagName"])
        assert stored is not None
        assert reported == {
            "AllocationId": expected["AllocationId"],
            "FeatureFlagReference": store.endpoint + expected["FeatureFlagReference"],
            "ETag": stored.etag,
        }


def test_published_evaluations(store: Emulator) -> None:
    """`featuremanagement` evaluates the published cases on our provider as published."""
    cases = vectors("ProviderTelemetry.tests.json")
    sample = vectors("ProviderTelemetry.sample.json")
    for flag in sample["feature_management"]["feature_flags"]:
        set_flag(store, flag["id"], flag)
    with appconfig_provider.load(connection_string=store.connection_string, **WITH_FLAGS) as config:
        manager: Any = featuremanagement.FeatureManager(config)
        for case in cases:
            inputs = case["Inputs"]
            context = featuremanagement.TargetingContext(
                user_id=inputs["User"], groups=inputs.get("Groups", [])
            )
            variant = manager.get_variant(case["FeatureFlagName"], context)
            assert variant is not None
            assert variant.name == case["Variant"]["Result"]["Name"]
            assert variant.configuration == case["Variant"]["Result"]["ConfigurationValue"]
            enabled = manager.is_enabled(case["FeatureFlagName"], context)
            assert json.dumps(enabled) == case["IsEnabled"]["Result"]
