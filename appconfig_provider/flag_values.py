"""A feature flag as a value: the shape that feature management libraries rely on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from appconfig_provider.models import JsonValue
from appconfig_provider.readonly import filter_list, read_only

Flag: TypeAlias = dict[str, Any]

FEATURE_MANAGEMENT = "feature_management"
"""The key of the configuration under which feature management libraries look for flags."""


def check_flag(flag: object) -> None:
    """Check that the parts of a flag have the types that libraries rely on.

    Raises:
        TypeError: one has another type; the message does not quote it.
    """
    if not isinstance(flag, dict):
        raise TypeError("a feature flag is a JSON object")
    conditions = _object(flag.get("conditions"))
    for one in _objects(conditions.get("client_filters")):
        if not isinstance(one.get("name"), str | None):
            raise TypeError("the name of a filter is text")
    _objects(flag.get("variants"))
    _object(flag.get("allocation"))


def to_value(flag: Mapping[str, Any]) -> JsonValue:
    """Return a flag as a value of the configuration."""
    conditions = flag.get("conditions")
    given = conditions.get("client_filters") if isinstance(conditions, dict) else None
    if not given or not isinstance(given, list) or not isinstance(conditions, dict):
        return read_only(flag)
    return read_only({**flag, "conditions": {**conditions, "client_filters": filter_list(given)}})


def _object(value: Any) -> dict[str, Any]:
    """Return a JSON object; an empty one for null."""
    if value is not None and not isinstance(value, dict):
        raise TypeError("a JSON object was expected")
    return value or {}


def _objects(value: Any) -> list[dict[str, Any]]:
    """Return a JSON array of objects; an empty one for null. Its items must not be null."""
    if value is not None and not isinstance(value, list):
        raise TypeError("a JSON array was expected")
    if not all(isinstance(one, dict) for one in value or ()):
        raise TypeError("an array of JSON objects was expected")
    return value or []
