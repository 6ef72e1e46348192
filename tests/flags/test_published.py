"""The published cases of feature management, 67 and 8 of Python's own, sync and async."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from appconfig_provider.flags import EvaluationEvent, TargetingContext, event_properties
from appconfig_provider.testing import Emulator
from tests.support.adapter import Loader
from tests.support.content import FLAG_PREFIX, FLAG_TYPE
from tests.support.managers import Manage
from tests.support.vectors import VECTORS, vectors

SAMPLES = {
    "NoFilters": 6,
    "NoFilters.python": 8,
    "TimeWindowFilter": 5,
    "TargetingFilter": 19,
    "TargetingFilter.modified": 8,
    "RequirementType": 6,
    "BasicVariant": 4,
    "VariantAssignment": 11,
    "BasicTelemetry": 1,
}
"""Files that need no store, and how many cases each has."""
LOADED = {"ProviderTelemetry": 3, "ProviderTelemetryComplete": 4}


def told(case: dict[str, Any], name: str) -> Any:
    """Return a part of a case; the older files write its name in another case."""
    return {key.lower(): part for key, part in case.items()}.get(name.lower())


def context_of(case: dict[str, Any]) -> TargetingContext | None:
    """Return the context of a case; None where it gives none."""
    inputs = told(case, "Inputs") or {}
    user, groups = told(inputs, "User"), told(inputs, "Groups")
    return None if user is None and not groups else TargetingContext(user or "", groups or [])


def answer(manager: Any, method: str, case: dict[str, Any]) -> Any:
    """Ask for the flag of a case."""
    return getattr(manager, method)(told(case, "FeatureFlagName"), context_of(case))


def check_enabled(manager: Any, case: dict[str, Any]) -> None:
    """Compare `is_enabled` with what a case expects."""
    expected = told(case, "IsEnabled")
    if "Exception" in expected:
        with pytest.raises(ValueError) as raised:
            answer(manager, "is_enabled", case)
        assert str(raised.value) == expected["Exception"]
    else:
        assert json.dumps(answer(manager, "is_enabled", case)) == expected["Result"].lower()


def check_variant(manager: Any, case: dict[str, Any]) -> None:
    """Compare `get_variant` with what a case expects."""
    expected = told(case, "Variant")
    if expected is None or ("Exception" in told(case, "IsEnabled") and "Result" in expected):
        return  # not asked: the public harness ends a case at an exception that it expects
    if "Exception" in expected:
        with pytest.raises(ValueError) as raised:
            answer(manager, "get_variant", case)
        assert str(raised.value) == expected["Exception"]
        return
    variant = answer(manager, "get_variant", case)
    if expected["Result"] is None:
        assert variant is None
        return
    assert variant.configuration == expected["Result"]["ConfigurationValue"]
    assert variant.name == expected["Result"].get("Name", variant.name)


def check_events(events: list[EvaluationEvent], case: dict[str, Any], endpoint: str = "") -> None:
    """Compare the last event with what a case expects; a loader's ETag only has to be there."""
    expected = told(case, "Telemetry")
    if expected is None:
        return
    properties = dict(expected["EventProperties"])
    del properties["FeatureFlagId"]  # loaders have dropped it since
    if endpoint:
        properties["FeatureFlagReference"] = endpoint + properties["FeatureFlagReference"]
        properties["ETag"] = event_properties(events[-1]).get("ETag", "missing")
    shown = event_properties(events[-1])
    shown.pop("FeatureFlagId", None)
    assert shown == properties
    assert len(events) == 2, "one event for is_enabled, one for get_variant"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_published_sample_is_evaluated_as_published(manage: Manage, name: str) -> None:
    """Each case answers as its file says: state, variant, exception, event."""
    sample, cases = vectors(f"{name}.sample.json"), vectors(f"{name}.tests.json")
    assert len(cases) == SAMPLES[name]
    for case in cases:
        events: list[EvaluationEvent] = []
        manager = manage(sample, strict=True, on_feature_evaluated=events.append)
        check_enabled(manager, case)
        check_variant(manager, case)
        check_events(events, case)


@pytest.mark.parametrize("name", ["NoFilters", "NoFilters.python"])
def test_an_invalid_flag_is_off_and_told(
    manage: Manage, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing is to be raised an invalid flag is off, its error is in the details."""
    sample, cases = vectors(f"{name}.sample.json"), vectors(f"{name}.tests.json")
    manager = manage(sample)
    invalid = [case for case in cases if "Exception" in told(case, "IsEnabled")]
    assert invalid
    for case in invalid:
        caplog.clear()
        assert answer(manager, "is_enabled", case) is False
        assert answer(manager, "get_variant", case) is None
        error = answer(manager, "evaluate", case).error
        assert str(error) == told(case, "IsEnabled")["Exception"]
        assert len(caplog.records) == 1


@pytest.mark.parametrize("name", LOADED)
def test_a_published_case_with_a_loader(
    load: Loader, manage: Manage, store: Emulator, name: str
) -> None:
    """Flags that our provider has loaded answer as published, and tell what a loader adds."""
    cases = vectors(f"{name}.tests.json")
    assert len(cases) == LOADED[name]
    for flag in vectors("ProviderTelemetry.sample.json")["feature_management"]["feature_flags"]:
        store.set(FLAG_PREFIX + flag["id"], json.dumps(flag), content_type=FLAG_TYPE)
    with load(connection_string=store.connection_string, feature_flag_enabled=True) as config:
        for case in cases:
            events: list[EvaluationEvent] = []
            manager = manage(config.provider, strict=True, on_feature_evaluated=events.append)
            check_enabled(manager, case)
            check_variant(manager, case)
            check_events(events, case, store.endpoint)


def test_all_published_cases_are_run() -> None:
    """There are 67 and 8 of them, and no file of cases that nobody runs."""
    own = SAMPLES["NoFilters.python"]
    assert (sum(SAMPLES.values()) - own + sum(LOADED.values()), own) == (67, 8)
    if not Path(VECTORS).exists():
        pytest.skip(f"the vectors are not here: {VECTORS}")
    files = {path.name.removesuffix(".tests.json") for path in VECTORS.glob("*.tests.json")}
    assert files == {*SAMPLES, *LOADED}
