"""Feature flags, evaluated: the schema of App Configuration, targeting, variants, time windows.

`FeatureManager(mapping)` works on what `load()` returns, on a snapshot, and on any Mapping with
`feature_management`. A program that is written for the package `featuremanagement` runs with this
one after its import was changed; `appconfig_provider.flags.aio` has the same for asyncio.
"""

from appconfig_provider.flags.context import TargetingContext, User
from appconfig_provider.flags.evaluation import (
    EvaluationDetails,
    TargetingException,
    Variant,
    VariantAssignmentReason,
)
from appconfig_provider.flags.filters import FeatureFilter, TargetingFilter, TimeWindowFilter
from appconfig_provider.flags.manager import FeatureManager
from appconfig_provider.flags.schema import FeatureFlag
from appconfig_provider.flags.telemetry import (
    EvaluationEvent,
    event_properties,
    log_event,
    opentelemetry_attributes,
)

__all__ = [
    "EvaluationDetails",
    "EvaluationEvent",
    "FeatureFilter",
    "FeatureFlag",
    "FeatureManager",
    "TargetingContext",
    "TargetingException",
    "TargetingFilter",
    "TimeWindowFilter",
    "User",
    "Variant",
    "VariantAssignmentReason",
    "event_properties",
    "log_event",
    "opentelemetry_attributes",
]
