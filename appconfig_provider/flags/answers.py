"""What users get of a decision: its details, and the value of its variant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appconfig_provider.flags.evaluation import Decision, EvaluationDetails, Match
from appconfig_provider.flags.index import Entry


def details(entry: Entry | None, decision: Decision) -> EvaluationDetails:
    """Return a decision about a flag as users get it."""
    flag = entry.flag if entry is not None else None
    return EvaluationDetails(
        decision.enabled, decision.variant, decision.reason, flag, decision.error
    )


def value(entry: Entry | None, decision: Decision, default: Any) -> Any:
    """Return the value of a variant if it is of the default's type, else the default.

    A flag without variants has its own state as a value.
    """
    if decision.variant is not None:
        return fitting(decision.variant.configuration, default)
    plain = decision.match is Match.OVERRIDDEN
    if entry is not None and entry.flag is not None and decision.error is None:
        plain = plain or not entry.flag.variants
    return decision.enabled if plain and isinstance(default, bool) else default


def fitting(value: Any, default: Any) -> Any:
    """Return a JSON value where the default is of the same JSON type, else the default.

    A default of None takes any value; a whole number fits a float.
    """
    if value is None or default is None:
        return default if value is None else value
    if isinstance(default, bool) or isinstance(value, bool):
        return value if isinstance(default, bool) and isinstance(value, bool) else default
    if isinstance(default, float) and isinstance(value, int):
        return float(value)
    for kind in (str, int, float, list, Mapping):
        if isinstance(default, kind):
            return value if isinstance(value, kind) else default
    return value
