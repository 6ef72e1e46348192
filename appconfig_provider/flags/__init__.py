"""Feature flags, evaluated: the schema of App Configuration, targeting, variants, time windows.

`FeatureManager(mapping)` works on what `load()` returns, on a snapshot, and on any Mapping with
`feature_management`. A program that is written for the package `featuremanagement` runs with this
one after its import was changed; `appconfig_provider.flags.aio` has the same for asyncio.

Importing this package imports nothing else; each name below is fetched when it is first used, so
that other rules for flags need not import those of Microsoft.
"""

TYPE_CHECKING = False  # type checkers know the name; importing typing costs more than all this

if TYPE_CHECKING:
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

_HOME = {
    "EvaluationDetails": "evaluation",
    "EvaluationEvent": "telemetry",
    "FeatureFilter": "filters",
    "FeatureFlag": "schema",
    "FeatureManager": "manager",
    "TargetingContext": "context",
    "TargetingException": "evaluation",
    "TargetingFilter": "filters",
    "TimeWindowFilter": "filters",
    "User": "context",
    "Variant": "evaluation",
    "VariantAssignmentReason": "evaluation",
    "event_properties": "telemetry",
    "log_event": "telemetry",
    "opentelemetry_attributes": "telemetry",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
