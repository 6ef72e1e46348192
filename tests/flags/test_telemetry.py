"""What is told of an evaluation: properties, log records, OpenTelemetry, and the other package."""

from __future__ import annotations

import logging
from typing import Any

import featuremanagement.azuremonitor._send_telemetry as theirs
import pytest

from appconfig_provider.flags import (
    EvaluationEvent,
    FeatureFlag,
    FeatureManager,
    Variant,
    VariantAssignmentReason,
    event_properties,
    log_event,
    opentelemetry_attributes,
)
from tests.support.managers import flag, holding

THIRDS = {
    "default_when_enabled": "A",
    "percentile": [
        {"variant": "A", "from": 0, "to": 33.3},
        {"variant": "B", "from": 33.3, "to": 66.6},
        {"variant": "A", "from": 90, "to": 95},
    ],
}
TOLD: dict[str, Any] = {
    "variants": [{"name": "A", "configuration_value": 1}, {"name": "B"}],
    "allocation": THIRDS,
    "telemetry": {
        "enabled": "TRUE",
        "metadata": {"name": "n", "message": "m", "Enabled": "forged", "ETag": "e", "n": 5},
    },
}


def event(
    reason: VariantAssignmentReason, variant: str | None = "A", user: str = "Adam"
) -> EvaluationEvent:
    """Return the event of an evaluation."""
    made = EvaluationEvent(FeatureFlag.convert_from_json(flag("x", **TOLD)))
    made.enabled, made.user, made.reason = True, user, reason
    made.variant = None if variant is None else Variant(variant, 1)
    return made


def test_metadata_never_replaces_what_the_event_says() -> None:
    """All values are texts; what is not known is left out."""
    assert event_properties(event(VariantAssignmentReason.USER)) == {
        "FeatureName": "x",
        "Enabled": "True",
        "Version": "1.0.0",
        "VariantAssignmentReason": "User",
        "Variant": "A",
        "TargetingId": "Adam",
        "DefaultWhenEnabled": "A",
        "name": "n",
        "message": "m",
        "ETag": "e",
        "n": "5",
    }
    shown = event_properties(event(VariantAssignmentReason.NONE, None, ""))
    assert not {"Variant", "TargetingId"} & shown.keys()
    assert event_properties(EvaluationEvent(None)) == {}


@pytest.mark.parametrize(
    ("reason", "variant", "share"),
    [
        (VariantAssignmentReason.PERCENTILE, "A", "38.3"),
        (VariantAssignmentReason.PERCENTILE, "B", "33.3"),
        (VariantAssignmentReason.DEFAULT_WHEN_ENABLED, "A", "28.4"),
        (VariantAssignmentReason.USER, "A", None),
    ],
)
def test_the_percentage_of_an_assignment(
    reason: VariantAssignmentReason, variant: str, share: str | None
) -> None:
    """It is what the ranges of the variant add up to, or what the ranges leave to the default."""
    shown = event_properties(event(reason, variant))
    assert shown.get("VariantAssignmentPercentage") == share


def test_a_log_record_has_the_properties(caplog: pytest.LogCaptureFixture) -> None:
    """They are one attribute of the record, so that no metadata can break logging."""
    with caplog.at_level(logging.INFO, "appconfig_provider.flags.telemetry"):
        FeatureManager(holding(flag("x", **TOLD)), on_feature_evaluated=log_event).is_enabled(
            "x", "Adam"
        )
    (record,) = caplog.records
    assert record.getMessage() == "FeatureEvaluation"
    properties = record.feature_evaluation  # type: ignore[attr-defined]  # an extra of the record
    assert (properties["FeatureName"], properties["message"]) == ("x", "m")


def test_names_of_opentelemetry() -> None:
    """They are those of the event `feature_flag.evaluation`."""
    assert opentelemetry_attributes(event(VariantAssignmentReason.PERCENTILE)) == {
        "feature_flag.key": "x",
        "feature_flag.result.variant": "A",
        "feature_flag.context.id": "Adam",
        "feature_flag.version": "e",
        "feature_flag.result.reason": "split",
        "feature_flag.provider.name": "appconfig_provider",
    }
    shown = opentelemetry_attributes(event(VariantAssignmentReason.GROUP))
    assert shown["feature_flag.result.reason"] == "targeting_match"


@pytest.mark.parametrize("user", ["Adam", "Brian", "Charlie", "Dan", ""])
def test_their_publishing_accepts_our_events(monkeypatch: pytest.MonkeyPatch, user: str) -> None:
    """`publish_telemetry` of featuremanagement as our callback tells what we would tell."""
    told: list[tuple[str, str, dict[str, Any]]] = []
    monkeypatch.setattr(theirs, "HAS_OPENTELEMETRY_LOGGING", True)
    monkeypatch.setattr(
        theirs,
        "track_event",
        lambda name, user, event_properties: told.append((name, user, event_properties)),
    )
    ours: list[EvaluationEvent] = []
    whole = {"percentile": [{"variant": "A", "from": 0, "to": 30}], "default_when_enabled": "B"}
    config = holding(flag("x", **{**TOLD, "allocation": whole}))
    for callback in (theirs.publish_telemetry, ours.append):
        FeatureManager(config, strict=True, on_feature_evaluated=callback).is_enabled("x", user)
    ((name, who, properties),) = told
    assert (name, who) == ("FeatureEvaluation", user)
    expected = event_properties(ours[0])
    expected.pop("TargetingId", None)
    assert {key: str(value) for key, value in properties.items()} == expected
