"""What is told of an evaluation: the event, its properties, a log record, OpenTelemetry's names."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from appconfig_provider.flags.evaluation import Variant, VariantAssignmentReason
from appconfig_provider.flags.schema import FeatureFlag

EVENT_NAME = "FeatureEvaluation"
VERSION = "1.0.0"

logger = logging.getLogger("appconfig_provider.flags.telemetry")


class EvaluationEvent:
    """One evaluation of a flag with telemetry, as `on_feature_evaluated` gets it."""

    __slots__ = ("enabled", "feature", "reason", "user", "variant")

    def __init__(self, feature_flag: FeatureFlag | None) -> None:
        self.feature = feature_flag
        self.user = ""
        self.enabled = False
        self.variant: Variant | None = None
        self.reason = VariantAssignmentReason.NONE


def event_properties(event: EvaluationEvent) -> dict[str, str]:
    """Return the properties of an event, as Application Insights gets them; {} without a flag.

    What the event itself says is never replaced by metadata of the flag.
    """
    flag = event.feature
    if flag is None:
        return {}
    properties = {
        "FeatureName": flag.name,
        "Enabled": str(event.enabled),
        "Version": VERSION,
        "VariantAssignmentReason": event.reason.value,
    }
    if event.variant is not None:
        properties["Variant"] = event.variant.name
    if event.user:
        properties["TargetingId"] = event.user
    share = _share(event, flag)
    if share is not None:
        properties["VariantAssignmentPercentage"] = share
    if flag.allocation is not None and flag.allocation.default_when_enabled:
        properties["DefaultWhenEnabled"] = flag.allocation.default_when_enabled
    metadata = {key: str(value) for key, value in flag.telemetry.metadata.items()}
    return {**metadata, **properties}


def _share(event: EvaluationEvent, flag: FeatureFlag) -> str | None:
    """Return how many percent of the users get this variant for this reason, as text."""
    shares = flag.allocation.percentile if flag.allocation is not None else ()
    if event.reason == VariantAssignmentReason.DEFAULT_WHEN_ENABLED:
        taken = sum(share.percentile_to - share.percentile_from for share in shares)
        return f"{100 - taken:.10g}"
    if event.reason == VariantAssignmentReason.PERCENTILE and shares:
        name = event.variant.name if event.variant is not None else None
        own = [share for share in shares if share.variant == name]
        return f"{sum(share.percentile_to - share.percentile_from for share in own):.10g}"
    return None


def opentelemetry_attributes(event: EvaluationEvent) -> dict[str, str]:
    """Return an event as attributes of OpenTelemetry's event `feature_flag.evaluation`."""
    properties = event_properties(event)
    names = {
        "FeatureName": "feature_flag.key",
        "Variant": "feature_flag.result.variant",
        "TargetingId": "feature_flag.context.id",
        "ETag": "feature_flag.version",
    }
    found = {names[name]: value for name, value in properties.items() if name in names}
    reasons = VariantAssignmentReason
    reason = {
        reasons.USER: "targeting_match",
        reasons.GROUP: "targeting_match",
        reasons.PERCENTILE: "split",
    }.get(event.reason, "default")
    return {
        **found,
        "feature_flag.result.reason": reason,
        "feature_flag.provider.name": "appconfig_provider",
    }


def log_event(event: EvaluationEvent) -> None:
    """Write an event as a log record: a callback for `on_feature_evaluated`.

    The record is at INFO, its message is `FeatureEvaluation`, its properties are the dict
    `feature_evaluation` of the record. They name the user.
    """
    properties: Mapping[str, str] = event_properties(event)
    logger.info(EVENT_NAME, extra={"feature_evaluation": properties})
