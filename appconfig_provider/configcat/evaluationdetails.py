"""Everything about one evaluation of a ConfigCat setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from appconfig_provider.configcat.user import User


@dataclass(frozen=True, slots=True)
class EvaluationDetails:
    """The value of a setting for a user, and which rule it comes from."""

    key: str
    value: Any = field(repr=False)
    variation_id: str | None = None
    fetch_time: datetime | None = None
    """When the config was last confirmed by the server; the year 1970 for local settings."""
    user: User | None = field(default=None, repr=False)
    is_default_value: bool = False
    """True when the caller's default value was returned, because of `error`."""
    error: str | None = field(default=None, repr=False)
    """Why the setting could not be evaluated."""
    matched_targeting_rule: Mapping[str, Any] | None = field(default=None, repr=False)
    """The targeting rule that the value comes from, as it stands in the config."""
    matched_percentage_option: Mapping[str, Any] | None = field(default=None, repr=False)
    """The percentage option that the value comes from, as it stands in the config."""

    @staticmethod
    def from_error(
        key: str, value: object, error: str, variation_id: str | None = None
    ) -> EvaluationDetails:
        """Return the details of an evaluation that came to nothing: `value` is the default."""
        return EvaluationDetails(key, value, variation_id, is_default_value=True, error=error)
